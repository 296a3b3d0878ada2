"""From a batch of records to one transaction: decode, prepare, write, remember the offsets.

What cannot be decoded or prepared becomes a dead letter in the same transaction as its neighbours' results,
at no cost to them. A batch that cannot be written is halved until the record that fails stands alone, so that
one bad record costs one record. A database that is down is no dead letter. After the death of a partition's
last reader, what it had in hand is done one at a time, and a record that kills again and again is put aside.
"""

import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import UnavailableError
from pipeline.bus.gathering import Batch, Place
from pipeline.store import claims, dead_letters, leases, progress
from pipeline.store.aggregates import ConflictError
from pipeline.store.faults import is_of_data
from pipeline.store.waiting import meanwhile
from pipeline.workers.caution import FEW, Caution
from pipeline.workers.flood import Flood, FloodError
from pipeline.workers.letters import letter
from schemas.codec import ContractError, decode
from schemas.messages import DeadLetter
from schemas.topics import Topic

log = logging.getLogger(__name__)

Prepare = Callable[[Any], Any]
Write = Callable[[Connection, Sequence[Any]], object]
LEASE_TTL = timedelta(seconds=10)
BEAT_SECONDS = 5.0
KILLS = 3  # deaths over a record that was tried alone, until it is put aside


class KilledError(Exception):
    """A record is what kills its worker: the process ended each time while it had nothing else in hand."""


class _Done(Struct, frozen=True):
    """A record with what is to be written of it: a result, or a dead letter."""

    record: Any
    result: Any = None
    letter: DeadLetter | None = None


