"""Feeds that moved: permanent redirects, believed once they have held for a while and taken back when they
lead nowhere. Pure.

A 301 is set by mistake or for an hour more often than for good, so the first one is not believed. Until then,
and after it is taken back, the registered address is asked and redirects are followed each time.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from pipeline.feeds.address import MAX_LENGTH
from pipeline.feeds.values import FeedState, Fetched, Move

# How often and for how long the same redirect must have led to a feed.
BELIEVED_POLLS = 5
BELIEVED_AFTER = timedelta(days=2)
# Where the new address fails so often in a row, the registered one may know better.
GIVEN_UP_AFTER = 3


def arrived(state: FeedState, fetched: Fetched, now: datetime) -> FeedState:
    """The state after a poll that went well: what it says of where the feed is."""
    to = fetched.moved_to
    if to is None or len(to) > MAX_LENGTH:
        return replace(state, moving=None)
    moving = state.moving
    if moving is None or moving.to != to:
        moving = Move(to=to, since=now)
    moving = replace(moving, polls=moving.polls + 1)
    if moving.polls >= BELIEVED_POLLS and now - moving.since >= BELIEVED_AFTER:
        return replace(state, moved_to=to, moving=None)
    return replace(state, moving=moving)


def lost(state: FeedState) -> FeedState:
    """The state after a poll that failed, whose failure is counted in it already."""
    return replace(state, moved_to=None) if state.failures >= GIVEN_UP_AFTER else state


def duplicate(state: FeedState, other: str) -> FeedState:
    """The state of a feed that moved to where the feed `other` is polled: it is polled no more."""
    return replace(
        state,
        status="duplicate",
        reason="duplicate",
        detail=f"it moved to {state.moved_to}, where {other} is polled already",
        next_poll_at=None,
    )
