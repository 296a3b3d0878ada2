"""The poller's memory: feeds and their leases, known articles, and the record of each poll."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Text,
    bindparam,
    case,
    cast,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from pipeline.feeds.values import Feed, FeedState, Known
from pipeline.store.database import insert_rows, rows, table_of, upsert
from pipeline.store.models import FeedRow, KnownRow, PollRow, RegistryRow

PUBLISH_LOCK = 7_305_802  # any number: see `serialise_publishing`
CLAIM_LOCK = 7_305_803  # the same: see `claim`


@dataclass(frozen=True)
class Poll:
    """What became of one poll of one feed. `entries` is the sum of the five that follow."""

    feed_id: str
    at: datetime
    fetch: str
    detail: str
    articles: int = 0
    revisions: int = 0
    sightings: int = 0
    unchanged: int = 0
    rejects: tuple[tuple[str, str, str], ...] = ()  # reason, why, address or title

    @property
    def entries(self) -> int:
        """Entries of the document."""
        return self.articles + self.revisions + self.sightings + self.unchanged + len(self.rejects)


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
        statement = insert_rows(
            FeedRow,
            [
                {
                    "feed_id": f.id,
                    "feed": f,
                    "state": FeedState(feed_id=f.id),
                }
                for f in sorted(feeds, key=lambda f: f.id)
            ],
        )
        moved = FeedRow.feed["url"].astext != statement.excluded.feed["url"].astext
        changed = (FeedRow.feed != statement.excluded.feed) | FeedRow.removed_at.is_not(None)
        tx.execute(
            statement.on_conflict_do_update(
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
        )
    row = FeedRow
    gone = row.feed_id.not_in([f.id for f in feeds]) & row.removed_at.is_(None)
    tx.execute(update(row).where(gone).values(removed_at=func.now()))


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


def hold_host(tx: Connection, host: str, until: datetime) -> None:
    """Poll no feed of `host` before `until`."""
    row = FeedRow
    moment = {"next_poll_at": msgspec.to_builtins(until)}
    tx.execute(
        update(row)
        .where(row.host == host, row.next_poll_at < until)
        .values(next_poll_at=until, state=row.state.op("||")(cast(moment, JSONB)))
    )


def give_back(tx: Connection, owner: str) -> None:
    """Free the feeds that `owner` could not poll; they stay due."""
    tx.execute(update(FeedRow).where(FeedRow.leased_by == owner).values(leased_by=None, leased_until=None))


def load_known(tx: Connection, article_ids: Iterable[str]) -> dict[str, Known]:
    """What is remembered of these articles."""
    row = KnownRow
    wanted = bindparam(None, sorted(set(article_ids)), type_=ARRAY(Text))
    found = tx.execute(select(row.article_id, row.known).where(row.article_id == func.any(wanted)))
    return {article_id: msgspec.convert(known, Known) for article_id, known in found}


def remember(
    tx: Connection, known: Iterable[Known], states: Iterable[FeedState], polls: Iterable[Poll]
) -> None:
    """Write what a batch of polls taught, and give the feeds' leases back."""
    upsert(
        tx,
        KnownRow,
        [{"article_id": k.article_id, "known": k} for k in known],
    )
    states = list(states)
    if states:
        columns = [table_of(FeedRow).c[name] for name in ("feed_id", "state", "next_poll_at")]
        values = [{"feed_id": s.feed_id, "state": s, "next_poll_at": s.next_poll_at} for s in states]
        row, new = FeedRow, rows(columns, values)
        tx.execute(
            update(row)
            .where(row.feed_id == new.c.feed_id)
            .values(state=new.c.state, next_poll_at=new.c.next_poll_at, leased_by=None, leased_until=None)
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
            "rejects": p.rejects,
        }
        for p in polls
    ]
    if written:
        tx.execute(insert_rows(PollRow, written))


def _free() -> ColumnElement[bool]:
    other = aliased(FeedRow)
    busy = select(other.host).where(other.leased_until >= func.clock_timestamp())
    return FeedRow.removed_at.is_(None) & FeedRow.host.not_in(busy)


def _due() -> ColumnElement[bool]:
    return _free() & (FeedRow.next_poll_at <= func.clock_timestamp())
