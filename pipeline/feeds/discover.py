"""Discovery: from the address of a feed or of a site to the feeds that are there.

A page's own word goes first (`<link rel="alternate">`), then the usual paths. Whatever is named is fetched,
by the guarded fetch and one request at a time, and offered only if it is a feed. Nothing is written here.
"""

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from html.parser import HTMLParser
from http import HTTPStatus

from msgspec.structs import replace

from pipeline.feeds.address import BadAddressError, absolute, canonical
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Candidate, Feed, Fetched, ParsedFeed, Reject, Validators, Value

USUAL_PATHS = ("/feed", "/rss", "/rss.xml", "/atom.xml", "/feed.xml", "/index.xml")
# Real pages name up to six feeds, in their first 200 kB.
MAX_LINKS = 10
_MAX_PAGE = 500_000
# A site that takes longer for one document than this is not worth an operator's wait.
_PATIENCE = 15.0

# At most to the next `<`, so that it is linear on whatever stands there.
_TAG = re.compile(r"<(?:link|base)\s[^<>]{1,4000}>", re.IGNORECASE)
_TYPES = re.compile(
    r"(?:application|text)/(?:(?:x[.-])?(?:rss|atom|rdf)\+xml|xml|feed\+json)\b", re.IGNORECASE
)
_LANGUAGE = re.compile(r"^[a-z]{2,3}(?=$|[-_])")


class Offer(Value, frozen=True, kw_only=True):
    """A feed that was found: the address to register, where it moved for good, and its document."""

    url: str
    parsed: ParsedFeed


class Miss(Value, frozen=True, kw_only=True):
    """An address that was asked and is no feed, and why."""

    url: str
    why: str


def discover(
    address: str, limits: Limits, *, allow_hosts: frozenset[str] = frozenset()
) -> tuple[tuple[Offer, ...], tuple[Miss, ...]]:
    """The feeds at `address`, in the order of the page, and what was asked in vain.

    One offer where the address is a feed itself. A server that refuses the address is not asked for more.
    Raises BadAddressError where the address is none.
    """
    limits = replace(limits, concurrency=1, total=min(limits.total, _PATIENCE))
    first, found = _ask(absolute(address).geturl(), limits, allow_hosts)
    if isinstance(found, Offer):
        return (found,), ()
    misses = [found]
    if first.kind != "ok":
        return (), tuple(misses)
    offers: dict[str, Offer] = {}
    named = links(first.body, first.url)
    usual = (absolute(path, first.url).geturl() for path in USUAL_PATHS)
    for url in dict.fromkeys((*named, *usual)):
        if offers and url not in named:
            break
        answer, found = _ask(url, limits, allow_hosts)
        if isinstance(found, Offer):
            offers[found.url] = found
        else:
            misses.append(found)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            break
    return tuple(offers.values()), tuple(misses)


def links(page: bytes, url: str) -> tuple[str, ...]:
    """The addresses of feeds that an HTML page from `url` names, each once, at most `MAX_LINKS`."""
    base, found = url, dict[str, str]()
    for tag in _TAG.finditer(page[:_MAX_PAGE].decode("utf-8", "replace")):
        attributes = _attributes(tag[0])
        with suppress(BadAddressError):
            if tag[0][1:5].lower() == "base":
                base = absolute(attributes.get("href", ""), base).geturl()
            elif "alternate" in attributes.get("rel", "").lower().split() and _TYPES.match(
                attributes.get("type", "").strip()
            ):
                link = absolute(attributes.get("href", ""), base)._replace(fragment="").geturl()
                found.setdefault(canonical(link), link)
        if len(found) == MAX_LINKS:
            break
    return tuple(found.values())


def language_of(tag: str, fallback: str) -> str:
    """The language that a feed's tag (`en-US`) names, else `fallback`."""
    said = _LANGUAGE.match(tag.lower())
    return said[0] if said is not None else fallback


def spoken(entries: Iterable[Candidate | Reject], said: str) -> str:
    """The language of most entries, which many a feed of a standard installation states wrongly."""
    languages = Counter(e.article.language for e in entries if isinstance(e, Candidate))
    (most, count), *_ = languages.most_common(1) or [(said, 0)]
    return most if 2 * count > languages.total() else said


def _ask(url: str, limits: Limits, allow_hosts: frozenset[str]) -> tuple[Fetched, Offer | Miss]:
    feed = Feed(
        id="discovery", url=url, title=url[:200], language="en", kind="press", rank=9, allow_hosts=allow_hosts
    )
    (fetched,) = fetch_all([(feed, Validators())], limits)
    if fetched.kind != "ok":
        return fetched, Miss(url=url, why=f"{fetched.reason or fetched.kind}: {fetched.detail}")
    parsed = parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
    if parsed.problem is not None:
        return fetched, Miss(url=url, why=f"{parsed.problem}: {parsed.detail}")
    return fetched, Offer(url=fetched.moved_to or url, parsed=parsed)


def _attributes(tag: str) -> dict[str, str]:
    """The attributes of one tag, names in lower case, references resolved. The first of a name counts."""
    reader = _TagReader()
    reader.feed(tag)
    return {name: value or "" for name, value in reversed(reader.attributes)}


class _TagReader(HTMLParser):
    """Given single tags only: on whole pages its time can grow with the square of their length."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for the one tag that is given."""
        self.attributes = attrs
