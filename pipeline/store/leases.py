"""Leases: one leader at a time for the storyteller and the relay, by the database's clock.

A leader checks its lease in the transaction that writes, so one that was stopped and wakes up too late writes
nothing. Every change of hands is a new epoch.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, case, func, update
from sqlalchemy.dialects.postgresql import insert

from pipeline.store.ledger import LeaseRow


class LeaseLostError(Exception):
    """Another process leads now. Whoever gets this writes nothing and stands by."""


@dataclass(frozen=True)
class Lease:
    """A leadership: who holds it and since which change of hands."""

    name: str
    owner: str
    epoch: int


def acquire(tx: Connection, name: str, owner: str, ttl: timedelta) -> Lease | None:
    """Take or renew the lease; None where another owner holds it. A new owner gets a new epoch."""
    row, now = LeaseRow, func.clock_timestamp()
    new = insert(row).values(name=name, owner=owner, epoch=1, expires_at=now + ttl)
    statement = new.on_conflict_do_update(
        index_elements=[row.name],
        set_={
            "owner": owner,
            # The same owner coming back after expiry was away as well: a new epoch too.
            "epoch": row.epoch + case(((row.owner != owner) | (row.expires_at < now), 1), else_=0),
            "expires_at": now + ttl,
        },
        where=(row.owner == owner) | (row.expires_at < now),
    ).returning(row.epoch)
    epoch = tx.scalar(statement)
    return None if epoch is None else Lease(name, owner, epoch)


def seize(tx: Connection, name: str, owner: str, ttl: timedelta) -> Lease:
    """Take the lease from whoever holds it. That one writes nothing more, and stands by as after any loss."""
    row, now = LeaseRow, func.clock_timestamp()
    new = insert(row).values(name=name, owner=owner, epoch=1, expires_at=now + ttl)
    taken = {"owner": owner, "epoch": row.epoch + 1, "expires_at": now + ttl}
    statement = new.on_conflict_do_update(index_elements=[row.name], set_=taken).returning(row.epoch)
    return Lease(name, owner, tx.execute(statement).scalar_one())


def hold(tx: Connection, lease: Lease, ttl: timedelta) -> None:
    """Renew the lease in a writing transaction and keep its row locked until the end of it.

    Raises LeaseLostError when it is not ours any more; the transaction then rolls back.
    """
    row, now = LeaseRow, func.clock_timestamp()
    mine = (row.name == lease.name, row.owner == lease.owner, row.epoch == lease.epoch)
    renewed = tx.execute(update(row).where(*mine, row.expires_at > now).values(expires_at=now + ttl))
    if renewed.rowcount == 0:
        raise LeaseLostError(f"the lease {lease.name!r} of {lease.owner} (epoch {lease.epoch}) is gone")


def release(tx: Connection, lease: Lease) -> None:
    """Let the lease expire, so that a standby need not wait. The epoch goes on counting."""
    row = LeaseRow
    mine = (row.name == lease.name, row.owner == lease.owner, row.epoch == lease.epoch)
    tx.execute(update(row).where(*mine).values(expires_at=func.clock_timestamp()))
