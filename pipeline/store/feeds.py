"""The poller's memory: feeds and their leases, known articles, and the record of each poll."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, case, delete, func, select, text, update
from sqlalchemy.orm import aliased

from pipeline.feeds.values import Feed, FeedState, Known, Robots
from pipeline.store.database import insert_rows, upsert
from pipeline.store.models import FeedRow, HeldHostRow, KnownRow, PollRow, RobotsRow

PUBLISH_LOCK = 7_305_802  # any number: see `serialise_publishing`
CLAIM_LOCK = 7_305_803  # the same: see `claim`

# How exactly it is known when an article was last carried: a write an entry and poll would be too dear.
NOTED_EVERY = timedelta(days=30)


@dataclass(frozen=True)
class Poll:
    """What became of one poll of one feed. `entries` is the sum of the five that follow.

    `history` is how many of the messages are no news. `change` says in words what it changed of the feed's
    standing, and is not kept.
    """

    feed_id: str
    at: datetime
    fetch: str
    detail: str
    articles: int = 0
    revisions: int = 0
    sightings: int = 0
    unchanged: int = 0
    history: int = 0
    rejects: tuple[tuple[str, str, str], ...] = ()  # reason, why, address or title
    change: str = ""
    pages: dict[str, int] = field(default_factory=dict)  # asked for: `page`, or why the teaser stands

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


def sync_registry(tx: Connection, feeds: Sequence[Feed]) -> None:
    """Bring the table to the registry: new feeds are due at once, feeds taken out are marked as removed."""
    if feeds:
        statement = insert_rows(
            FeedRow,
            [
                {
                    "feed_id": f.id,
                    "feed": msgspec.to_builtins(f),
                    "state": msgspec.to_builtins(FeedState(feed_id=f.id)),
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
    # A feed is a duplicate only while the other is polled.
    other = aliased(FeedRow)
    there = select(_address(other)).where(other.removed_at.is_(None), other.next_poll_at.is_not(None))
    alone = (row.state["status"].astext == "duplicate") & _address(row).not_in(there)
    due = {"next_poll_at": func.now()}
    tx.execute(update(row).where(alone, row.next_poll_at.is_(None), row.removed_at.is_(None)).values(due))


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
        select(row.feed_id, _address(row), row.state["moved_to"].astext)
        .where(_address(row).in_(moved.values()), row.removed_at.is_(None), row.next_poll_at.is_not(None))
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


def load_known(tx: Connection, article_ids: Iterable[str]) -> dict[str, Known]:
    """What is remembered of these articles, and of those that they are other addresses of.

    That they are carried now is noted now and then.
    """
    row = KnownRow
    stale = row.seen_at < func.now() - NOTED_EVERY
    rows = tx.execute(
        select(row.article_id, row.known, stale).where(row.article_id.in_(set(article_ids)))
    ).all()
    if late := [article_id for article_id, _, is_stale in rows if is_stale]:
        tx.execute(update(row).where(row.article_id.in_(late)).values(seen_at=func.now()))
    found = {article_id: msgspec.convert(known, Known) for article_id, known, _ in rows}
    further = {known.same_as for known in found.values() if known.same_as} - found.keys()
    return found | load_known(tx, further) if further else found


def forget(tx: Connection, age: timedelta, limit: int) -> int:
    """Drop the memory of dated articles that nobody has carried for `age`; how many, at most `limit`.

    Carried until then, such an article is dated at least `age` ago, and so comes back as history.
    """
    row = KnownRow
    unseen = row.seen_at < func.now() - age - NOTED_EVERY
    undated = row.known["undated"].astext == "true"
    dated = (row.known["precision"].astext != "observed") & undated.is_not(True)
    old = select(row.article_id).where(unseen, dated).limit(limit)
    return tx.execute(delete(row).where(row.article_id.in_(old))).rowcount


def load_robots(tx: Connection, origins: Iterable[str]) -> dict[str, Robots]:
    """What is known of the robots.txt of these origins and still believed."""
    row = RobotsRow
    found = tx.execute(
        select(row.origin, row.rules, row.until).where(
            row.origin.in_(set(origins)), row.until > func.clock_timestamp()
        )
    )
    return {o: Robots(origin=o, rules=rules, until=until) for o, rules, until in found}


def remember_robots(tx: Connection, learned: Iterable[Robots]) -> None:
    """Write what was asked for, and forget what is believed no more."""
    upsert(tx, RobotsRow, [{"origin": r.origin, "rules": r.rules, "until": r.until} for r in learned])
    tx.execute(delete(RobotsRow).where(RobotsRow.until < func.now()))


def remember(
    tx: Connection, known: Iterable[Known], states: Iterable[FeedState], polls: Iterable[Poll]
) -> None:
    """Write what a batch of polls taught, and give the feeds' leases back."""
    upsert(
        tx,
        KnownRow,
        [{"article_id": k.article_id, "known": msgspec.to_builtins(k)} for k in known],
    )
    row = FeedRow
    for state in states:
        tx.execute(
            update(row)
            .where(row.feed_id == state.feed_id)
            .values(
                state=msgspec.to_builtins(state),
                next_poll_at=state.next_poll_at,
                leased_by=None,
                leased_until=None,
            )
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
        tx.execute(insert_rows(PollRow, written))


def _free() -> ColumnElement[bool]:
    other = aliased(FeedRow)
    busy = select(_host(_address(other))).where(other.leased_until >= func.clock_timestamp())
    return FeedRow.removed_at.is_(None) & _host(_address(FeedRow)).not_in(busy)


def _due() -> ColumnElement[bool]:
    return _free() & (FeedRow.next_poll_at <= func.clock_timestamp())


def _address(row: type[FeedRow]) -> ColumnElement[str]:
    """Where a feed is asked for, as `FeedState.moved_to` says."""
    return func.coalesce(row.state["moved_to"].astext, row.feed["url"].astext)


def _host(url: ColumnElement[str]) -> ColumnElement[str]:
    """The host of an address, as `pipeline.feeds.address.host_of`, and never NULL."""
    host = func.substring(url, r"^https?://(\[[^\]/]*\]|[^/:?#]*)")
    return func.lower(func.coalesce(host, url))
