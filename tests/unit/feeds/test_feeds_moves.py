"""Permanent redirects: when they are believed, and when they are taken back."""

from datetime import timedelta

import pytest
from msgspec import convert, to_builtins
from msgspec.structs import replace

from pipeline.feeds.cadence import Bounds, next_state
from pipeline.feeds.decide import decide
from pipeline.feeds.moves import BELIEVED_AFTER, BELIEVED_POLLS, GIVEN_UP_AFTER, duplicate
from pipeline.feeds.values import Entry, FeedState, Fetched, ParsedFeed
from tests.unit.feeds.feed_factory import NOW, a_candidate, a_feed

NEW = "https://new.example/feed"
OTHER = "https://other.example/feed"
PARSED = ParsedFeed(base=NEW, format="rss20", entries=(Entry(title="t"),))
DECISION = decide(a_feed(), [a_candidate()], {})
OK = Fetched(kind="ok", url=NEW, status=200)
SAME = Fetched(kind="unchanged", url=NEW, status=200)
FAILED = Fetched(kind="failed", url=NEW, status=503, reason="http-503", detail="503")
GONE = Fetched(kind="gone", url=NEW, status=410, detail="410")
HALF_A_DAY = timedelta(hours=12)


def polled(*fetched: Fetched, state: FeedState | None = None, every: timedelta = HALF_A_DAY) -> FeedState:
    """The state after these polls, one after the other."""
    state = state or FeedState(feed_id="paper")
    for n, one in enumerate(fetched):
        document = (PARSED, DECISION) if one.kind == "ok" else (None, None)
        state = next_state(state, one, *document, now=NOW + n * every, bounds=Bounds())
    return state


def moved(to: str, fetched: Fetched = OK) -> Fetched:
    return replace(fetched, moved_to=to)


MOVED = polled(*[moved(NEW)] * BELIEVED_POLLS)


def test_a_permanent_redirect_is_believed_once_it_has_held_for_a_while() -> None:
    before = polled(*[moved(NEW)] * (BELIEVED_POLLS - 1))
    assert (before.moved_to, before.moving and before.moving.to) == (None, NEW)
    assert (MOVED.moved_to, MOVED.moving, MOVED.status) == (NEW, None, "ok")
    assert polled(moved(NEW), *[moved(NEW, SAME)] * (BELIEVED_POLLS - 1)).moved_to == NEW


@pytest.mark.parametrize(
    "fetched",
    [
        [moved(NEW)] * 20,  # in less than two days
        [moved(f"{NEW}?session={n}") for n in range(20)],
        [*[moved(NEW)] * 4, OK, *[moved(NEW)] * 4],
        [*[moved(NEW)] * 4, moved(OTHER), *[moved(NEW)] * 4],
        [moved(f"{NEW}?{'x' * 2048}")] * 20,
        [OK, *[moved(NEW, FAILED)] * 20],
    ],
    ids=["in-a-hurry", "each-elsewhere", "interrupted", "to-and-fro", "too-long", "leads-to-no-feed"],
)
def test_other_redirects_are_not_believed(fetched: list[Fetched]) -> None:
    assert polled(*fetched, every=BELIEVED_AFTER / 20 - timedelta(seconds=1)).moved_to is None


def test_a_hiccup_does_not_start_it_over() -> None:
    assert polled(*[moved(NEW)] * 3, FAILED, moved(NEW), moved(NEW)).moved_to == NEW


def test_a_feed_may_move_on() -> None:
    assert polled(*[moved(OTHER)] * BELIEVED_POLLS, state=MOVED).moved_to == OTHER


def test_the_registered_address_is_asked_again_where_the_new_one_fails() -> None:
    assert polled(*[FAILED] * (GIVEN_UP_AFTER - 1), state=MOVED).moved_to == NEW
    assert polled(*[FAILED] * (GIVEN_UP_AFTER - 1), OK, FAILED, state=MOVED).moved_to == NEW
    assert polled(*[FAILED] * GIVEN_UP_AFTER, state=MOVED).moved_to is None


def test_gone_from_where_it_moved_to_is_not_gone_for_good() -> None:
    once = polled(GONE, state=MOVED)
    assert (once.moved_to, once.status, once.reason) == (None, "failing", "http-410")
    assert once.next_poll_at is not None
    twice = polled(GONE, state=once)
    assert (twice.status, twice.next_poll_at) == ("gone", None)


def test_our_own_outage_moves_nothing() -> None:
    state = MOVED
    for _ in range(GIVEN_UP_AFTER):
        state = next_state(state, FAILED, None, None, now=NOW, bounds=Bounds(), our_outage=True)
    assert state.moved_to == NEW


def test_a_feed_that_moved_to_where_another_is_polled_is_polled_no_more() -> None:
    state = duplicate(MOVED, "other")
    assert (state.status, state.next_poll_at) == ("duplicate", None)
    assert state.detail == f"it moved to {NEW}, where other is polled already"


def test_moves_are_stored() -> None:
    for state in (MOVED, polled(moved(NEW))):
        assert convert(to_builtins(state), FeedState) == state
