"""What a feed does next: the one function that turns a poll's outcome into the feed's new state. Pure.

Call it after the poll's messages are acknowledged and write its result together with the memory. Where
publishing failed, write nothing: the feed stays due, and the validators that would hide its articles are
not kept.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from pipeline.feeds import moves
from pipeline.feeds.address import host_of
from pipeline.feeds.outcomes import Decision
from pipeline.feeds.rhythm import is_silent, learn, until
from pipeline.feeds.values import FeedState, FeedStatus, Fetched, Hints, ParsedFeed, Validators


class Bounds(Struct, frozen=True, kw_only=True):
    """How often a feed is polled: never sooner than `floor`, never later than `ceiling`, `start` at first.

    What is due is looked for `every` so often.
    """

    floor: timedelta = timedelta(minutes=5)
    start: timedelta = timedelta(minutes=30)
    ceiling: timedelta = timedelta(hours=12)
    every: timedelta = timedelta(minutes=1)


# A server may ask for patience, but one bad header must not park a feed for good.
LONGEST_PATIENCE = timedelta(days=2)

# Failing feeds come back from what looks like death (mediacloud/rss-fetcher raised its limit from 4 to 30):
# they are asked ever more seldom, but always at least this often.
LONGEST_BACKOFF = timedelta(days=1)

# A feed whose rhythm is known is polled when half an article is to be expected.
_NEWS_A_POLL = 0.5

_BLOCKED = frozenset({"http-401", "http-403", "http-451", "challenge"})
_NOT_A_FEED = frozenset({"html", "not-a-feed", "empty-body", "sitemap-index", "sitemap-without-news"})

# So many feeds are no crowd, and are all polled in the first round.
AT_ONCE = 300

_GAP = "its oldest entry is newer than all seen before: entries may have been lost in between"

_OUTAGE = "no host could be reached: our own network seems to be down"


def next_state(
    state: FeedState,
    fetched: Fetched,
    parsed: ParsedFeed | None,
    decision: Decision | None,
    *,
    now: datetime,
    bounds: Bounds,
    our_outage: bool = False,
) -> FeedState:
    """The state of a feed after a poll.

    `parsed` and `decision` are those of an `ok` fetch, None for every other. `our_outage` says that so many
    hosts failed at once that the fault is ours: such a failure is not held against the feed, nor is one of
    our proxy.
    """
    if fetched.kind == "held":
        return replace(state, next_poll_at=now + (_patience(fetched) or bounds.floor))
    polled = replace(state, last_attempt_at=now)
    if fetched.kind == "gone" and state.moved_to is not None:
        # Gone from where it moved to: its registered address is asked before it is believed to be dead.
        return _failed(replace(polled, moved_to=None), "http-410", fetched.detail, None, now, bounds)
    if fetched.kind == "gone":
        return replace(
            polled,
            status="gone",
            reason="gone",
            detail=fetched.detail,
            next_poll_at=None,
            validators=Validators(),
        )
    if fetched.kind == "failed":
        ours = fetched.detail if fetched.reason == "proxy" else _OUTAGE if our_outage else None
        if ours is not None:
            return replace(polled, detail=ours, next_poll_at=now + bounds.floor)
        return _failed(polled, fetched.reason, fetched.detail, _patience(fetched), now, bounds)
    if fetched.kind == "ok" and parsed is not None and parsed.problem is not None:
        return _failed(polled, parsed.problem, parsed.detail, None, now, bounds)

    if parsed is not None and decision is not None:
        news = decision.counts["article"] + decision.counts["revision"] > 0
        missed = _reaches_not_back(state, parsed, decision)
        polled = replace(
            polled,
            status="ok" if parsed.entries or parsed.seen else "empty",
            reason=None,
            detail=_GAP if missed else None,
            last_body_at=now,
            last_new_at=now if news else state.last_new_at,
            hints=parsed.hints,
            rhythm=learn(state.rhythm, _appeared(decision, now)),
            oldest_at=min(_dates(parsed), default=None),
            gaps=state.gaps + missed,
        )
    elif state.status not in ("ok", "empty"):
        # Nothing new does not make a failed feed healthy: only a body that is a feed does.
        return _failed(polled, state.reason, state.detail, None, now, bounds)
    else:
        news = False
        # What was said of the last document has been read by now.
        polled = replace(polled, detail=None)
        if fetched.kind == "unchanged":
            polled = replace(polled, last_body_at=now)
    polled = moves.arrived(polled, fetched, now)
    interval = _interval(polled, news, now, bounds)
    return replace(
        polled,
        failures=0,
        validators=fetched.validators,
        interval=interval,
        first_success_at=state.first_success_at or now,
        last_success_at=now,
        silent_since=polled.rhythm.last if is_silent(polled.rhythm, now) else None,
        next_poll_at=_welcome(now, interval, polled.hints, fetched.fresh_for, bounds),
    )


def held_until(results: Iterable[Fetched], now: datetime) -> dict[str, datetime]:
    """The hosts of which no feed is to be asked, and until when: the longest that one of them said."""
    held: dict[str, datetime] = {}
    for fetched in results:
        if fetched.holds_host and (wait := _patience(fetched)) is not None:
            host = host_of(fetched.url)
            held[host] = max(now + wait, held.get(host, now))
    return held


def _patience(fetched: Fetched) -> timedelta | None:
    """How long a server wants to be left alone, within what is granted; None where it does not say."""
    if fetched.retry_after is None:
        return None
    return timedelta(seconds=min(fetched.retry_after, LONGEST_PATIENCE.total_seconds()))


def _appeared(decision: Decision, now: datetime) -> list[datetime]:
    """When what is new in this feed appeared, also what others carried before."""
    found = [o.article for o in decision.outcomes if o.article is not None and o.kind != "revision"]
    return [a.published_at if a.published_precision == "second" else now for a in found]


def _dates(parsed: ParsedFeed) -> list[datetime]:
    new = (entry.published for entry in parsed.entries if entry.precision == "second")
    return [date for date in (*new, *(entry.published for entry in parsed.seen)) if date is not None]


def _reaches_not_back(state: FeedState, parsed: ParsedFeed, decision: Decision) -> bool:
    """Whether entries may have come and gone between the document before and this one: all of it is new."""
    seen = parsed.seen or decision.counts["unchanged"] + decision.counts["revision"]
    if state.rhythm.last is None or seen or not decision.messages:
        return False
    # A feed that changed its addresses is new to the last entry and yet reaches back.
    dates = _dates(parsed)
    return not dates or min(dates) > state.rhythm.last


def _interval(state: FeedState, news: bool, now: datetime, bounds: Bounds) -> timedelta:
    """The time to the next poll of a healthy feed."""
    learned = until(state.rhythm, now, _NEWS_A_POLL, bounds.ceiling)
    if learned is None:  # a feed that is not known yet: sooner with news, later without
        before = state.interval or bounds.start
        learned = before / 2 if news else before * 1.5
    if state.oldest_at is not None:
        # A document that holds three hours is gone in three: twice in its span, so that none is missed.
        learned = min(learned, (now - state.oldest_at) / 2)
    return max(bounds.floor, min(learned, bounds.ceiling))


def a_round(registered: int, bounds: Bounds) -> int:
    """How many feeds are polled in one round at most.

    After an install or an outage everything is due: a large registry is then spread over the shortest
    interval, of which each round has its share. Never fewer than feeds can come due in a round.
    """
    share = 1.0 if bounds.every >= bounds.floor else bounds.every / bounds.floor
    return max(AT_ONCE, ceil(registered * share))


def is_our_outage(results: Iterable[Fetched]) -> bool:
    """Whether so many hosts could not even be reached that the fault is ours: all of three or more."""
    hosts, reached = set(), set()
    for fetched in results:
        if fetched.kind == "held":
            continue
        host = host_of(fetched.url)
        hosts.add(host)
        if fetched.reason not in ("connect", "timeout", "proxy"):
            reached.add(host)
    return len(hosts) >= 3 and not reached


def _welcome(
    now: datetime, interval: timedelta, hints: Hints, fresh_for: float | None, bounds: Bounds
) -> datetime:
    """When a feed is polled again: after the interval, or later where it or its server asks for that.

    No hint moves a poll beyond the ceiling, skipped hours and days not beyond `LONGEST_PATIENCE`: where all
    until then are skipped, none is.
    """
    fresh = timedelta(seconds=min(fresh_for or 0.0, bounds.ceiling.total_seconds()))
    due = now + max(interval, min(max(hints.ttl or timedelta(0), fresh), bounds.ceiling))
    moment = due
    while moment.hour in hints.skip_hours or moment.weekday() in hints.skip_days:
        moment = moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        if moment > now + LONGEST_PATIENCE:
            return due
    return moment


def _failed(
    state: FeedState,
    reason: str | None,
    detail: str | None,
    asked: timedelta | None,
    now: datetime,
    bounds: Bounds,
) -> FeedState:
    failures = state.failures + 1
    # From the floor up, so that a hiccup costs minutes. 2 ** 20 exceeds every bound and is never exceeded, so
    # that a feed dead for years does not overflow.
    wait = min(bounds.floor * 2 ** min(failures, 20), max(bounds.ceiling, LONGEST_BACKOFF))
    wait = max(wait, asked or wait)
    status: FeedStatus = "failing"
    if reason in _BLOCKED:
        status = "blocked"
    elif reason in _NOT_A_FEED:
        status = "not-a-feed"
    return moves.lost(
        replace(
            state, status=status, reason=reason, detail=detail, failures=failures, next_poll_at=now + wait
        )
    )
