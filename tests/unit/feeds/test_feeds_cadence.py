"""What a feed does next."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from msgspec import convert, to_builtins
from msgspec.structs import replace

from pipeline.feeds.cadence import (
    AT_ONCE,
    LONGEST_BACKOFF,
    LONGEST_PATIENCE,
    Bounds,
    a_round,
    held_until,
    is_our_outage,
    next_state,
)
from pipeline.feeds.decide import decide
from pipeline.feeds.outcomes import Decision
from pipeline.feeds.values import Entry, FeedState, Fetched, Hints, ParsedFeed, Rhythm, Seen, Validators
from tests.unit.feeds.feed_factory import NOW, a_candidate, a_feed

BOUNDS = Bounds(floor=timedelta(minutes=10), start=timedelta(hours=1), ceiling=timedelta(hours=8))
URL = "https://paper.example/feed.xml"
TAG = Validators(etag='"1"', body_hash="1")
OK = Fetched(kind="ok", url=URL, status=200, validators=TAG)
NOT_MODIFIED = Fetched(kind="not-modified", url=URL, status=304, validators=TAG)
FAILED = Fetched(kind="failed", url=URL, status=503, reason="http-503", detail="503")
PARSED = ParsedFeed(base=URL, format="rss20", entries=(Entry(title="t"),))
HTML = ParsedFeed(base=URL, problem="html", detail="a page")
NOTHING = Decision(outcomes=(), memory=())
NEWS = decide(a_feed(), [a_candidate()], {})
NEW = FeedState(feed_id="paper")


def step(
    state: FeedState,
    fetched: Fetched,
    parsed: ParsedFeed | None = None,
    decision: Decision = NOTHING,
    *,
    ours: bool = False,
) -> FeedState:
    return next_state(state, fetched, parsed, decision, now=NOW, bounds=BOUNDS, our_outage=ours)


HEALTHY = step(NEW, OK, PARSED)


def test_news_shortens_the_interval_to_the_floor_and_silence_lengthens_it_to_the_ceiling() -> None:
    state = step(NEW, OK, PARSED, NEWS)
    assert (state.interval, state.next_poll_at) == (timedelta(minutes=30), NOW + timedelta(minutes=30))
    for _ in range(20):
        state = step(state, OK, PARSED, NEWS)
    assert state.interval == BOUNDS.floor
    for _ in range(20):
        state = step(state, NOT_MODIFIED)
    assert state.interval == BOUNDS.ceiling


def test_a_good_poll_keeps_validators_and_clears_failures() -> None:
    state = step(step(NEW, FAILED), OK, PARSED, NEWS)
    assert (state.status, state.failures, state.reason, state.validators) == ("ok", 0, None, TAG)
    assert state.last_success_at == state.last_new_at == state.last_body_at == NOW


@pytest.mark.parametrize(
    ("fetched", "parsed", "status", "reason"),
    [
        (FAILED, None, "failing", "http-503"),
        (OK, HTML, "not-a-feed", "html"),
        (OK, replace(HTML, problem="challenge"), "blocked", "challenge"),
        (OK, replace(HTML, problem="sitemap-index"), "not-a-feed", "sitemap-index"),
        (OK, replace(HTML, problem="entities"), "failing", "entities"),
        (replace(FAILED, status=403, reason="http-403"), None, "blocked", "http-403"),
        (OK, ParsedFeed(base=URL, format="rss20"), "empty", None),
        (OK, PARSED, "ok", None),
        (NOT_MODIFIED, None, "ok", None),
        (Fetched(kind="gone", url=URL, status=410, detail="gone"), None, "gone", "gone"),
    ],
)
def test_each_way_a_feed_can_answer_is_a_state_of_its_own(
    fetched: Fetched, parsed: ParsedFeed | None, status: str, reason: str | None
) -> None:
    state = step(HEALTHY, fetched, parsed)
    assert (state.status, state.reason) == (status, reason)


def test_validators_of_what_is_no_feed_are_not_kept() -> None:
    assert step(NEW, OK, HTML).validators == Validators()


def test_a_failing_feed_is_asked_unconditionally_and_not_healed_by_an_empty_answer() -> None:
    failing = step(HEALTHY, FAILED)
    assert failing.conditions(NOW) == Validators()
    still = step(failing, NOT_MODIFIED)
    assert (still.status, still.reason, still.failures) == ("failing", "http-503", 2)
    assert step(failing, OK, PARSED).status == "ok"


def test_validators_are_believed_for_a_day() -> None:
    assert HEALTHY.conditions(NOW + timedelta(hours=23)) == TAG
    assert HEALTHY.conditions(NOW + timedelta(hours=25)) == Validators(body_hash="1")
    assert step(HEALTHY, replace(NOT_MODIFIED, kind="unchanged")).last_body_at == NOW


def test_failures_back_off_within_bounds_and_never_stop_a_feed() -> None:
    state, waits = HEALTHY, []
    for _ in range(200):
        state = step(state, FAILED)
        assert state.next_poll_at is not None
        waits.append(state.next_poll_at - NOW)
    assert waits == sorted(waits)
    assert waits[0] < waits[1] < waits[-1] == LONGEST_BACKOFF
    assert state.failures == 200


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        (1.0, timedelta(minutes=20)),
        (36_000.0, timedelta(hours=10)),
        (10.0**9, LONGEST_PATIENCE),
        (float("inf"), LONGEST_PATIENCE),
    ],
)
def test_a_server_may_ask_for_patience_but_not_for_ever(retry_after: float, wait: timedelta) -> None:
    state = step(HEALTHY, replace(FAILED, retry_after=retry_after))
    assert state.next_poll_at == NOW + wait


def test_a_host_is_held_for_the_longest_that_one_of_its_feeds_was_told() -> None:
    busy = replace(FAILED, retry_after=60.0)
    other = replace(busy, url="https://other.example/", retry_after=10.0**9)
    found = held_until([busy, replace(busy, retry_after=90.0), busy, other, OK, FAILED], NOW)
    assert found == {"paper.example": NOW + timedelta(seconds=90), "other.example": NOW + LONGEST_PATIENCE}


def test_a_feed_that_was_not_asked_waits_and_is_otherwise_as_it_was() -> None:
    held = Fetched(kind="held", url=URL, detail="not asked", retry_after=7200.0)
    assert step(HEALTHY, held) == replace(HEALTHY, next_poll_at=NOW + timedelta(hours=2))
    assert step(HEALTHY, replace(held, retry_after=10.0**9)).next_poll_at == NOW + LONGEST_PATIENCE
    assert step(HEALTHY, replace(held, retry_after=None)).next_poll_at == NOW + BOUNDS.floor


def _document(*hours_ago: float, old: int = 0) -> tuple[ParsedFeed, Decision]:
    """A dated document of which all entries but the last `old` are new."""
    dates = [NOW - timedelta(hours=h) for h in hours_ago]
    entries = tuple(Entry(title="t", published=date, precision="second") for date in dates)
    candidates = [
        replace(a_candidate(url=f"https://paper.example/{n}", published=date), position=n)
        for n, date in enumerate(dates)
    ]
    known = {k.article_id: k for k in decide(a_feed(), candidates[len(dates) - old :], {}).memory}
    return ParsedFeed(base=URL, format="rss20", entries=entries), decide(a_feed(), candidates, known)


def test_a_document_that_does_not_reach_back_to_the_one_before_is_a_gap() -> None:
    first = step(NEW, OK, *_document(20, 30))
    assert (first.gaps, first.detail, first.rhythm.last) == (0, None, NOW - timedelta(hours=20))
    gap = step(first, OK, *_document(0.1, 0.4))
    assert gap.gaps == 1
    assert gap.detail is not None
    assert gap.interval == timedelta(minutes=12)  # half of what the document holds
    assert step(gap, NOT_MODIFIED).detail is None


@pytest.mark.parametrize(
    "document",
    [
        _document(1, 2, old=1),  # an entry that was there before
        _document(1, 25),  # new addresses for old entries
        (ParsedFeed(base=URL, format="rss20"), NOTHING),
    ],
)
def test_a_document_that_reaches_back_is_no_gap(document: tuple[ParsedFeed, Decision]) -> None:
    assert step(step(NEW, OK, *_document(20, 30)), OK, *document).gaps == 0


def test_a_feed_that_answers_and_has_gone_quiet_is_silent_until_it_posts() -> None:
    daily = step(NEW, OK, *_document(*(24.0 * day for day in range(10, 40))))
    assert daily.silent_since == NOW - timedelta(days=10)
    assert step(daily, NOT_MODIFIED).silent_since == NOW - timedelta(days=10)
    assert step(daily, FAILED).silent_since == NOW - timedelta(days=10)
    posted = step(daily, OK, *_document(0, 240, old=1))
    assert (posted.silent_since, posted.status) == (None, "ok")


def test_states_that_older_versions_wrote_are_read() -> None:
    older = {"feed_id": "paper", "status": "ok", "interval": "PT1800S", "failures": 0}
    assert convert(older, FeedState) == FeedState(
        feed_id="paper", status="ok", interval=timedelta(minutes=30)
    )
    assert convert(to_builtins(HEALTHY), FeedState) == HEALTHY


def test_only_gone_retires_a_feed() -> None:
    assert step(HEALTHY, Fetched(kind="gone", url=URL, status=410, detail="gone")).next_poll_at is None


def test_our_own_outage_condemns_no_feed() -> None:
    state = step(HEALTHY, replace(FAILED, status=None), ours=True)
    assert (state.status, state.failures, state.next_poll_at) == ("ok", 0, NOW + BOUNDS.floor)


def test_a_proxy_that_does_not_work_is_not_held_against_a_feed() -> None:
    state = step(HEALTHY, replace(FAILED, status=None, reason="proxy", detail="no connection to the proxy"))
    assert (state.status, state.failures, state.next_poll_at) == ("ok", 0, NOW + BOUNDS.floor)
    assert state.detail == "no connection to the proxy"
    assert step(state, NOT_MODIFIED).detail is None


def _unreachable(host: str) -> Fetched:
    return Fetched(kind="failed", url=f"https://{host}/feed", reason="connect", detail="no route")


def test_what_is_due_at_once_is_spread_over_the_shortest_interval() -> None:
    bounds = Bounds(floor=timedelta(minutes=5), every=timedelta(minutes=1))
    assert a_round(109, bounds) == AT_ONCE >= 109  # no crowd
    assert a_round(5_000, bounds) == 1_000
    assert a_round(5_000, replace(bounds, every=timedelta(hours=1))) == 5_000
    assert a_round(5_000, replace(bounds, floor=timedelta(0))) == 5_000


def test_a_document_with_seen_entries_is_no_empty_one_and_reaches_back() -> None:
    seen = Seen(digest="d", address="a", published=NOW - timedelta(hours=4))
    document = replace(PARSED, entries=(), seen=(seen,))
    state = step(NEW, OK, document, decide(a_feed(), [], {}))
    assert (state.status, state.oldest_at, state.gaps) == ("ok", seen.published, 0)
    posted = replace(HEALTHY, rhythm=Rhythm(last=NOW - timedelta(days=1), events=5.0, exposure=100.0))
    new = replace(PARSED, entries=(Entry(title="t", published=NOW, precision="second"),))
    assert step(posted, OK, new, NEWS).gaps == 1
    assert step(posted, OK, replace(new, seen=(seen,)), NEWS).gaps == 0


def test_an_outage_is_ours_when_no_host_of_several_is_reached() -> None:
    hosts = [_unreachable(host) for host in ("a.example", "b.example", "c.example")]
    assert is_our_outage(hosts)
    assert not is_our_outage(hosts[:2])
    assert not is_our_outage([*hosts, replace(FAILED, url="https://d.example/feed")])
    assert not is_our_outage([_unreachable("a.example")] * 5)
    assert not is_our_outage([replace(host, reason="refused-address") for host in hosts])
    assert is_our_outage([*hosts, Fetched(kind="held", url="https://a.example/2")])


@pytest.mark.parametrize(
    ("ttl", "fresh_for", "wait"),
    [
        (None, 60.0, timedelta(minutes=90)),  # sooner than it is worth: the interval counts
        (timedelta(minutes=1), None, timedelta(minutes=90)),
        (None, 7200.0, timedelta(hours=2)),
        (timedelta(hours=3), 7200.0, timedelta(hours=3)),
        (timedelta(days=9), None, BOUNDS.ceiling),
        (None, float("inf"), BOUNDS.ceiling),
    ],
)
def test_hints_lengthen_the_wait_but_park_no_feed(
    ttl: timedelta | None, fresh_for: float | None, wait: timedelta
) -> None:
    state = step(NEW, replace(OK, fresh_for=fresh_for), replace(PARSED, hints=Hints(ttl=ttl)))
    assert (state.next_poll_at, state.interval) == (NOW + wait, timedelta(minutes=90))


def test_a_feeds_own_hints_outlive_an_answer_without_a_body() -> None:
    state = step(NEW, OK, replace(PARSED, hints=Hints(ttl=timedelta(hours=7))))
    assert step(state, NOT_MODIFIED).next_poll_at == NOW + timedelta(hours=7)
    assert step(state, OK, PARSED).next_poll_at == NOW + timedelta(minutes=135)


@pytest.mark.parametrize(
    ("hours", "days", "expected"),
    [
        ({13}, (), NOW.replace(hour=14)),  # due at 13:30 on a Tuesday
        ({13, 14, 15}, (), NOW.replace(hour=16)),
        ((), {1}, (NOW + timedelta(days=1)).replace(hour=0)),
        ({0, 1}, {1}, (NOW + timedelta(days=1)).replace(hour=2)),
        (range(24), (), NOW + timedelta(minutes=90)),  # all are skipped: none is
        ((), range(7), NOW + timedelta(minutes=90)),
        ((), {1, 2, 3}, NOW + timedelta(minutes=90)),
    ],
)
def test_hours_and_days_that_a_feed_wants_skipped(
    hours: Iterable[int], days: Iterable[int], expected: datetime
) -> None:
    hints = Hints(skip_hours=frozenset(hours), skip_days=frozenset(days))
    assert step(NEW, OK, replace(PARSED, hints=hints)).next_poll_at == expected
