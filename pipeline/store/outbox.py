"""The outbox: records written in the transaction of the result they announce, published by the relay."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, text

from pipeline.store.database import insert_rows
from pipeline.store.models import OutboxRow
from schemas.codec import OutRecord

CHANNEL = "racewire_outbox"  # a notification tells the relay that rows have come


@dataclass(frozen=True)
class Pending:
    """An outbox row: its place in the order, and the record."""

    seq: int
    record: OutRecord


def add(tx: Connection, records: Sequence[OutRecord]) -> None:
    """Queue records for the relay, in this order, and wake it at commit."""
    if not records:
        return
    tx.execute(
        insert_rows(
            OutboxRow,
            [
                {
                    "topic": r.topic,
                    "key": r.key,
                    "event_id": r.event_id,
                    "headers": [[name, _text(value)] for name, value in r.headers],
                    "value": r.value,
                }
                for r in records
            ],
        )
    )
    tx.execute(text(f"NOTIFY {CHANNEL}"))


def take(tx: Connection, limit: int) -> list[Pending]:
    """The oldest rows. Nothing is locked: only the holder of the relay's lease deletes."""
    row = OutboxRow
    found = tx.execute(
        select(row.seq, row.topic, row.key, row.event_id, row.headers, row.value)
        .order_by(row.seq)
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


def size(tx: Connection) -> int:
    """Rows waiting."""
    return tx.scalar(select(func.count()).select_from(OutboxRow)) or 0


def _text(value: bytes) -> str:
    """A character a byte; for NUL, which Postgres keeps in no JSON, the first one that stands for no byte."""
    return value.decode("latin-1").replace("\0", "\u0100")


def _bytes(text: str) -> bytes:
    return text.replace("\u0100", "\0").encode("latin-1")
