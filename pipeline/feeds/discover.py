"""Discovery: from the address of a feed or of a site to the feeds that are there.

A page's own word goes first (`<link rel="alternate">`, else `<a>`), then the usual paths, then the news
sitemaps that robots.txt names. Whatever is named is fetched, by the guarded fetch and one request at a time,
and offered only if it is a feed. Nothing is written here.
"""

import html
import re
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from msgspec.structs import replace

from pipeline.feeds import robots
from pipeline.feeds.address import BadAddressError, absolute, canonical
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.markup import tags
from pipeline.feeds.outcomes import Candidate, Reject
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Feed, Fetched, ParsedFeed, Validators, Value

USUAL_PATHS = ("/feed", "/rss", "/rss.xml", "/atom.xml", "/feed.xml", "/index.xml", "/feed.json")
# Real pages name up to six feeds, in their first 200 kB.
MAX_LINKS = 10
_MAX_PAGE = 500_000
# Nothing else is asked after these answers: the server wants to be left alone.
_ENOUGH = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
# A site that takes longer for one document than this is not worth an operator's wait.
_PATIENCE = 15.0

_TYPES = re.compile(
    r"(?:application|text)/(?:(?:x[.-])?(?:rss|atom|rdf)\+xml|xml|feed\+json)\b", re.IGNORECASE
)
# What an address of a feed is called, as a word of its path or query: `/feeds/all.atom`, `?feed=rss2`.
_CALLED = re.compile(r"(?:^|[/?&=._-])(?:rss|atom|rdf|feed)s?2?(?:[/?&=._-]|$)", re.IGNORECASE)
_COMMENTS = re.compile(r"comment|kommentar|comentario|评论|評論|コメント|댓글", re.IGNORECASE)
_SITEMAP = re.compile(r"^\s*sitemap\s*:\s*(\S{1,2000})", re.IGNORECASE | re.MULTILINE)
_LOC = re.compile(r"<(?:\w{1,20}:)?loc>\s*([^<>\s]{1,2000})")
_MAX_SITEMAPS = 3
# What one address may cost its site, and others that it names.
_MAX_ASKED = 30
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
    """The feeds at `address` in the order of the page, those of comments last, and what was asked in vain.

    One offer where the address is a feed itself. A server that wants to be left alone is not asked for more.
    Raises BadAddressError where the address is none.
    """
    limits = replace(limits, concurrency=1, total=min(limits.total, _PATIENCE))
    first, found = _ask(absolute(address).geturl(), limits, allow_hosts)
    if isinstance(found, Offer):
        return (found,), ()
    misses, offers, tried = [found], dict[str, Offer](), {found.url}
    answer = first
    # A page that is kept from us says nothing of its site's feeds; a server that does not answer does.
    for source in () if first.status is None else (_named, _usual, _sitemaps):
        queue = deque(source(first, limits, allow_hosts) if answer.status not in _ENOUGH else ())
        # Of the feeds that a site names one is meant; of the usual places the first is as good as any.
        while queue and len(tried) < _MAX_ASKED and not (offers and source is not _named):
            url = queue.popleft()
            if url in tried:
                continue
            tried.add(url)
            answer, found = _ask(url, limits, allow_hosts)
            if isinstance(found, Offer):
                offers.setdefault(found.url, found)
            else:
                misses.append(found)
                queue.extend(_listed(answer) if found.why.startswith("sitemap-index") else ())
            if answer.status in _ENOUGH:
                break
        if offers:
            break
    by_kind = sorted(offers.values(), key=lambda o: bool(_COMMENTS.search(f"{o.url} {o.parsed.title}")))
    return tuple(by_kind), tuple(misses)


