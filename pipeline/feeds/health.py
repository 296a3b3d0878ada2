"""What, if anything, a feed wants of its operator, in plain words. Pure."""

from typing import Literal

from pipeline.feeds.values import FeedState, Value

Trouble = Literal["dead", "blocked", "not-a-feed", "silent", "moved", "useless"]

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
    """What is wrong with a feed, or None. `articles` and `core` ones are those of its last 30 days."""

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
        return because("useless", f"none of its {articles} articles of the last 30 days was core")
    return None
