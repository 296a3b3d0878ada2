"""Claims: which process reads a partition for a group, when it was last heard of, and what it has in hand.

A process that ends in good order, or gives a partition up, takes its claim away. One that is found by the
next owner was left by a death, and then a record may be what killed its reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, Update, bindparam, case, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import Insert

from pipeline.store.database import insert_rows, rows, table_of
from pipeline.store.ledger import ClaimRow, ConsumerOffsetRow
from pipeline.store.progress import Place


@dataclass(frozen=True)
class Claim:
    """A claim as an operator sees it: seconds since its owner was heard of, and since the group moved on."""

    topic: str
    partition: int
    owner: str
    silent: float
    unmoved: float | None


def claim(tx: Connection, group: str, owner: str, places: Sequence[Place]) -> dict[Place, int]:
    """Take partitions over; how far their last owner went (`go`), of those that it did not let go."""
    if not places:
        return {}
    row = ClaimRow
    mine = (row.group_id == group, tuple_(row.topic, row.partition).in_(places))
    found = tx.execute(select(row.topic, row.partition, row.reach).where(*mine, row.owner != owner))
    left = {(topic, partition): reach or 0 for topic, partition, reach in found}
    values = [{"group_id": group, "topic": t, "partition": p, "owner": owner} for t, p in sorted(places)]
    insert_rows(tx, row, values, _taken)
    return left


def _taken(statement: Insert, names: Sequence[str]) -> Insert:
    return statement.on_conflict_do_update(
        index_elements=list(statement.table.primary_key),
        set_={"owner": statement.excluded.owner, "seen_at": func.now()},
    )


def release(tx: Connection, group: str, owner: str, places: Sequence[Place]) -> None:
    """Let partitions go; one that another owner has taken meanwhile stays as it is."""
    row = ClaimRow
    tx.execute(
        delete(row).where(
            row.group_id == group, row.owner == owner, tuple_(row.topic, row.partition).in_(places)
        )
    )


def beat(tx: Connection, group: str, owner: str) -> None:
    """The owner is alive."""
    row = ClaimRow
    tx.execute(update(row).where(row.group_id == group, row.owner == owner).values(seen_at=func.now()))


def go(tx: Connection, group: str, owner: str, positions: Mapping[Place, int]) -> None:
    """The owner takes all records before these offsets in hand. A hint, which does not wait for the disk."""
    values = [{"topic": t, "partition": p, "reach": at} for (t, p), at in sorted(positions.items())]
    tx.execute(text("SET LOCAL synchronous_commit = off"))
    tx.execute(_reaching(), {"rows": values, "mine": group, "me": owner})


@cache
def _reaching() -> Update:
    table = table_of(ClaimRow)
    given = rows([table.c.topic, table.c.partition, table.c.reach])
    return (
        update(table)
        .where(table.c.group_id == bindparam("mine"), table.c.owner == bindparam("me"))
        .where(table.c.topic == given.c.topic, table.c.partition == given.c.partition)
        .values(reach=given.c.reach)
    )


def begin(tx: Connection, group: str, place: Place, offset: int) -> int:
    """A record is tried alone: how often it was begun, this time included.

    One before the marked one, which a replay meets again on its way there, leaves the mark as it is.
    """
    row = ClaimRow
    again = case((row.trying == offset, row.attempts + 1), (row.trying > offset, row.attempts), else_=1)
    statement = (
        update(row)
        .where(row.group_id == group, row.topic == place[0], row.partition == place[1])
        .values(trying=func.greatest(row.trying, offset), attempts=again)
        .returning(case((row.trying == offset, row.attempts), else_=1))
    )
    return tx.scalar(statement) or 1


def survive(tx: Connection, group: str, place: Place, offset: int) -> None:
    """A record that was tried alone is done: a replay, also one after another death, counts anew."""
    row = ClaimRow
    mine = (row.group_id == group, row.topic == place[0], row.partition == place[1], row.trying == offset)
    tx.execute(update(row).where(*mine).values(attempts=0))


def claims(tx: Connection, group: str) -> list[Claim]:
    """Every claim of a group."""
    c, o = ClaimRow, ConsumerOffsetRow
    now = func.clock_timestamp()
    query = (
        select(
            c.topic,
            c.partition,
            c.owner,
            func.extract("epoch", now - c.seen_at),
            func.extract("epoch", now - o.moved_at),
        )
        .outerjoin(o, (o.group_id == c.group_id) & (o.topic == c.topic) & (o.partition == c.partition))
        .where(c.group_id == group)
        .order_by(c.topic, c.partition)
    )
    return [
        Claim(topic, partition, owner, float(silent), None if unmoved is None else float(unmoved))
        for topic, partition, owner, silent, unmoved in tx.execute(query)
    ]
