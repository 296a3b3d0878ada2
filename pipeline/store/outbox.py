"""The outbox: records written in the transaction of the result they announce, published by the relay.

It has two lanes, so that a million verdicts on the past delay no verdict of today. The order of a key holds
all the same: what waits in the slow lane for a key that has news goes ahead of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, Update, delete, exists, func, select, text, update

from pipeline.store.database import insert_rows, rows, table_of
from pipeline.store.ledger import OutboxRow
from schemas.codec import OutRecord

CHANNEL = "racewire_outbox"  # a notification tells the relay that rows have come
NEWS, HISTORY = 0, 1  # lanes: the lower one goes first


@dataclass(frozen=True)
class Pending:
    """An outbox row: its place in the order, and the record."""

    seq: int
    record: OutRecord


def add(tx: Connection, records: Sequence[OutRecord], lane: int = NEWS) -> None:
    """Queue records for the relay, in this order, and wake it at commit.

    Whoever adds to a key in both lanes must hold a lock on it, as `aggregates.put` does.
    """
    if not records:
        return
    if lane == NEWS:
        _promote(tx, records)
    insert_rows(
        tx,
        OutboxRow,
        [
            {
                "lane": lane,
                "topic": r.topic,
                "key": r.key,
                "event_id": r.event_id,
                "headers": [[name, _text(value)] for name, value in r.headers],
                "value": r.value,
            }
            for r in records
        ],
    )
    tx.execute(text(f"NOTIFY {CHANNEL}"))


def _promote(tx: Connection, records: Sequence[OutRecord]) -> None:
    """Move to the news what waits in the slow lane for these keys; it is older, so it goes before them.

    A row that is locked is being deleted by the relay: it is out already, and waiting could be a deadlock.
    """
    if not tx.scalar(select(exists().where(OutboxRow.lane == HISTORY))):
        return
    keys = {(r.topic, r.key) for r in records if r.key is not None}
    tx.execute(_promotion(), {"rows": [{"topic": t, "key": k} for t, k in sorted(keys)]})


@cache
def _promotion() -> Update:
    row, table = OutboxRow, table_of(OutboxRow)
    given = rows([table.c.topic, table.c.key])
    behind = (
        select(row.seq)
        .join(given, (given.c.topic == row.topic) & (given.c.key == row.key))
        .where(row.lane == HISTORY)
        .with_for_update(of=row, skip_locked=True)
    )
    return update(row).where(row.seq.in_(behind)).values(lane=NEWS)


def take(tx: Connection, limit: int) -> list[Pending]:
    """The next rows: the oldest news, then the oldest of history.

    Nothing is locked: only the holder of the relay's lease deletes.
    """
    row = OutboxRow
    found = tx.execute(
        select(row.seq, row.topic, row.key, row.event_id, row.headers, row.value)
        .order_by(row.lane, row.seq)
        .limit(limit)
    )
    return [
        Pending(
            seq,
            OutRecord(
                topic=topic,
                key=key,
                event_id=event_id,
                value=value,
                headers=tuple((name, _bytes(data)) for name, data in headers),
            ),
        )
        for seq, topic, key, event_id, headers, value in found
    ]


def remove(tx: Connection, seqs: Sequence[int]) -> None:
    """Delete rows that are out."""
    tx.execute(delete(OutboxRow).where(OutboxRow.seq.in_(seqs)))


def remove_events(tx: Connection, topic: str, event_ids: Sequence[str]) -> int:
    """Delete the rows of events that are out on `topic`; how many there were."""
    row = OutboxRow
    return tx.execute(delete(row).where(row.topic == topic, row.event_id.in_(event_ids))).rowcount


def pending_topics(tx: Connection) -> list[str]:
    """The topics that have rows waiting."""
    return list(tx.scalars(select(OutboxRow.topic).distinct().order_by(OutboxRow.topic)))


def size(tx: Connection, *lanes: int) -> int:
    """Rows waiting, in `lanes` or in all."""
    query = select(func.count()).select_from(OutboxRow)
    return tx.scalar(query.where(OutboxRow.lane.in_(lanes)) if lanes else query) or 0


def _text(value: bytes) -> str:
    """A character a byte; for NUL, which Postgres keeps in no JSON, the first one that stands for no byte."""
    return value.decode("latin-1").replace("\0", "\u0100")


def _bytes(text: str) -> bytes:
    return text.replace("\u0100", "\0").encode("latin-1")
