"""Dead letters: kept with their batch's results, announced on a topic, redriven through the outbox."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, func, select, update

from pipeline.store import outbox
from pipeline.store.database import insert_rows
from pipeline.store.models import DeadLetterRow
from schemas.codec import ContractError, OutRecord, record
from schemas.messages import DeadLetter
from schemas.topics import Topic

REDRIVE = "racewire-redrive"  # header: which dead letter a record comes from
ATTEMPTS = "racewire-attempts"  # header: how often the record has failed


def add(tx: Connection, topic: Topic, letters: Sequence[DeadLetter]) -> None:
    """Keep dead letters and announce those that are new on `topic`; a replay adds none twice."""
    if not letters:
        return
    statement = insert_rows(
        DeadLetterRow,
        [
            {
                "topic": d.topic,
                "partition": d.partition,
                "record_offset": d.offset,
                "reason": d.reason,
                "fingerprint": d.fingerprint,
                "state": "open",
                "failed_at": d.failed_at,
                "body": msgspec.to_builtins(d),
            }
            for d in letters
        ],
    )
    row = DeadLetterRow
    added = {
        (t, p, o)
        for t, p, o in tx.execute(
            statement.on_conflict_do_nothing().returning(row.topic, row.partition, row.record_offset)
        )
    }
    outbox.add(
        tx,
        [_announced(topic, d) for d in letters if (d.topic, d.partition, d.offset) in added],
    )


def list_open(tx: Connection, limit: int = 1000, ids: Sequence[int] = ()) -> list[tuple[int, DeadLetter]]:
    """Open dead letters with their ids, oldest first; only `ids` where given."""
    row = DeadLetterRow
    query = select(row.id, row.body).where(row.state == "open").order_by(row.id).limit(limit)
    if ids:
        query = query.where(row.id.in_(ids))
    return [(i, msgspec.convert(body, DeadLetter)) for i, body in tx.execute(query.with_for_update())]


def redrive(tx: Connection, limit: int = 1000, ids: Sequence[int] = ()) -> list[int]:
    """Queue the original bytes of open dead letters for their topic again; the ids that were."""
    letters = list_open(tx, limit, ids)
    outbox.add(tx, [_again(i, letter) for i, letter in letters])
    done = [i for i, _ in letters]
    tx.execute(update(DeadLetterRow).where(DeadLetterRow.id.in_(done)).values(state="redriven"))
    return done


def discard(tx: Connection, ids: Sequence[int]) -> int:
    """Settle open dead letters without sending them again; how many there were."""
    row = DeadLetterRow
    return tx.execute(
        update(row).where(row.state == "open", row.id.in_(ids)).values(state="discarded")
    ).rowcount


def counts(tx: Connection) -> dict[str, int]:
    """Dead letters by state."""
    row = DeadLetterRow
    return dict(tx.execute(select(row.state, func.count()).group_by(row.state)).all())


def _announced(topic: Topic, letter: DeadLetter) -> OutRecord:
    """What is told of a new dead letter: all of it, or where that is too large for the topic what matters."""
    event_id = f"{letter.topic}:{letter.partition}:{letter.offset}"
    try:
        return record(topic, letter, time=letter.failed_at, event_id=event_id)
    except ContractError as error:
        told = [*letter.errors, f"left out here: key, value and headers ({error})"]
        slim = msgspec.structs.replace(letter, key=None, value=None, headers=[], errors=told)
        return record(topic, slim, time=letter.failed_at, event_id=event_id)


def _again(letter_id: int, letter: DeadLetter) -> OutRecord:
    event_id = f"redrive:{letter_id}:{letter.attempts}"
    kept = [(h.key, h.value) for h in letter.headers if h.key not in (REDRIVE, ATTEMPTS)]
    return OutRecord(
        topic=letter.topic,
        key=letter.key,
        event_id=event_id,
        value=letter.value,
        headers=(*kept, (REDRIVE, event_id.encode()), (ATTEMPTS, str(letter.attempts).encode())),
    )
