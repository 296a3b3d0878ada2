"""What is kept for a while only: deleted in batches, so that no lock is held for long."""

from datetime import timedelta

from sqlalchemy import Connection, delete, func, select

from pipeline.store.dead_letters import SETTLED
from pipeline.store.models import DeadLetterRow, PollRow


def old_polls(tx: Connection, age: timedelta, limit: int) -> int:
    """Delete records of polls older than `age`; how many there were, at most `limit`."""
    old = select(PollRow.id).where(PollRow.at < func.now() - age).order_by(PollRow.at).limit(limit)
    return tx.execute(delete(PollRow).where(PollRow.id.in_(old))).rowcount


def settled_letters(tx: Connection, age: timedelta, limit: int) -> int:
    """Delete settled dead letters older than `age`; those that are open or under way stay."""
    row = DeadLetterRow
    old = (
        select(row.id)
        .where(row.state.in_(SETTLED), row.failed_at < func.now() - age)
        .order_by(row.id)
        .limit(limit)
    )
    return tx.execute(delete(row).where(row.id.in_(old))).rowcount
