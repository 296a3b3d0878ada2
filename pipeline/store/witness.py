"""The store as a witness of what was published: the questions of the loss proof.

All of one proof are asked of one snapshot. What stands on the topics is laid beside it in temporary tables,
so that a page is all that is held in memory. What is compared, and why, is `pipeline/workers/reconcile.py`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    Select,
    Table,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert

from pipeline.store.balance import Finding
from pipeline.store.database import among, rows, table_of
from pipeline.store.known import NOTED_EVERY
from pipeline.store.ledger import DeadLetterRow
from pipeline.store.models import ArticleRow, AssessmentRow, ForgottenRow, RevisionRow, SightingRow
from pipeline.store.retention import is_late
from schemas.messages import Article

_TEMPORARY: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"}
_META = MetaData()
# Articles on their topics: the number of the last message, and when and where the first was published.
_CARRIED = Table(
    "carried",
    _META,
    Column("article_id", Text, primary_key=True),
    Column("number", BigInteger),
    Column("at", DateTime(timezone=True)),
    Column("place", Text),
    **_TEMPORARY,
)
# The last record of each key on a topic that is written through the outbox.
_ANNOUNCED = Table(
    "announced",
    _META,
    Column("topic", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("version", BigInteger),
    Column("gone", Boolean),
    Column("place", Text),
    **_TEMPORARY,
)


@dataclass(frozen=True)
class Published:
    """A record of an articles topic, as the `number`th about its article; `article` is None where it breaks
    the contract.
    """

    topic: str
    partition: int
    offset: int
    at: datetime
    number: int
    key: str
    article: Article | None

    @property
    def article_id(self) -> str:
        """Whose it is, by its content or else by its key."""
        return self.article.article_id if self.article else self.key

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.topic}/{self.partition} at {self.offset}"


@contextmanager
def snapshot(engine: Engine) -> Iterator[tuple[Connection, datetime]]:
    """A transaction that sees the store as of the moment that comes with it. It leaves nothing behind."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as tx:
        at = tx.execute(select(func.now())).scalar_one()
        _META.create_all(tx, checkfirst=False)
        yield tx, at
        tx.rollback()


def fates(tx: Connection, page: Sequence[Published], kept_since: datetime) -> list[str]:
    """What the store has made of each record that was handled.

    `stored` (with a verdict), `dead letters`, `taken down`, `past retention` (articles are kept since
    `kept_since`), `no-verdict` or `not-stored`.
    """
    d, ids = DeadLetterRow, {r.article_id for r in page}
    gone = set(tx.scalars(select(ForgottenRow.article_id).where(among(ForgottenRow.article_id, ids))))
    places = [{"topic": r.topic, "partition": r.partition, "record_offset": r.offset} for r in page]
    letters = _found(tx, d, places)
    articles = [r.article for r in page if r.article]
    revisions = _found(
        tx, RevisionRow, [{"article_id": a.article_id, "revision": a.revision} for a in articles]
    )
    sightings = _found(
        tx, SightingRow, [{"article_id": a.article_id, "feed_id": a.feed.id} for a in articles]
    )
    a, v = ArticleRow, AssessmentRow
    query = select(a.article_id, v.article_id.is_not(None)).outerjoin(
        v, (v.article_id == a.article_id) & (v.revision == a.revision)
    )
    judged = dict(tx.execute(query.where(among(a.article_id, ids))).all())

    def fate(r: Published) -> str:
        if (r.topic, r.partition, r.offset) in letters:
            return "dead letters"
        if r.article_id in gone:
            return "taken down"
        if r.article and r.article_id not in judged and is_late(r.article, kept_since):
            return "past retention"
        if r.article is None or (r.article_id, r.article.feed.id) not in sightings:
            return "not-stored"
        if r.article.kind != "sighting" and (r.article_id, r.article.revision) not in revisions:
            return "not-stored"
        return "stored" if judged.get(r.article_id) else "no-verdict"

    return [fate(r) for r in page]


def carry(tx: Connection, page: Sequence[Published]) -> None:
    """Lay the articles of records beside the snapshot; pages come in the order of offsets."""
    first: dict[str, dict[str, Any]] = {}
    for r in page:
        if r.article:
            one = first.setdefault(r.article_id, {"article_id": r.article_id, "at": r.at, "place": r.place})
            one["number"] = max(r.number, one.get("number", 0))
    new = insert(_CARRIED).excluded
    _lay(tx, _CARRIED, list(first.values()), {"number": func.greatest(_CARRIED.c.number, new.number)})


def announce(tx: Connection, page: Sequence[Mapping[str, Any]]) -> None:
    """Lay records beside the snapshot, in order: `topic`, `key`, `version`, `gone`, `place`."""
    newest = {(one["topic"], one["key"]): one for one in page}
    new = insert(_ANNOUNCED).excluded
    _lay(tx, _ANNOUNCED, list(newest.values()), {n: new[n] for n in ("version", "gone", "place")})


