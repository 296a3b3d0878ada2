"""Feeds as polls find them: who polls them now, where they stand, held hosts, and the record of each poll."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.orm import aliased

from pipeline.feeds.outcomes import Known
from pipeline.feeds.values import Feed, FeedState
from pipeline.store.database import insert_rows, rows, table_of, upsert
from pipeline.store.known import save_known
from pipeline.store.models import FeedRow, HeldHostRow, PollRow

PUBLISH_LOCK = 7_305_802  # any number: see `serialise_publishing`
CLAIM_LOCK = 7_305_803  # the same: see `claim`


@dataclass(frozen=True)
class Poll:
    """What became of one poll of one feed.

    `entries` are counted as the document is parsed; each becomes one of the five that follow, or the loss
    proof tells. `history` is how many of the messages are no news. `change` says in words what it changed of
    the feed's standing, and is not kept.
    """

    feed_id: str
    at: datetime
    fetch: str
    detail: str
    entries: int = 0
    articles: int = 0
    revisions: int = 0
    sightings: int = 0
    unchanged: int = 0
    history: int = 0
    rejects: tuple[tuple[str, str, str], ...] = ()  # reason, why, address or title
    change: str = ""
    pages: dict[str, int] = field(default_factory=dict)  # asked for: `page`, or why the teaser stands


def count_due(tx: Connection) -> int:
    """Feeds that `claim` would give out now."""
    return tx.scalar(select(func.count()).select_from(FeedRow).where(_due())) or 0


def claim(
    tx: Connection, owner: str, limit: int, ttl: timedelta, only: Iterable[str] | None = None
) -> list[tuple[Feed, FeedState]]:
    """Lease feeds to `owner`: those that are due, longest waiting first, or `only` these, due or not.

    Where another owner holds a feed of a host, all feeds of that host are left out: polls at once, late or
    twice do no feed twice and speak to no host at once.
    """
    # A lease that is being given is not to be seen by others, so they take turns; a claim takes milliseconds.
    tx.execute(select(func.pg_advisory_xact_lock(CLAIM_LOCK)))
    row = FeedRow
    wanted = _free() & (_due() if only is None else row.feed_id.in_(sorted(only)))
    chosen = (
        select(row.feed_id)
        .where(wanted)
        .order_by(row.next_poll_at, row.feed_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = tx.execute(
        update(row)
        .where(row.feed_id.in_(chosen))
        .values(leased_by=owner, leased_until=func.clock_timestamp() + ttl)
        .returning(row.feed, row.state)
    )
    found = [(msgspec.convert(f, Feed), msgspec.convert(s, FeedState)) for f, s in claimed]
    return sorted(found, key=lambda pair: pair[0].id)


def serialise_publishing(tx: Connection) -> None:
    """One poll at a time decides and publishes, until the transaction ends.

    Two feeds that carry the same new address must not both call it new. Fetching and parsing, which take
    the time, are done before.
    """
    tx.execute(select(func.pg_advisory_xact_lock(PUBLISH_LOCK)))


def still_held(tx: Connection, owner: str, feed_ids: Sequence[str]) -> set[str]:
    """Those of `feed_ids` whose lease is still `owner`'s; their rows stay locked to the end."""
    row = FeedRow
    held = select(row.feed_id).where(
        row.feed_id.in_(feed_ids), row.leased_by == owner, row.leased_until > func.clock_timestamp()
    )
    return set(tx.scalars(held.order_by(row.feed_id).with_for_update()))


def occupied(tx: Connection, states: Iterable[FeedState]) -> dict[str, str]:
    """Of the feeds that moved those at whose new address another feed is polled, with that feed's id.

    Of several feeds that moved to one address, the first by id stays.
    """
    moved = {state.feed_id: state.moved_to for state in states if state.moved_to is not None}
    if not moved:
        return {}
    row = FeedRow
    there = tx.execute(
        select(row.feed_id, address(row), row.state["moved_to"].astext)
        .where(address(row).in_(moved.values()), row.removed_at.is_(None), row.next_poll_at.is_not(None))
        .order_by(row.feed_id.desc())
    ).all()
    return {
        feed_id: other
        for other, address, other_moved in there
        for feed_id, to in moved.items()
        if to == address and feed_id != other and (other_moved is None or other < feed_id)
    }


def hold(tx: Connection, hosts: Mapping[str, datetime]) -> None:
    """Remember until when `hosts` want to be left alone, and forget those that do no more."""
    tx.execute(delete(HeldHostRow).where(HeldHostRow.until < func.clock_timestamp()))
    upsert(tx, HeldHostRow, [{"host": h, "until": until} for h, until in sorted(hosts.items())])


def held(tx: Connection) -> dict[str, float]:
    """The hosts that want to be left alone, and for how many seconds more."""
    left = func.extract("epoch", HeldHostRow.until - func.clock_timestamp())
    found = tx.execute(select(HeldHostRow.host, left).where(left > 0))
    return {host: float(seconds) for host, seconds in found}


def give_back(tx: Connection, owner: str) -> None:
    """Free the feeds that `owner` could not poll; they stay due."""
    tx.execute(update(FeedRow).where(FeedRow.leased_by == owner).values(leased_by=None, leased_until=None))


def remember(
    tx: Connection, known: Iterable[Known], states: Iterable[FeedState], polls: Iterable[Poll]
) -> None:
    """Write what a batch of polls taught, and give the feeds' leases back."""
    save_known(tx, known)
    states = list(states)
    if states:
        columns = [table_of(FeedRow).c[name] for name in ("feed_id", "state", "next_poll_at")]
        values = [{"feed_id": s.feed_id, "state": s, "next_poll_at": s.next_poll_at} for s in states]
        row, new = FeedRow, rows(columns)
        tx.execute(
            update(row)
            .where(row.feed_id == new.c.feed_id)
            .values(state=new.c.state, next_poll_at=new.c.next_poll_at, leased_by=None, leased_until=None),
            {"rows": values},
        )
    written = [
        {
            "feed_id": p.feed_id,
            "at": p.at,
            "fetch": p.fetch,
            "detail": p.detail,
            "entries": p.entries,
            "articles": p.articles,
            "revisions": p.revisions,
            "sightings": p.sightings,
            "unchanged": p.unchanged,
            "history": p.history,
            "rejects": p.rejects,
            "pages": p.pages,
        }
        for p in polls
    ]
    if written:
        insert_rows(tx, PollRow, written)


def _free() -> ColumnElement[bool]:
    other = aliased(FeedRow)
    # The statement's time and not the clock's, which no index can be searched for.
    busy = select(other.host).where(other.leased_until >= func.statement_timestamp())
    return FeedRow.removed_at.is_(None) & FeedRow.host.not_in(busy)


def _due() -> ColumnElement[bool]:
    return _free() & (FeedRow.next_poll_at <= func.statement_timestamp())


def address(row: type[FeedRow]) -> ColumnElement[str]:
    """Where a feed is asked for, as `FeedState.moved_to` says."""
    return func.coalesce(row.state["moved_to"].astext, row.feed["url"].astext)
