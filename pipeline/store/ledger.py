"""The tables by which nothing is lost or doubled: what waits, how far who has come, what failed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from pipeline.store.models import Base


class OutboxRow(Base):
    """A record that is to be published, in the order it was written; those of lane 0 first."""

    __tablename__ = "outbox"
    seq: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    lane: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    topic: Mapped[str]
    key: Mapped[bytes | None]
    event_id: Mapped[str]
    headers: Mapped[list[Any]]
    value: Mapped[bytes | None]
    __table_args__ = (
        Index("outbox_order", "lane", "seq"),
        # A hash: nobody bounds a key that is sent again.
        Index("outbox_key", "key", postgresql_using="hash"),
    )


class ConsumerOffsetRow(Base):
    """How far a consumer group has come: the next offset to read."""

    __tablename__ = "consumer_offsets"
    group_id: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    next_offset: Mapped[int]
    moved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ClaimRow(Base):
    """The process that reads a partition for a group; there is none where the last one left in good order.

    Before `reach` it had many records in hand. After a death those are tried alone: `trying` is the offset of
    the one under way, `attempts` how often.
    """

    __tablename__ = "claims"
    group_id: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reach: Mapped[int | None]
    trying: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(server_default="0")


class RelayCheckpointRow(Base):
    """How far the relay knows each target partition: everything before is accounted for."""

    __tablename__ = "relay_checkpoints"
    topic: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    next_offset: Mapped[int]


class BalanceRow(Base):
    """The last loss proof (`pipeline.store.balance`): the one row."""

    __tablename__ = "balance"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]


class LeaseRow(Base):
    """Who leads, since which epoch, until when by the database's clock."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    epoch: Mapped[int]
    expires_at: Mapped[datetime]


class DeadLetterRow(Base):
    """A record that could not be processed, and what was done about it (`pipeline.store.dead_letters`)."""

    __tablename__ = "dead_letters"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    topic: Mapped[str]
    partition: Mapped[int]
    record_offset: Mapped[int]
    reason: Mapped[str]
    fingerprint: Mapped[str]
    state: Mapped[str]
    failed_at: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    __table_args__ = (
        Index("dead_letters_place", "topic", "partition", "record_offset", unique=True),
        Index("dead_letters_open", "state", "id"),
    )
