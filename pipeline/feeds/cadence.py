"""What a feed does next: the one function that turns a poll's outcome into the feed's new state. Pure.

Call it after the poll's messages are acknowledged and write its result together with the memory. Where
publishing failed, write nothing: the feed stays due, and the validators that would hide its articles are
not kept.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from pipeline.feeds.address import host_of
from pipeline.feeds.values import Decision, FeedState, Fetched, Hints, ParsedFeed, Validators


class Bounds(Struct, frozen=True, kw_only=True):
    """How often a feed is polled: never sooner than `floor`, never later than `ceiling`, `start` at first."""

    floor: timedelta = timedelta(minutes=5)
    start: timedelta = timedelta(minutes=30)
    ceiling: timedelta = timedelta(hours=12)


# A server may ask for patience, but one bad header must not park a feed for good.
LONGEST_PATIENCE = timedelta(days=2)

# Failing feeds come back from what looks like death (mediacloud/rss-fetcher raised its limit from 4 to 30):
# they are asked ever more seldom, but always at least this often.
LONGEST_BACKOFF = timedelta(days=1)


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
    hosts failed at once that the fault is ours: such a failure is not held against the feed.
    """
    if fetched.kind == "held":
        return replace(state, next_poll_at=now + (patience(fetched) or bounds.floor))
    polled = replace(state, last_attempt_at=now)
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
        if our_outage:
            why = "no host could be reached: our own network seems to be down"
            return replace(polled, detail=why, next_poll_at=now + bounds.floor)
        return _failed(polled, fetched.reason, fetched.detail, patience(fetched), now, bounds)
    if fetched.kind == "ok" and parsed is not None and parsed.problem is not None:
        return _failed(polled, parsed.problem, parsed.detail, None, now, bounds)

    if parsed is not None and decision is not None:
        news = decision.counts["article"] + decision.counts["revision"]
        polled = replace(
            polled,
            status="ok" if parsed.entries else "empty",
            reason=None,
            detail=None,
            last_body_at=now,
            last_new_at=now if news else state.last_new_at,
            hints=parsed.hints,
        )
    elif state.status not in ("ok", "empty"):
        # Nothing new does not make a failed feed healthy: only a body that is a feed does.
        return _failed(polled, state.reason, state.detail, None, now, bounds)
    else:
        news = 0
        if fetched.kind == "unchanged":
            polled = replace(polled, last_body_at=now)
    interval = state.interval or bounds.start
    interval = max(bounds.floor, min(interval / 2 if news else interval * 1.5, bounds.ceiling))
    return replace(
        polled,
        failures=0,
        validators=fetched.validators,
        interval=interval,
        last_success_at=now,
        next_poll_at=_welcome(now, interval, polled.hints, fetched.fresh_for, bounds),
    )


def patience(fetched: Fetched) -> timedelta | None:
    """How long a server wants to be left alone, within what is granted; None where it does not say."""
    if fetched.retry_after is None:
        return None
    return timedelta(seconds=min(fetched.retry_after, LONGEST_PATIENCE.total_seconds()))


def is_our_outage(results: Iterable[Fetched]) -> bool:
    """Whether so many hosts could not even be reached that the fault is ours: all of three or more."""
    hosts, reached = set(), set()
    for fetched in results:
        if fetched.kind == "held":
            continue
        host = host_of(fetched.url)
        hosts.add(host)
        if fetched.reason not in ("connect", "timeout"):
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
    return replace(
        state, status="failing", reason=reason, detail=detail, failures=failures, next_poll_at=now + wait
    )
