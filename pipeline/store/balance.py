"""What a loss proof says, and where the last one is kept."""

from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from pipeline.store.database import upsert
from pipeline.store.ledger import BalanceRow


@dataclass(frozen=True)
class Finding:
    """What does not balance: a code, whose it is, where that stands, and what was found there."""

    problem: str
    subject: str
    where: str
    detail: str = ""


@dataclass(frozen=True)
class Line:
    """A count and where it is accounted for; what is there and in no count is a surplus."""

    what: str
    count: int
    parts: dict[str, int]
    surplus: int = 0

    @property
    def missing(self) -> int:
        """What is accounted for nowhere."""
        return self.count - sum(self.parts.values())

    @property
    def accounted(self) -> str:
        """The parts in words."""
        return ", ".join(f"{count} {what}" for what, count in self.parts.items())


@dataclass(frozen=True)
class Balance:
    """A loss proof as of `at`, over what happened since `since` (None: all that can be checked).

    `findings` are the first of the `found`. `doubles` are records that repeat an event of their topic, which
    is allowed.
    """

    at: datetime
    since: datetime | None
    lines: list[Line]
    findings: list[Finding]
    found: int
    doubles: dict[str, int] = field(default_factory=dict)


def save(tx: Connection, balance: Balance) -> None:
    """Keep a proof in place of the one before."""
    upsert(tx, BalanceRow, [{"id": 1, "at": balance.at, "body": msgspec.to_builtins(balance)}])


def last(tx: Connection) -> Balance | None:
    """The last proof that was kept."""
    body = tx.scalar(select(BalanceRow.body))
    return None if body is None else msgspec.convert(body, Balance)