def links(page: bytes, url: str) -> tuple[str, ...]:
    """The addresses of feeds that an HTML page from `url` names, each once, at most `MAX_LINKS`.

    Only where no `<link>` names any, what its `<a>` lead to and is called like one.
    """
    base, named, called = url, dict[str, str](), dict[str, str]()
    for tag, attributes in tags(page[:_MAX_PAGE].decode("utf-8", "replace"), "base", "link", "a"):
        with suppress(BadAddressError):
            to = absolute(attributes.get("href", ""), base)._replace(fragment="")
            if tag == "base":
                base = to.geturl()
            elif tag == "a":
                if _CALLED.search(f"{to.path}?{to.query}"):
                    called.setdefault(canonical(to.geturl()), to.geturl())
            elif "alternate" in attributes.get("rel", "").lower().split() and _TYPES.match(
                attributes.get("type", "").strip()
            ):
                named.setdefault(canonical(to.geturl()), to.geturl())
        if len(named) == MAX_LINKS:
            break
    return tuple((named or called).values())[:MAX_LINKS]


def _named(page: Fetched, _limits: Limits, _allow_hosts: frozenset[str]) -> Iterable[str]:
    return links(page.body, page.url)


def _usual(page: Fetched, _limits: Limits, _allow_hosts: frozenset[str]) -> Iterable[str]:
    """Where feeds usually are: below the page, then below its site."""
    folder, _, last = urlsplit(page.url).path.rstrip("/").rpartition("/")
    below = folder if "." in last else f"{folder}/{last}".rstrip("/")
    paths = dict.fromkeys(f"{at}{name}" for at in (below, "") for name in USUAL_PATHS)
    return (absolute(path, page.url).geturl() for path in paths)


def _sitemaps(page: Fetched, limits: Limits, allow_hosts: frozenset[str]) -> Iterable[str]:
    """The sitemaps of news that the site's robots.txt names."""
    answer = _get(robots.address(robots.origin(page.url)), limits, allow_hosts)
    found = _SITEMAP.findall(answer.body[: robots.MAX_SIZE].decode("utf-8", "replace"))
    return _of_news(found, page.url)


def _listed(index: Fetched) -> list[str]:
    """The sitemaps of news in an index of sitemaps."""
    found = _LOC.findall(index.body[:_MAX_PAGE].decode("utf-8", "replace"))
    return _of_news(map(html.unescape, found), index.url)


def _of_news(addresses: Iterable[str], base: str) -> list[str]:
    found = []
    for address in addresses:
        with suppress(BadAddressError):
            found.append(absolute(address, base).geturl())
    # One that is not called so may be an index of one that is.
    return sorted(dict.fromkeys(found), key=lambda url: "news" not in url.lower())[:_MAX_SITEMAPS]


def language_of(tag: str, fallback: str) -> str:
    """The language that a feed's tag (`en-US`) names, else `fallback`."""
    said = _LANGUAGE.match(tag.lower())
    return said[0] if said is not None else fallback


def spoken(entries: Iterable[Candidate | Reject], said: str) -> str:
    """The language of most entries, which many a feed of a standard installation states wrongly."""
    languages = Counter(e.article.language for e in entries if isinstance(e, Candidate))
    (most, count), *_ = languages.most_common(1) or [(said, 0)]
    return most if 2 * count > languages.total() else said


def _get(url: str, limits: Limits, allow_hosts: frozenset[str]) -> Fetched:
    feed = Feed(
        id="discovery", url=url, title=url[:200], language="en", kind="press", rank=9, allow_hosts=allow_hosts
    )
    (fetched,) = fetch_all([(feed, Validators())], limits)
    return fetched


def _ask(url: str, limits: Limits, allow_hosts: frozenset[str]) -> tuple[Fetched, Offer | Miss]:
    fetched = _get(url, limits, allow_hosts)
    if fetched.kind != "ok":
        return fetched, Miss(url=url, why=f"{fetched.reason or fetched.kind}: {fetched.detail}")
    parsed = parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
    if parsed.problem is not None:
        return fetched, Miss(url=url, why=f"{parsed.problem}: {parsed.detail}")
    return fetched, Offer(url=fetched.moved_to or url, parsed=parsed)