def polls(tx: Connection, since: datetime) -> tuple[dict[str, int], list[Finding]]:
    """Entries of the polls' documents by what became of them, and the polls where that is another number."""
    sums = tx.execute(text(_POLLS), {"since": since}).one()
    odd = tx.execute(text(_ODD_POLLS), {"since": since})
    found = [
        Finding("entries", f"{feed} (poll {number})", f"{at:%Y-%m-%d %H:%M:%S} UTC", f"{more:+d} entries")
        for number, feed, at, more in odd
    ]
    return {name: int(n) for name, n in sums._mapping.items()}, found


def memories(tx: Connection, since: datetime, kept_since: datetime) -> tuple[int, int, list[Finding]]:
    """How many articles polls remember to have published last since `since`, how many of them nobody else
    knows because they were before `kept_since`, and those nobody else knows.
    """
    # Published is what is carried, so that it was noted as seen then or not so long before; clocks differ.
    asked = {"since": since, "noted": NOTED_EVERY + timedelta(days=1)}
    count = tx.execute(text(_MEMORIES), asked).scalar_one()
    lost = tx.execute(text(_LOST), asked | {"kept_since": kept_since}).all()
    found = [
        Finding("lost-record", i, f"by {owner}", f"message {n}") for i, owner, n, past in lost if not past
    ]
    return count, len(lost) - len(found), found


def strangers(tx: Connection, since: datetime, settled: datetime) -> tuple[list[Finding], list[Finding]]:
    """Articles read since `since` that are stored and neither on a topic nor remembered, and those that were
    published before `settled` and no poll remembers.
    """
    stored = tx.execute(text(_UNPUBLISHED), {"since": since})
    topic = tx.execute(text(_UNREMEMBERED), {"settled": settled})
    return (
        [Finding("never-published", i, "table articles", f"feed {feed}") for i, feed in stored],
        [Finding("not-remembered", i, place) for i, place in topic],
    )


def _found(tx: Connection, model: type[Any], wanted: Sequence[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    """Those of the rows, given by some of their columns, that are there."""
    if not wanted:
        return set()
    table = table_of(model)
    columns = [table.c[name] for name in wanted[0]]
    given = rows(columns)
    query: Select[Any] = select(*columns)
    for column in columns:
        query = query.where(column == given.c[column.name])
    return {tuple(row) for row in tx.execute(query, {"rows": wanted})}


def _lay(
    tx: Connection, table: Table, values: Sequence[Mapping[str, Any]], changed: Mapping[str, Any]
) -> None:
    if values:
        columns = list(table.c)
        statement = insert(table).from_select([c.name for c in columns], select(rows(columns)))
        keys = list(table.primary_key)
        tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), {"rows": values})


_OUTCOMES = "articles + revisions + sightings + unchanged + jsonb_array_length(rejects)"
_POLLS = """
    SELECT coalesce(sum(entries), 0) AS entries,
        coalesce(sum(articles + revisions + sightings), 0) AS published,
        coalesce(sum(unchanged), 0) AS unchanged,
        coalesce(sum(jsonb_array_length(rejects)), 0) AS rejected
    FROM polls WHERE at >= :since
"""
_ODD_POLLS = f"""
    SELECT id, feed_id, at, entries - ({_OUTCOMES}) FROM polls
    WHERE at >= :since AND entries <> {_OUTCOMES} ORDER BY id
"""  # noqa: S608
_REMEMBERED = """
    known_articles k
    WHERE k.known->>'same_as' IS NULL AND CAST(k.known->>'observed_at' AS timestamptz) >= :since
        AND k.seen_at >= CAST(:since AS timestamptz) - CAST(:noted AS interval)
"""
_MEMORIES = f"SELECT count(*) FROM {_REMEMBERED}"  # noqa: S608
# Carriers are counted: a feed that was renamed is another one in the memory only.
_LOST = f"""
    SELECT k.article_id, k.known->>'owner', CAST(k.known->>'published' AS bigint),
        CAST(k.known->>'published_at' AS timestamptz) < :kept_since
        AND CAST(k.known->>'observed_at' AS timestamptz) < :kept_since
    FROM {_REMEMBERED}
        AND NOT EXISTS (SELECT FROM carried c WHERE c.article_id = k.article_id
                        AND c.number >= CAST(k.known->>'published' AS bigint))
        AND NOT EXISTS (SELECT FROM forgotten f WHERE f.article_id = k.article_id)
        AND (NOT EXISTS (SELECT FROM revisions r WHERE r.article_id = k.article_id
                         AND r.revision = k.known->>'revision')
             OR jsonb_array_length(k.known->'carriers') >
                (SELECT count(*) FROM sightings s WHERE s.article_id = k.article_id))
    ORDER BY k.article_id
"""  # noqa: S608
_UNPUBLISHED = """
    SELECT a.article_id, a.feed_id FROM articles a
    WHERE a.observed_at >= :since
        AND NOT EXISTS (SELECT FROM carried c WHERE c.article_id = a.article_id)
        AND NOT EXISTS (SELECT FROM known_articles k WHERE k.article_id = a.article_id)
    ORDER BY a.article_id
"""
_UNREMEMBERED = """
    SELECT c.article_id, c.place FROM carried c
    WHERE c.at < :settled
        AND NOT EXISTS (SELECT FROM known_articles k WHERE k.article_id = c.article_id)
        AND NOT EXISTS (SELECT FROM forgotten f WHERE f.article_id = c.article_id)
    ORDER BY c.article_id
"""
