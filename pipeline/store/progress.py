"""How far readers and the relay have come: consumer offsets and the relay's checkpoints."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import Insert

from pipeline.store.database import insert_rows, upsert
from pipeline.store.ledger import ConsumerOffsetRow, RelayCheckpointRow

Place = tuple[str, int]  # topic, partition


def load_offsets(tx: Connection, group: str, places: Sequence[Place]) -> dict[Place, int]:
    """The next offset of each partition that the group has written results of."""
    row = ConsumerOffsetRow
    found = tx.execute(
        select(row.topic, row.partition, row.next_offset).where(
            row.group_id == group, row.topic.in_({topic for topic, _ in places})
        )
    )
    wanted = {(topic, partition) for topic, partition in places}
    return {(t, p): offset for t, p, offset in found if (t, p) in wanted}


def save_offsets(tx: Connection, group: str, positions: Mapping[Place, int]) -> None:
    """Remember positions as they are, also smaller ones: an operator's reset replays from there."""
    if not positions:
        return
    values = [
        {"group_id": group, "topic": topic, "partition": partition, "next_offset": offset}
        for (topic, partition), offset in sorted(positions.items())
    ]
    insert_rows(tx, ConsumerOffsetRow, values, _moved)


def _moved(statement: Insert, names: Sequence[str]) -> Insert:
    return statement.on_conflict_do_update(
        index_elements=list(statement.table.primary_key),
        set_={"next_offset": statement.excluded.next_offset, "moved_at": func.now()},
    )


def load_checkpoints(tx: Connection, topic: str) -> dict[Place, int]:
    """The offsets from which a record on `topic` may be the relay's and unaccounted for."""
    row = RelayCheckpointRow
    found = tx.execute(select(row.partition, row.next_offset).where(row.topic == topic))
    return {(topic, partition): offset for partition, offset in found}


def save_checkpoints(tx: Connection, positions: Mapping[Place, int]) -> None:
    """Everything before these offsets is accounted for."""
    upsert(
        tx,
        RelayCheckpointRow,
        [{"topic": t, "partition": p, "next_offset": at} for (t, p), at in sorted(positions.items())],
    )
