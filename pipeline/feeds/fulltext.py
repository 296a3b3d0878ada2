"""Full text: the pages of entries that are mere teasers are fetched, as politely as feeds, and read.

What a page gives is put into the candidates; what becomes of these is decided elsewhere. A page is asked for
once while its entry says the same, whatever it gave. What did not come to its turn stays a teaser and is
asked for when its feed is read again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from msgspec.structs import replace

from pipeline.feeds import robots
from pipeline.feeds.address import host_of
from pipeline.feeds.aliases import settle
from pipeline.feeds.decide import richest, wants_page
from pipeline.feeds.extract import Extractor
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.guard import RefusedAddressError
from pipeline.feeds.identify import with_text_of_page
from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Known, Reject
from pipeline.feeds.page import Page, is_teaser, read
from pipeline.feeds.values import Feed, Fetched, Robots, Validators, Value

# In one poll, of one feed and of all of its batch, the newest first: a first document may have hundreds.
MAX_PAGES = 20
MAX_PAGES_OF_ALL = 100
# What has not begun by then is left: with the feeds before and the slowest page after, well within a lease.
_PATIENCE = 60.0
# Pages are less patiently waited for than feeds. Of 130 real ones the largest has 1.6 MB.
_TOTAL = 20.0
_MAX_BODY = 3_000_000

LATER = "later"
NO_RULES = "robots-unreachable"
_REFUSED = RefusedAddressError.reason

Entries = tuple[Candidate | Reject, ...]


class Completed(Value, frozen=True, kw_only=True):
    """Documents with what their pages gave.

    `entries` and `pages` are in the order that was given: the entries with texts, and by position what became
    of the pages that were wanted, `page` or the reason for which the teaser stands. `robots` are the rules
    that were asked for, `answers` those of all servers.
    """

    entries: tuple[Entries, ...]
    pages: tuple[Mapping[int, str], ...]
    robots: tuple[Robots, ...] = ()
    answers: tuple[Fetched, ...] = ()


class _Wish(Value, frozen=True, kw_only=True):
    """A page that is wanted for a candidate of the document with this number."""

    document: int
    feed: Feed
    candidate: Candidate

    @property
    def key(self) -> tuple[str, frozenset[str]]:
        """Feeds that carry the same article share its page, but not the hosts they may reach."""
        return self.candidate.article.article_id, self.feed.allow_hosts


def complete(
    documents: Sequence[tuple[Feed, Entries]],
    known: Mapping[str, Known],
    rules: Mapping[str, Robots],
    limits: Limits,
    detector: Detector,
    held: Mapping[str, float] = MappingProxyType({}),
    *,
    now: datetime,
) -> Completed:
    """Read the pages that the documents' feeds want. `rules` are those that are known, by origin.

    `held` hosts want to be left alone for so many seconds.
    """
    # An address that is known as another's is that article, whose page may have been asked for.
    documents = [(feed, settle(feed, given, known)[0]) for feed, given in documents]
    entries = [list(given) for _, given in documents]
    pages: list[dict[int, str]] = [{} for _ in documents]
    wishes, left = _chosen(_wishes(documents, known))
    for wish in left:
        pages[wish.document][wish.candidate.position] = LATER
    limits = replace(limits, total=min(limits.total, _TOTAL), accept="text/html, application/xhtml+xml")
    learned, answers = _ask_rules(wishes, rules, limits, held, now)
    read_rules = {origin: robots.Rules(found) for origin, found in {**rules, **learned}.items()}
    fetched = _ask_pages(wishes, read_rules, limits, held)
    with Extractor() as extractor:
        for wish in wishes:
            page = _page(wish, read_rules, fetched, extractor)
            pages[wish.document][wish.candidate.position] = page.reason or "page"
            if page.reason not in (LATER, NO_RULES):
                entries[wish.document][wish.candidate.position] = with_text_of_page(
                    wish.candidate, page.text, wish.feed, detector, page.canonical
                )
    return Completed(
        entries=tuple(map(tuple, entries)),
        pages=tuple(pages),
        # A refusal is our own: a feed that may reach the host must not find it.
        robots=tuple(r for r, a in zip(learned.values(), answers, strict=True) if a.reason != _REFUSED),
        answers=(*answers, *fetched.values()),
    )


def counted(counts: Mapping[str, int]) -> str:
    """How many pages gave what, for people."""
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def _wishes(documents: Sequence[tuple[Feed, Entries]], known: Mapping[str, Known]) -> Iterable[_Wish]:
    """All that is wanted, of each document the newest first."""
    for number, (feed, entries) in enumerate(documents):
        if feed.full_text:
            wanted = [
                candidate
                for article_id, candidate in richest(entries).items()
                if is_teaser(candidate.article) and wants_page(feed, candidate, known.get(article_id))
            ]
            wanted.sort(key=lambda c: (c.article.published_at, -c.position), reverse=True)
            yield from (_Wish(document=number, feed=feed, candidate=candidate) for candidate in wanted)


def _chosen(wishes: Iterable[_Wish]) -> tuple[list[_Wish], list[_Wish]]:
    """The wishes whose turn it is, and those that are left for another poll."""
    chosen, left, counts = list[_Wish](), list[_Wish](), Counter[int]()
    for wish in wishes:
        counts[wish.document] += 1
        (left if counts[wish.document] > MAX_PAGES else chosen).append(wish)
    chosen.sort(key=lambda wish: wish.candidate.article.published_at, reverse=True)
    return chosen[:MAX_PAGES_OF_ALL], left + chosen[MAX_PAGES_OF_ALL:]


def _ask_rules(
    wishes: Sequence[_Wish],
    rules: Mapping[str, Robots],
    limits: Limits,
    held: Mapping[str, float],
    now: datetime,
) -> tuple[dict[str, Robots], list[Fetched]]:
    """The rules of origins for which there are none yet, reached as any of the feeds that want them may."""
    feeds: dict[str, Feed] = {}
    for wish in wishes:
        origin = robots.origin(wish.candidate.article.url)
        if origin not in rules:
            allowed = wish.feed.allow_hosts | feeds.get(origin, wish.feed).allow_hosts
            feeds[origin] = replace(wish.feed, url=robots.address(origin), allow_hosts=allowed)
    answers = fetch_all(
        [(feed, Validators()) for feed in feeds.values()],
        replace(limits, body=robots.MAX_SIZE, accept="text/plain, */*;q=0.1"),
        held,
        patience=_PATIENCE / 4,
    )
    return {o: robots.understood(o, a, now) for o, a in zip(feeds, answers, strict=True)}, answers


def _ask_pages(
    wishes: Sequence[_Wish],
    rules: Mapping[str, robots.Rules],
    limits: Limits,
    held: Mapping[str, float],
) -> dict[tuple[str, frozenset[str]], Fetched]:
    """The answers for the pages that may be asked for."""
    wanted: dict[tuple[str, frozenset[str]], Feed] = {}
    intervals: dict[str, float] = {}
    for wish in wishes:
        url = wish.candidate.article.url
        rule = rules[robots.origin(url)]
        if rule.allow(url):
            wanted.setdefault(wish.key, replace(wish.feed, url=url))
            intervals[host_of(url)] = rule.delay
    answers = fetch_all(
        [(feed, Validators()) for feed in wanted.values()],
        replace(limits, body=_MAX_BODY),
        held,
        intervals=intervals,
        patience=_PATIENCE,
    )
    return dict(zip(wanted, answers, strict=True))


def _page(
    wish: _Wish,
    rules: Mapping[str, robots.Rules],
    fetched: Mapping[tuple[str, frozenset[str]], Fetched],
    extractor: Extractor,
) -> Page:
    answer = fetched.get(wish.key)
    if answer is None:
        reachable = rules[robots.origin(wish.candidate.article.url)].reachable
        return Page(reason="robots" if reachable else NO_RULES)
    if answer.kind == "held":
        return Page(reason=LATER)
    return read(answer, wish.candidate.article, extractor.main_text)
