"""What, if anything, a feed wants of its operator, in plain words. Pure."""

from datetime import timedelta
from typing import Literal

from pipeline.feeds.values import RECENT, FeedState, Value

Trouble = Literal["dead", "blocked", "not-a-feed", "silent", "moved", "useless"]

# What is no answer to go by.
BAD = frozenset({"failing", "blocked", "not-a-feed", "gone"})

# A hiccup of a few polls mends itself: by then a feed has failed for hours.
PERSISTENT = 5
# Of fewer articles none need be about the race.
TELLING = 20


class Complaint(Value, frozen=True, kw_only=True):
    """A feed that needs attention: what it is, and why."""

    feed_id: str
    trouble: Trouble
    why: str


def complaint(state: FeedState, *, articles: int, core: int) -> Complaint | None:
    """What is wrong with a feed, or None. `articles` are the recent ones with a verdict, `core` of them."""

    def because(trouble: Trouble, why: str) -> Complaint:
        return Complaint(feed_id=state.feed_id, trouble=trouble, why=why)

    said = state.detail or state.reason or "no reason was given"
    last = f"{state.last_success_at:%Y-%m-%d}" if state.last_success_at else "never"
    if state.status == "gone":
        return because("dead", said)
    if state.status == "blocked":
        return because("blocked", f"{said}; last success: {last}")
    if state.status == "not-a-feed":
        return because("not-a-feed", f"{said}; last success: {last}")
    if state.status == "failing" and state.failures >= PERSISTENT:
        return because("dead", f"{state.failures} polls failed in a row, {said}; last success: {last}")
    if state.silent_since is not None:
        since = f"{state.silent_since:%Y-%m-%d %H:%M}"
        return because(
            "silent", f"it answers, and has posted nothing since {since}, far longer than its rhythm"
        )
    if state.status == "duplicate":
        return because("moved", f"{said}; take one of the two out of the registry")
    if state.moved_to is not None:
        return because("moved", f"it is asked at {state.moved_to} now; write that into the registry")
    if articles >= TELLING and not core:
        return because("useless", f"none of its {articles} articles of the last {RECENT.days} days was core")
    if state.rhythm.last is None and (answered := _answered_for(state)) >= RECENT:
        return because("useless", f"it has answered for {answered.days} days and given no article")
    return None


def _answered_for(state: FeedState) -> timedelta:
    if state.first_success_at is None or state.last_success_at is None:
        return timedelta(0)
    return state.last_success_at - state.first_success_at


def standing(state: FeedState, *, removed: bool) -> str:
    """Where a feed stands, in a word: its status, or what matters more."""
    if removed:
        return "removed"
    return "silent" if state.silent_since is not None and state.status in ("ok", "empty") else state.status


def in_words(state: FeedState, *, articles: int, core: int) -> str:
    """What is to be said of a feed beside its figures: what is wrong, else what its last poll noted."""
    found = complaint(state, articles=articles, core=core)
    return found.why if found is not None else state.detail or state.reason or ""


def change(before: FeedState, after: FeedState) -> str | None:
    """What a poll changed of a feed's standing, as the rest of a sentence about it; None where nothing."""
    was, now = (standing(state, removed=False) for state in (before, after))
    said = after.detail or after.reason or "no reason was given"
    if now in BAD and was != now:
        return f"is {now} now: {said}"
    if was in BAD and now not in BAD:
        return f"answers again, after {before.failures} failed polls"
    if after.silent_since is not None and before.silent_since is None:
        return f"has gone silent: nothing since {after.silent_since:%Y-%m-%d %H:%M}"
    if after.silent_since is None and before.silent_since is not None:
        return "posts again"
    if after.gaps > before.gaps:
        return f"may have lost entries: {said}"
    if after.moved_to is not None and after.moved_to != before.moved_to:
        return f"has moved: it is asked at {after.moved_to} now"
    return "has no entries any more" if (was, now) == ("ok", "empty") else None
