"""The one consumer loop. A worker is this loop with a strategy as its only variable part.

The store is the truth about how far a worker has come; Kafka's group offsets follow it, so that lag tools and
offset resets work as operators know them. The loop finishes a batch before it polls again, so nothing is
in flight when partitions are revoked. Where a server is down it goes back to the start of the batch, pauses
its partitions and keeps polling, so that it stays in the group while it waits.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError

from pipeline.bus.connection import Broker, UnavailableError

log = logging.getLogger(__name__)

Place = tuple[str, int]  # topic, partition
POLL_MS = 200  # how long a stop request waits at most
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)  # waits while a server is down; the last one repeats


@dataclass(frozen=True)
class Batch:
    """Records in the order of their partitions, and the offsets to remember once they are done."""

    records: Sequence[Any]

    @property
    def positions(self) -> dict[Place, int]:
        """Per partition the offset of the next record to read."""
        return {(r.topic, r.partition): r.offset + 1 for r in self.records}


class Strategy(Protocol):
    """What a worker does with a batch, and where it remembers how far it came."""

    def positions(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """The next offset of each partition as the store knows it. Raises UnavailableError."""

    def handle(self, batch: Batch) -> None:
        """Write results, dead letters and `batch.positions` in one transaction. Raises UnavailableError."""

    def tick(self) -> None:
        """Called on every turn, some five times a second when idle."""


def start_at(stored: int | None, committed: int | None, first: int, end: int) -> tuple[int, str]:
    """Where to start reading a partition, and why. Pure.

    `stored` is the store's next offset, `committed` the group's, `first` and `end` the broker's range.
    """
    if stored is None and committed is None:
        return first, "new to this group"
    if stored is None:
        return first, "the store knows nothing of it (a new or restored database): all over"
    if stored > end:
        return first, f"the store is at {stored}, the topic ends at {end} (another topic): all over"
    if committed is not None and committed < stored:
        return max(
            committed, first
        ), f"behind the store at {stored} (reset, or killed between commits): replays"
    if committed is not None and committed > stored:
        return max(stored, first), f"the group is at {committed}, the store at {stored} (restored): rewinds"
    return max(stored, first), "continues"


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Collects what was assigned. It runs on the client's I/O thread, where nothing may block."""

    def __init__(self) -> None:
        self.fresh: set[TopicPartition] = set()

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self.fresh.update(assigned)

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self.fresh.difference_update(revoked)

    def on_partitions_lost(self, lost: Sequence[TopicPartition]) -> None:
        self.fresh.difference_update(lost)


class ConsumerLoop:
    """Reads `topics` as `group` and hands batches to the strategy until `stop` is set.

    `instance` makes the member static: only where it is stable and unique (an ordinal), since a restart then
    takes its partitions back at once. Batches hold at most `batch` records.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Sequence[str],
        group: str,
        strategy: Strategy,
        *,
        batch: int = 500,
        instance: str | None = None,
    ) -> None:
        self._broker, self._topics, self._group, self._strategy = broker, tuple(topics), group, strategy
        self._settings: dict[str, Any] = {
            "group_id": group,
            "group_instance_id": f"{group}-{instance}" if instance else None,
            "max_poll_records": batch,
            "partition_assignment_strategy": [CooperativeStickyAssignor],
            # A killed member's partitions go to the others after this; the broker's floor is 6 s.
            "session_timeout_ms": 10_000,
            "heartbeat_interval_ms": 3_000,
        }

    def run(self, stop: threading.Event) -> None:
        """Returns when `stop` is set and the batch in hand is finished."""
        consumer = self._connect(stop)
        if consumer is None:
            return
        listener = _Assigned()
        try:
            consumer.subscribe(list(self._topics), listener=listener)
            failures = 0
            while not stop.is_set():
                try:
                    self._turn(consumer, listener)
                    failures = 0
                except UnavailableError as error:
                    wait = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                    failures += 1
                    log.warning("%s: waiting %.1f s (try %d): %s", self._group, wait, failures, error)
                    self._hold(consumer, listener, stop, wait)
        finally:
            consumer.close(autocommit=False, timeout_ms=5000)

    def _connect(self, stop: threading.Event) -> Any:
        failures = 0
        while not stop.is_set():
            try:
                return self._broker.consumer(self._group, **self._settings)
            except KafkaError as error:
                wait = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("%s: no broker at %s: %r", self._group, self._broker.bootstrap, error)
                stop.wait(wait)
        return None

    def _turn(self, consumer: Any, listener: _Assigned) -> None:
        self._strategy.tick()  # before there is anything in hand that its failure could lose
        polled = consumer.poll(timeout_ms=POLL_MS)
        if listener.fresh:
            # What came with the assignment was read from Kafka's offsets: dropped, and read again from ours.
            _rewind(consumer, polled)
            self._align(consumer, listener)
            return
        records = [record for part in polled.values() for record in part]
        if not records:
            return
        batch = Batch(records)
        try:
            self._strategy.handle(batch)
        except BaseException:
            _rewind(consumer, polled)
            raise
        self._commit(consumer, batch.positions)

    def _align(self, consumer: Any, listener: _Assigned) -> None:
        """Seek freshly assigned partitions to where the store says, and tell Kafka's group so."""
        fresh = sorted(listener.fresh & consumer.assignment())
        try:
            stored = self._strategy.positions(fresh)
            first, end = consumer.beginning_offsets(fresh), consumer.end_offsets(fresh)
            committed = {place: consumer.committed(place) for place in fresh}
        except KafkaError as error:
            raise UnavailableError(f"offsets of {self._group}: {error!r}") from error
        for place in fresh:
            target, why = start_at(stored.get(place), committed[place], first[place], end[place])
            consumer.seek(place, target)
            level = logging.INFO if why in ("continues", "new to this group") else logging.WARNING
            log.log(level, "%s: %s/%d from %d: %s", self._group, place.topic, place.partition, target, why)
        listener.fresh.difference_update(fresh)

    def _commit(self, consumer: Any, positions: Mapping[Place, int]) -> None:
        """The store has them already: a commit that fails costs nothing but a replay that writes nothing."""
        offsets = {TopicPartition(*place): OffsetAndMetadata(at, "", -1) for place, at in positions.items()}
        try:
            consumer.commit(offsets, timeout_ms=5000)
        except KafkaError as error:
            log.warning("%s: offsets not committed to Kafka (the store has them): %r", self._group, error)

    def _hold(self, consumer: Any, listener: _Assigned, stop: threading.Event, seconds: float) -> None:
        """Stay in the group without records for `seconds`."""
        waiter = threading.Event()
        timer = threading.Timer(seconds, waiter.set)
        timer.start()
        try:
            while not waiter.is_set() and not stop.is_set():
                consumer.pause(*consumer.assignment())
                if dropped := consumer.poll(timeout_ms=100):
                    _rewind(consumer, dropped)  # fetched before the pause took hold
        finally:
            timer.cancel()
            consumer.resume(*consumer.paused())


def _rewind(consumer: Any, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
    for place, records in polled.items():
        if place in consumer.assignment():
            consumer.seek(place, records[0].offset)
