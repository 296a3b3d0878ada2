"""From a batch of records to one transaction: decode, prepare, write, remember the offsets.

What cannot be decoded or processed becomes a dead letter in the same transaction as its neighbours' results.
A failing batch is halved until the record that fails stands alone, so that one bad record costs one record.
A database that is down is no dead letter.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError

from pipeline.bus.connection import UnavailableError
from pipeline.bus.consumer import Batch
from pipeline.store import dead_letters, leases, progress
from schemas.codec import ContractError, decode, header
from schemas.messages import DeadLetter, Header, Message
from schemas.topics import Topic

log = logging.getLogger(__name__)

Write = Callable[[Connection], object]
Prepare = Callable[[Sequence[Any]], Write]
LEASE_TTL = timedelta(seconds=10)
LAST_MOMENT = (
    253_402_300_799_000  # of the year 9999 in ms: a record's timestamp is whatever its producer said
)


class FloodError(Exception):
    """So many records in a row failed that the fault must be ours: the worker stops."""


class StoreStrategy:
    """What every worker on a topic does; `prepare` is what makes it the one it is.

    `prepare` takes decoded messages, does the work that needs no database and returns what writes the result.
    `lease`, where given, is held in every writing transaction. `flood` failures in a row stop the worker.
    """

    def __init__(
        self,
        engine: Engine,
        group: str,
        topic: Topic,
        letters: Topic,
        prepare: Prepare,
        *,
        worker: str,
        version: str,
        lease: leases.Lease | None = None,
        flood: int = 100,
    ) -> None:
        self._engine, self._group, self._topic, self._letters = engine, group, topic, letters
        self._prepare, self._worker, self._version = prepare, worker, version
        self._lease, self._flood, self._failed_in_a_row = lease, flood, 0
        self._held_at = monotonic()

    def positions(self, places: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """The store's next offsets. Raises UnavailableError."""
        try:
            with self._engine.connect() as tx:
                return progress.load_offsets(tx, self._group, places)
        except DBAPIError as error:
            raise unavailable(error) from error

    def tick(self) -> None:
        """Renew the lease when nothing was written for a while. Raises LeaseLostError."""
        if self._lease and monotonic() - self._held_at > LEASE_TTL.total_seconds() / 4:
            self._write(lambda _: None, [], {})

    def handle(self, batch: Batch) -> None:
        """Process and write a batch. Raises UnavailableError, LeaseLostError, FloodError."""
        decoded: list[tuple[Any, Message | None]] = []
        letters = []
        for record in batch.records:
            if record.value is None and self._topic.forgets:
                decoded.append((record, None))  # the state before it has said all
                continue
            try:
                decoded.append((record, decode(self._topic, record.headers, record.value)))
            except ContractError as error:
                decoded.append((record, None))
                letters.append(self._letter(record, "decode", error))
        self._process(decoded, letters)
        self._count(batch, letters)

    def _process(self, decoded: Sequence[tuple[Any, Message | None]], letters: list[DeadLetter]) -> None:
        records = [record for record, _ in decoded]
        places = {(r.topic, r.partition, r.offset) for r in records}
        try:
            write = self._prepare([message for _, message in decoded if message is not None])
            mine = [d for d in letters if (d.topic, d.partition, d.offset) in places]
            self._write(write, mine, Batch(records).positions)
        except (UnavailableError, leases.LeaseLostError):
            raise
        except Exception as error:
            if len(decoded) > 1:
                middle = len(decoded) // 2
                self._process(decoded[:middle], letters)
                self._process(decoded[middle:], letters)
            else:
                letter = self._letter(records[0], "process", error)
                log.exception("%s/%d at %d: dead letter", letter.topic, letter.partition, letter.offset)
                letters.append(letter)
                self._write(lambda _: None, [letter], Batch(records).positions)

    def _write(
        self, write: Write, letters: Sequence[DeadLetter], positions: Mapping[tuple[str, int], int]
    ) -> None:
        try:
            with self._engine.begin() as tx:
                if self._lease:
                    leases.hold(tx, self._lease, LEASE_TTL)
                write(tx)
                dead_letters.add(tx, self._letters, letters)
                progress.save_offsets(tx, self._group, positions)
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            raise unavailable(error) from error
        self._held_at = monotonic()

    def _count(self, batch: Batch, letters: Sequence[DeadLetter]) -> None:
        bad = {(d.topic, d.partition, d.offset) for d in letters}
        for r in batch.records:
            failed = (r.topic, r.partition, r.offset) in bad
            self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        if letters:
            log.warning("%s: %d of %d became dead letters", self._group, len(letters), len(batch.records))
        if self._failed_in_a_row >= self._flood:
            raise FloodError(
                f"{self._worker}: {self._failed_in_a_row} records of {self._topic.name} in a row failed, "
                f"the last with {letters[-1].errors[0]}. This is a bad deploy or a bad producer, not bad "
                f"records: mend it, then `racewire dead-letters redrive`."
            )

    def _letter(self, record: Any, reason: str, error: BaseException) -> DeadLetter:
        errors = list(_chain(error))
        shape = re.sub(r"\d+", "#", errors[-1])
        return DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=datetime.fromtimestamp(min(max(record.timestamp, 0), LAST_MOMENT) / 1000, UTC),
            key=record.key,
            value=record.value,
            headers=[Header(key=_clean(name), value=value or b"") for name, value in record.headers],
            reason=reason,
            errors=errors,
            fingerprint=blake2b(f"{reason} {shape}".encode(), digest_size=6).hexdigest(),
            worker=self._worker,
            worker_version=self._version,
            failed_at=datetime.now(UTC),
            attempts=_attempts(record.headers) + 1,
        )


def unavailable(error: DBAPIError) -> UnavailableError:
    """The database's error as one that is waited out. Its statement and parameters stay out of the log."""
    return UnavailableError(f"Postgres: {' '.join(str(error.orig).split())[:300]}")


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        yield _clean(f"{type(error).__name__}: {text[:500]}")
        error = error.__cause__


def _clean(text: str) -> str:
    """What Postgres can store: without NUL and lone surrogates, which come from whoever made the record."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _attempts(headers: Any) -> int:
    """How often a redriven record has failed before; 0 where the header is missing or not ours."""
    text = header(headers, dead_letters.ATTEMPTS) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
