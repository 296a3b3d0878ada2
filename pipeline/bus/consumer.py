"""The one consumer loop. A worker is this loop with a strategy as its only variable part.

The store is the truth about how far a worker has come; Kafka's group offsets follow it, so that lag tools and
offset resets work as operators know them. The loop finishes a batch before it polls again, so nothing is
in flight when partitions are revoked. Where a server is down it keeps the batch, pauses its partitions and
keeps polling, so that it stays in the group while it waits; what is revoked meanwhile is dropped.
"""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol

from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import FencedInstanceIdError, KafkaError

from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.gathering import Batch, Gathering, Limits, Place

log = logging.getLogger(__name__)

FULL_SECONDS = 0.05  # for heartbeats and rebalances while enough waits already
ANSWER_SECONDS = 10.0  # in which Kafka answers to a commit, or is told again
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)  # waits while a server is down; the last one repeats


class Strategy(Protocol):
    """What a worker does with a batch, and where it remembers how far it came."""

    def claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Take over partitions: their next offsets as the store knows them. Raises UnavailableError."""

    def release(self, places: Sequence[Place]) -> None:
        """Partitions are let go in good order. Raises nothing."""

    def handle(self, batch: Batch) -> None:
        """Write results, dead letters and `batch.positions` in one transaction. Raises UnavailableError."""

    def tick(self) -> None:
        """Called on every turn, some five times a second when idle. Raises UnavailableError."""


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
    """Collects what comes and goes. It runs on the client's I/O thread, during `poll`; nothing may block."""

    def __init__(self) -> None:
        self.fresh: set[TopicPartition] = set()
        self.gone: set[TopicPartition] = set()

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self.fresh.update(assigned)

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self.fresh.difference_update(revoked)
        self.gone.update(revoked)

    def on_partitions_lost(self, lost: Sequence[TopicPartition]) -> None:
        self.on_partitions_revoked(lost)