class StoreStrategy:
    """What every worker on a topic does; `prepare` and `write` are what makes it the one it is.

    `prepare` takes a decoded message and does the work that needs no database; `write` writes a batch of what
    it returned. `lease`, where given, is held in every writing transaction.
    """

    def __init__(
        self,
        engine: Engine,
        group: str,
        topic: Topic,
        letters: Topic,
        prepare: Prepare,
        write: Write,
        *,
        worker: str,
        version: str,
        lease: leases.Lease | None = None,
    ) -> None:
        self._engine, self._group, self._topic, self._letters = engine, group, topic, letters
        self._prepare, self._results, self._worker, self._version = prepare, write, worker, version
        self._lease = lease
        self._owner = process_name()
        self._cautions: dict[Place, Caution] = {}
        self._begun: tuple[Place, int] | None = None  # the last attempt that this process has marked
        self._ahead: dict[int, _Done] = {}  # what was judged while the last batch was written, by `id`
        self._flood = Flood()
        self._held_at = self._seen_at = monotonic()

    def claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Take partitions over: the store's next offsets. Raises UnavailableError."""
        try:
            with self._engine.begin() as tx:
                left = claims.claim(tx, self._group, self._owner, places)
                found = progress.load_offsets(tx, self._group, places)
        except DBAPIError as error:
            raise unavailable(error) from error
        if left:
            log.warning(
                "%s: the last reader of %s died: what it had in hand is done one record at a time",
                self._group,
                ", ".join(f"{topic}/{partition}" for topic, partition in sorted(left)),
            )
        self._cautions |= {place: Caution(reach) for place, reach in left.items()}
        return found

    def release(self, places: Sequence[Place]) -> None:
        """Let partitions go, so that their next reader need not be cautious."""
        for place in places:
            self._cautions.pop(place, None)
        try:
            with self._engine.begin() as tx:
                claims.release(tx, self._group, self._owner, places)
        except DBAPIError as error:
            log.info(
                "%s: the claims stay, and the next reader is cautious: %s", self._group, unavailable(error)
            )

    def tick(self) -> None:
        """Say that we live, and renew the lease when nothing was written for a while.

        Raises UnavailableError, LeaseLostError.
        """
        if self._lease and monotonic() - self._held_at > LEASE_TTL.total_seconds() / 4:
            self._write([])
        if monotonic() - self._seen_at > BEAT_SECONDS:
            try:
                with self._engine.begin() as tx:
                    claims.beat(tx, self._group, self._owner)
            except DBAPIError as error:
                raise unavailable(error) from error
            self._seen_at = monotonic()

    def handle(self, batch: Batch) -> None:
        """Process and write a batch. Raises UnavailableError, LeaseLostError, FloodError."""
        together = []
        for record in batch.records:
            if caution := self._caution(record):
                self._finish([self._try_alone(record)])
                caution.survived()
            else:
                together.append(record)
        ahead = [] if any(map(self._caution, batch.ahead)) else batch.ahead
        if len(together) + len(ahead) > FEW:
            self._go(Batch([*together, *ahead]).positions)
        known, self._ahead = self._ahead, {}
        items = [known.get(id(record)) or self._judge(record) for record in together]
        left = iter(ahead)

        def look_ahead() -> bool:
            if (record := next(left, None)) is not None:
                self._ahead[id(record)] = self._judge(record)
            return record is not None

        with meanwhile(look_ahead):
            self._finish(items)

    def _caution(self, record: Any) -> Caution | None:
        """The caution that a record is to be tried with."""
        caution = self._cautions.get((record.topic, record.partition))
        return caution if caution and caution.covers(record.offset) else None

    def _go(self, positions: Mapping[Place, int]) -> None:
        """Say what is in hand, for the next reader where this one dies."""
        try:
            with self._engine.begin() as tx:
                claims.go(tx, self._group, self._owner, positions)
        except DBAPIError as error:
            raise unavailable(error) from error

    def _judge(self, record: Any) -> _Done:
        """The work on one record that needs no database."""
        if record.value is None and self._topic.forgets:
            return _Done(record)  # the state before it has said all
        try:
            message = decode(self._topic, record.headers, record.value)
        except ContractError as error:
            return self._dead(record, "decode", error)
        try:
            return _Done(record, self._prepare(message))
        except Exception as error:
            return self._dead(record, "process", error)

    def _try_alone(self, record: Any) -> _Done:
        """The same, but marked before, so that its deaths are counted."""
        place = (record.topic, record.partition)
        if self._begun != (place, record.offset):
            try:
                with self._engine.begin() as tx:
                    attempts = claims.begin(tx, self._group, place, record.offset)
            except DBAPIError as error:
                raise unavailable(error) from error
            self._begun = (place, record.offset)
            if attempts > KILLS:
                return self._dead(
                    record,
                    "killed-worker",
                    KilledError(f"{KILLS} times the process died while it had this record alone in hand"),
                )
        return self._judge(record)

    def _finish(self, items: Sequence[_Done]) -> None:
        """Write, and see whether it is a flood."""
        if not items:
            return
        done = self._store(items)
        bad = [item.letter for item in done if item.letter]
        self._flood.add(item.letter is not None for item in done)
        if bad:
            log.warning("%s: %d of %d became dead letters", self._group, len(bad), len(done))
        if bad and self._flood:
            raise FloodError(
                f"{self._worker}: {self._flood} of {self._topic.name} failed, the last with "
                f"{bad[-1].errors[0]}. This is a bad deploy or a bad producer, not bad records: see "
                f"`racewire dead-letters list`, mend the cause, start the worker again, then "
                f"`racewire dead-letters redrive`."
            )

    def _store(self, items: Sequence[_Done]) -> list[_Done]:
        """Write records, those that cannot be as dead letters; what became of each."""
        try:
            self._write(items)
        except (UnavailableError, leases.LeaseLostError):
            raise
        except Exception as error:
            if len(items) > 1:
                middle = len(items) // 2
                return self._store(items[:middle]) + self._store(items[middle:])
            if items[0].letter:  # not even that can be written: no record's fault
                raise
            return self._store([self._dead(items[0].record, "write", error)])
        return list(items)

    def _write(self, items: Sequence[_Done]) -> None:
        try:
            with self._engine.begin() as tx:
                if self._lease:
                    leases.hold(tx, self._lease, LEASE_TTL)
                if results := [item.result for item in items if item.result is not None]:
                    self._results(tx, results)
                dead_letters.add(tx, self._letters, [item.letter for item in items if item.letter])
                dead_letters.settle(tx, _redriven(items, failed=False), _redriven(items, failed=True))
                progress.save_offsets(tx, self._group, Batch([item.record for item in items]).positions)
                if self._begun and [_begun(item) for item in items if not item.letter] == [self._begun]:
                    claims.survive(tx, self._group, *self._begun)
        except ConflictError as error:
            raise UnavailableError(str(error)) from error
        except DBAPIError as error:
            if is_of_data(error):
                raise
            raise unavailable(error) from error
        self._held_at = monotonic()

    def _dead(self, record: Any, reason: str, error: Exception) -> _Done:
        found = letter(record, reason, error, self._worker, self._version)
        log.warning("%s/%d at %d: dead letter (%s): %s", *_place(record), reason, found.errors[0])
        return _Done(record, letter=found)


def process_name() -> str:
    """This process among all that ever were, for leases and claims: host, process, chance."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def unavailable(error: DBAPIError) -> UnavailableError:
    """The database's error as one that is waited out. Its statement and parameters stay out of the log."""
    return UnavailableError(f"Postgres: {' '.join(str(error.orig).split())[:300]}")


def _redriven(items: Sequence[_Done], *, failed: bool) -> list[int]:
    """The dead letters that records were redriven from, of those that failed again or of the others."""
    found = [dead_letters.letter_of(i.record.headers) for i in items if (i.letter is not None) is failed]
    return [number for number in found if number is not None]


def _begun(item: _Done) -> tuple[Place, int]:
    return (item.record.topic, item.record.partition), item.record.offset


def _place(record: Any) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset
