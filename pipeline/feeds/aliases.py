"""Addresses of one article: which of those that pages call their own (`rel=canonical`) are believed.

Pure. A canonical address is a claim, and sites make wrong ones: every page calls the home page canonical, or
every article its section. What is not clearly an article's address on the same site is not believed, and an
address that is known as an article stays one: a wrong merger loses an article, a missed one doubles it.
`og:url` is no claim of identity and is not looked at.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec.structs import replace

from pipeline.feeds.address import BadAddressError, absolute, canonical, clean
from pipeline.feeds.identify import article_id
from pipeline.feeds.markup import tags
from pipeline.feeds.outcomes import Candidate, Known, Reject
from pipeline.feeds.values import Feed

_BODY = re.compile(r"<body[\s>]", re.IGNORECASE)
# They show pages of any site, whose host stands in their path.
_AMP_CACHES = re.compile(r"(?:^|\.)cdn\.ampproject\.org$|^(?:www\.)?google\.com$")
# A section's name is one word or two, an article's address has more, or a number.
_TELLING_WORDS = 3


def named_by_page(markup: str, address: str, link: str) -> str | None:
    """The address that the page at `address`, which an entry's `link` led to, gives itself, if believed."""
    body = _BODY.search(markup)
    base, found = address, dict[str, str]()
    for name, attributes in tags(markup[: body.start()] if body else markup, "base", "link"):
        with suppress(BadAddressError):
            if name == "base":
                base = absolute(attributes.get("href", ""), base).geturl()
            elif "canonical" in attributes.get("rel", "").lower().split() and attributes.get("href"):
                url = clean(attributes["href"], base)
                found[canonical(url)] = url
    if len(found) != 1:
        return None
    ((identity, url),) = found.items()
    its, owns = urlsplit(identity), [urlsplit(canonical(own)) for own in (link, address)]
    return url if any(_same_site(its, own) and _is_article(its, own) for own in owns) else None


def _same_site(name: SplitResult, own: SplitResult) -> bool:
    """Whether one host is the other or below it; a list of public suffixes would add only their siblings."""
    hosts = [own.netloc]
    if _AMP_CACHES.search(own.netloc):
        hosts = own.path.split("/")
    return any(
        "." in min(name.netloc, host, key=len)
        and (name.netloc == host or name.netloc.endswith(f".{host}") or host.endswith(f".{name.netloc}"))
        for host in hosts
    )


def _is_article(name: SplitResult, own: SplitResult) -> bool:
    """Whether an address looks like that of one article rather than of a home page or section."""
    if f"{own.path}/".startswith(f"{name.path.rstrip('/')}/") and name.path != own.path:
        return False
    last = unquote(name.path.rpartition("/")[2])
    if last and last == unquote(own.path.rpartition("/")[2]):
        return True
    return any(map(str.isdigit, last + name.query)) or len(re.findall(r"[^-_.]+", last)) >= _TELLING_WORDS


def ids(entries: Iterable[Candidate | Reject]) -> set[str]:
    """The ids of which the memory is needed to decide these entries."""
    candidates = [entry for entry in entries if isinstance(entry, Candidate)]
    named = {article_id(c.canonical) for c in candidates if c.canonical is not None}
    return named | {c.article.article_id for c in candidates}


def settle(
    feed: Feed, entries: Iterable[Candidate | Reject], known: Mapping[str, Known]
) -> tuple[tuple[Candidate | Reject, ...], dict[str, str]]:
    """The entries with the identities that count, and which ids have become aliases of which by this."""
    entries = tuple(_resolved(entry, known) for entry in entries)
    candidates = [entry for entry in entries if isinstance(entry, Candidate)]
    claims = {c.position: target for c in candidates if (target := _claim(feed, c, known)) is not None}
    moving = {c.article.article_id for c in candidates if c.position in claims}
    titles = defaultdict[str, set[str]](set)
    for c in candidates:
        titles[claims.get(c.position, c.article.article_id)].add(c.title_digest)
    settled, aliases = list[Candidate | Reject](), dict[str, str]()
    for entry in entries:
        target = claims.get(entry.position)
        # One address for several articles is none of theirs; nor is that of one which is moving itself.
        if isinstance(entry, Reject) or target is None or target in moving or len(titles[target]) > 1:
            settled.append(entry)
        else:
            settled.append(_moved(entry, target))
            aliases[entry.article.article_id] = target
    return tuple(settled), aliases


def _resolved(entry: Candidate | Reject, known: Mapping[str, Known]) -> Candidate | Reject:
    """The entry as the article that its address is known to be another one of."""
    old = known.get(entry.article.article_id) if isinstance(entry, Candidate) else None
    if isinstance(entry, Reject) or old is None or old.same_as is None:
        return entry
    return _moved(entry, old.same_as)


def _claim(feed: Feed, candidate: Candidate, known: Mapping[str, Known]) -> str | None:
    """The id that a new entry's page claims for it, unless it is that of another article of this feed."""
    own = candidate.article.article_id
    if candidate.canonical is None or own in known:
        return None
    target = article_id(candidate.canonical)
    there = known.get(target)
    if there is not None and there.same_as is not None:
        target, there = there.same_as, known.get(there.same_as)
    if there is not None and feed.id in there.carriers and there.title_digest != candidate.title_digest:
        return None
    return target if target != own else None


def _moved(candidate: Candidate, target: str) -> Candidate:
    url = candidate.article.url
    if candidate.canonical is not None and article_id(candidate.canonical) == target:
        url = candidate.canonical
    return replace(candidate, article=replace(candidate.article, article_id=target, url=url))