class ConsumerLoop:
    """Reads `topics` as `group` and hands batches to the strategy until `stop` is set.

    `instance` makes the member static: only where it is stable and unique (an ordinal), since a restart then
    takes its partitions back at once.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Sequence[str],
        group: str,
        strategy: Strategy,
        *,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        instance: str | None = None,
    ) -> None:
        self._broker, self._topics, self._group, self._strategy = broker, tuple(topics), group, strategy
        self._waiting = Gathering(limits)
        self._owed: dict[Place, int] = {}  # positions that Kafka has not taken yet
        self._tell_at = 0.0  # when it is told them again, unless it answers before
        self._settings: dict[str, Any] = {
            "group_id": group,
            "group_instance_id": f"{group}-{instance}" if instance else None,
            "max_poll_records": limits.count,
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
            self._settle(consumer)
            self._strategy.release(_places(consumer.assignment()))
            consumer.close(autocommit=False, timeout_ms=5000)

    def _connect(self, stop: threading.Event) -> Any:
        failures = 0
        while not stop.is_set():
            try:
                consumer = self._broker.consumer(self._group, **self._settings)
                for topic in self._topics:
                    # Known before the group is joined: kafka-python else may assign nothing, for minutes.
                    consumer.partitions_for_topic(topic)
            except KafkaError as error:
                wait = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("%s: no broker at %s: %r", self._group, self._broker.bootstrap, error)
                stop.wait(wait)
            else:
                return consumer
        return None

    def _turn(self, consumer: Any, listener: _Assigned) -> None:
        waiting = self._waiting
        if waiting.full:
            consumer.pause(*consumer.assignment())
        else:
            consumer.resume(*consumer.paused())
        self._poll(consumer, listener, FULL_SECONDS if waiting.full else waiting.patience(monotonic()))
        if waiting.ready and not waiting.full:
            self._poll(consumer, listener, 0.0)  # for what lies ahead
        self._strategy.tick()
        if listener.fresh:
            self._align(consumer, listener)
        now = monotonic()
        batch = waiting.take(now)
        if batch is not None:
            try:
                self._strategy.handle(batch)
            except UnavailableError:
                waiting.put_back(batch)
                raise
            waiting.learn(len(batch.records), monotonic() - now)
            self._owed |= batch.positions
        if batch is not None or (self._owed and monotonic() >= self._tell_at):
            self._tell_at = monotonic() + ANSWER_SECONDS
            consumer.commit_async(_offsets(self._owed), self._answered)

    def _poll(self, consumer: Any, listener: _Assigned, seconds: float) -> None:
        """Keep the membership alive, and take what came of partitions that are ours and aligned."""
        try:
            polled = consumer.poll(timeout_ms=int(seconds * 1000))
        except FencedInstanceIdError:
            raise  # another process has this instance number: one of the two has to end
        except KafkaError as error:
            raise UnavailableError(f"poll of {', '.join(self._topics)}: {error!r}") from error
        gone, listener.gone = listener.gone, set()
        lost = _places(gone | listener.fresh)
        self._waiting.drop(lost)
        for place in lost:  # where another stands by now is not ours to say
            self._owed.pop(place, None)
        if gone:
            self._strategy.release(_places(gone))
        # What comes with an assignment was read from Kafka's offsets: it is read again from the store's.
        came = [record for place, some in polled.items() if place not in listener.fresh for record in some]
        self._waiting.add(came, monotonic())

    def _align(self, consumer: Any, listener: _Assigned) -> None:
        """Seek freshly assigned partitions to where the store says, and tell Kafka's group so."""
        fresh = sorted(listener.fresh & consumer.assignment())
        try:
            stored = self._strategy.claim(_places(fresh))
            first, end = consumer.beginning_offsets(fresh), consumer.end_offsets(fresh)
            committed = {place: consumer.committed(place) for place in fresh}
        except KafkaError as error:
            raise UnavailableError(f"offsets of {self._group}: {error!r}") from error
        for place in fresh:
            target, why = start_at(stored.get(place), committed[place], first[place], end[place])
            consumer.seek(place, target)
            if stored.get(place) is not None and committed[place] != target:
                self._owed[(place.topic, place.partition)] = target  # what it was told last was never taken
            level = logging.INFO if why in ("continues", "new to this group") else logging.WARNING
            log.log(level, "%s: %s/%d from %d: %s", self._group, place.topic, place.partition, target, why)
        listener.fresh.difference_update(fresh)

    def _answered(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], answer: object) -> None:
        """Kafka has answered to a commit. One that failed stays owed; the store knows, so nobody waits."""
        self._tell_at = 0.0
        if isinstance(answer, Exception):
            self._tell_at = monotonic() + RETRY_SECONDS[0]
            log.warning("%s: offsets not committed to Kafka (the store has them): %r", self._group, answer)
            return
        for place, told in offsets.items():
            if self._owed.get((place.topic, place.partition)) == told.offset:
                del self._owed[place.topic, place.partition]

    def _settle(self, consumer: Any) -> None:
        """Leave nothing owed at the end, where Kafka answers."""
        try:
            consumer.commit(_offsets(self._owed), timeout_ms=5000)
        except KafkaError as error:
            self._answered({}, error)

    def _hold(self, consumer: Any, listener: _Assigned, stop: threading.Event, seconds: float) -> None:
        """Stay in the group without new records for `seconds`; the next turn resumes."""
        end = monotonic() + seconds
        while monotonic() < end and not stop.is_set():
            try:
                consumer.pause(*consumer.assignment())
                self._poll(consumer, listener, FULL_SECONDS)
            except UnavailableError:
                stop.wait(FULL_SECONDS)  # told when the wait began


def _offsets(positions: Mapping[Place, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*place): OffsetAndMetadata(at, "", -1) for place, at in positions.items()}


def _places(partitions: Collection[TopicPartition]) -> list[Place]:
    return [(p.topic, p.partition) for p in sorted(partitions)]
