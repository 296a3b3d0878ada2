"""The registry in the store: its feeds brought to what the file says, renamed, removed, counted."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, case, func, select, text, update
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.orm import aliased

from pipeline.feeds.values import Feed, FeedState
from pipeline.store.database import insert_rows, upsert
from pipeline.store.feeds import address, serialise_publishing
from pipeline.store.models import FeedRow, RegistryRow


def stored(tx: Connection) -> list[Feed]:
    """Every feed that was ever registered, those that were taken out last, the latest of them first."""
    row = FeedRow
    found = tx.scalars(select(row.feed).order_by(row.removed_at.desc().nulls_first(), row.feed_id))
    return [msgspec.convert(feed, Feed) for feed in found]


def rename(tx: Connection, old: str, new: str) -> None:
    """Give a feed's state, its polls and what it is remembered to carry and own to another id.

    Without that, each of its articles would be a sighting of the new id, and corrections by the feed itself
    would be those of a stranger. Published articles and sightings keep the id they were published with. A
    poll of the old id that is under way loses its lease, and so publishes nothing.
    """
    serialise_publishing(tx)
    for statement in _RENAME:
        tx.execute(text(statement), {"old": old, "new": new})


_RENAME = (
    """
    UPDATE feeds SET feed_id = :new, leased_by = NULL, leased_until = NULL,
        state = state || jsonb_build_object('feed_id', CAST(:new AS text))
    WHERE feed_id = :old
    """,
    "UPDATE polls SET feed_id = :new WHERE feed_id = :old",
    """
    UPDATE known_articles SET known = known
        || jsonb_build_object('carriers',
            ((known->'carriers') - CAST(:old AS text)) || jsonb_build_array(CAST(:new AS text)))
        || CASE known->>'owner' WHEN :old
            THEN jsonb_build_object('owner', CAST(:new AS text)) ELSE '{}' END
    WHERE jsonb_exists(known->'carriers', :old)
    """,
)


def is_at(tx: Connection, digest: str) -> bool:
    """Whether the table is at the registry of that digest."""
    return tx.scalar(select(RegistryRow.digest)) == digest


def sync_registry(tx: Connection, feeds: Sequence[Feed], digest: str) -> None:
    """Bring the table to the registry of that digest: new feeds are due at once, feeds taken out are marked
    as removed.
    """
    upsert(tx, RegistryRow, [{"id": 1, "digest": digest}])
    if feeds:
        values = [
            {"feed_id": f.id, "feed": f, "state": FeedState(feed_id=f.id)}
            for f in sorted(feeds, key=lambda f: f.id)
        ]
        insert_rows(tx, FeedRow, values, _registered)
    row = FeedRow
    gone = row.feed_id.not_in([f.id for f in feeds]) & row.removed_at.is_(None)
    tx.execute(update(row).where(gone).values(removed_at=func.now()))
    # Else claims are planned for a table of unknown size until Postgres looks at it by itself.
    tx.execute(text("ANALYZE feeds"))


def _registered(statement: Insert, names: Sequence[str]) -> Insert:
    moved = FeedRow.feed["url"].astext != statement.excluded.feed["url"].astext
    changed = (FeedRow.feed != statement.excluded.feed) | FeedRow.removed_at.is_not(None)
    return statement.on_conflict_do_update(
        index_elements=[FeedRow.feed_id],
        set_={
            "feed": statement.excluded.feed,
            "removed_at": None,
            # Another address is another server: what the old one said of validators or 410 is void.
            "state": case((moved, statement.excluded.state), else_=FeedRow.state),
            "next_poll_at": case((moved, func.now()), else_=FeedRow.next_poll_at),
        },
        where=changed,
    )


def revive(tx: Connection) -> None:
    """Make feeds due again that are duplicates of none any more: the other is polled no longer."""
    row = FeedRow
    other = aliased(FeedRow)
    there = select(address(other)).where(other.removed_at.is_(None), other.next_poll_at.is_not(None))
    alone = (row.state["status"].astext == "duplicate") & address(row).not_in(there)
    due = {"next_poll_at": func.now()}
    tx.execute(update(row).where(alone, row.next_poll_at.is_(None), row.removed_at.is_(None)).values(due))


def registered(tx: Connection) -> int:
    """How many feeds the registry has."""
    return tx.scalar(select(func.count()).where(FeedRow.removed_at.is_(None))) or 0


def languages(tx: Connection) -> set[str]:
    """The languages of the registry's feeds."""
    language = FeedRow.feed["language"].astext
    return set(tx.scalars(select(language).where(FeedRow.removed_at.is_(None)).distinct()))


def unregistered(tx: Connection, feed_ids: Iterable[str]) -> list[str]:
    """Those of `feed_ids` that the registry does not have."""
    wanted = set(feed_ids)
    found = select(FeedRow.feed_id).where(FeedRow.removed_at.is_(None), FeedRow.feed_id.in_(wanted))
    return sorted(wanted.difference(tx.scalars(found)))
