"""The loop against a scripted consumer: what it hands over, keeps, drops, pauses and lets go."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CorruptRecordError, FencedInstanceIdError, RebalanceInProgressError

from pipeline.bus import consumer as module
from pipeline.bus.connection import UnavailableError
from pipeline.bus.consumer import ConsumerLoop
from pipeline.bus.gathering import Batch, Limits

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    topic: str = "t"
    key: bytes | None = None
    value: bytes | None = b"1"
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    serialized_key_size: int = -1
    serialized_value_size: int = 1
    serialized_header_size: int = -1


class Consumer:
    """Plays one step of its script a poll, and then IDLE empty ones. A step may return records.

    Time passes in polls and nowhere else. Commits are answered in polls: the first ones with `failures`, none
    while it is `mute`.
    """

    IDLE = 20

    def __init__(self, script: Sequence[Callable[["Consumer"], Any]], stop: threading.Event) -> None:
        self.script, self.stop, self.now = [*script, *[give()] * self.IDLE], stop, 0.0
        self.ours: set[TopicPartition] = set()
        self.held: set[TopicPartition] = set()
        self.committed_now: dict[TopicPartition, int] = {}
        self.told: list[dict[TopicPartition, int]] = []
        self.failures: list[Exception] = []
        self.mute = False
        self._asked: list[tuple[Any, Any]] = []
        self.sought: list[tuple[int, int]] = []
        self.polls_while_paused = 0
        self.listener: Any = None

    def subscribe(self, topics: list[str], listener: Any) -> None:
        self.listener = listener

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        self.now += max(timeout_ms / 1000, 0.001)
        self.polls_while_paused += bool(self.held)
        while self._asked and not self.mute:
            offsets, callback = self._asked.pop(0)
            failure = self.failures.pop(0) if self.failures else None
            if failure is None:
                self.commit(offsets, 0)
            callback(offsets, failure)
        if not self.script:
            self.stop.set()
            return {}
        found: Sequence[Record] = self.script.pop(0)(self) or ()
        return {p: r for p in (P0, P1) if (r := [x for x in found if x.partition == p.partition])}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0, 1}

    def assignment(self) -> set[TopicPartition]:
        return set(self.ours)

    def paused(self) -> set[TopicPartition]:
        return set(self.held)

    def pause(self, *places: TopicPartition) -> None:
        self.held |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        self.held -= set(places)

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 1000)

    def committed(self, place: TopicPartition) -> None:
        return None

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought.append((place.partition, offset))

    def commit_async(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], callback: Any) -> None:
        self.told.append({place: found.offset for place, found in offsets.items()})
        self._asked.append((offsets, callback))

    def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], timeout_ms: int) -> None:
        self.committed_now |= {place: found.offset for place, found in offsets.items()}

    def close(self, autocommit: bool, timeout_ms: int) -> None:
        assert not autocommit


class Strategy:
    """Remembers what it was given; the first `down` batches meet a database that is down."""

    def __init__(self, down: int = 0) -> None:
        self.down, self.claimed, self.released = down, [], []  # type: ignore[var-annotated]
        self.done: list[tuple[int, int]] = []
        self.ahead: list[list[tuple[int, int]]] = []

    def claim(self, places: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        self.claimed += [p for _, p in places]
        return {("t", 0): 7}

    def release(self, places: Sequence[tuple[str, int]]) -> None:
        self.released += [p for _, p in places]

    def handle(self, batch: Batch) -> None:
        if self.down:
            self.down -= 1
            raise UnavailableError("the database is down")
        self.done += [(r.partition, r.offset) for r in batch.records]
        self.ahead.append([(r.partition, r.offset) for r in batch.ahead])

    def tick(self) -> None:
        pass


def assign(*places: TopicPartition) -> Callable[[Consumer], list[Record]]:
    def step(consumer: Consumer) -> list[Record]:
        consumer.ours |= set(places)
        consumer.listener.on_partitions_assigned(places)
        return [Record(p.partition, 0) for p in places]  # from Kafka's offsets: not to be handed over

    return step


def revoke(place: TopicPartition, how: str = "on_partitions_revoked") -> Callable[[Consumer], None]:
    def step(consumer: Consumer) -> None:
        consumer.ours.discard(place)
        consumer.held.discard(place)
        getattr(consumer.listener, how)([place])

    return step


def give(*records: Record) -> Callable[[Consumer], Sequence[Record]]:
    return lambda consumer: records


def fail(error: Exception) -> Callable[[Consumer], None]:
    def step(consumer: Consumer) -> None:
        raise error

    return step


class Broker:
    bootstrap = "nowhere"

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def consumer(self, client: str, **settings: Any) -> Consumer:
        return self._consumer


def run(strategy: Strategy, *script: Callable[[Consumer], Any], count: int = 500) -> Consumer:
    stop = threading.Event()
    consumer = Consumer(script, stop)
    limits = Limits(count=count, seconds=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "monotonic", lambda: consumer.now)
        patch.setattr(module, "RETRY_SECONDS", (3 * module.FULL_SECONDS,))
        ConsumerLoop(Broker(consumer), ["t"], "g", strategy, limits=limits).run(stop)  # type: ignore[arg-type]
    return consumer


def test_it_starts_where_the_store_says_and_lets_go_at_the_end() -> None:
    strategy = Strategy()
    consumer = run(strategy, assign(P0, P1), give(Record(0, 7), Record(1, 0)))
    assert sorted(consumer.sought) == [(0, 7), (1, 0)]
    assert strategy.done == [(0, 7), (1, 0)]
    assert consumer.committed_now == {P0: 8, P1: 1}
    assert sorted(strategy.claimed) == sorted(strategy.released) == [0, 1]


def test_a_batch_is_kept_while_a_server_is_down_and_polled_on() -> None:
    strategy = Strategy(down=3)
    consumer = run(strategy, assign(P0), give(Record(0, 7), Record(0, 8)))
    assert strategy.done == [(0, 7), (0, 8)]
    assert consumer.polls_while_paused >= 3 * 3
    assert not consumer.held


@pytest.mark.parametrize("how", ["on_partitions_revoked", "on_partitions_lost"])
def test_what_is_revoked_while_it_waits_is_dropped(how: str) -> None:
    strategy = Strategy(down=1)
    run(strategy, assign(P0, P1), give(Record(0, 7), Record(1, 0)), revoke(P1, how))
    assert strategy.done == [(0, 7)]
    assert strategy.released == [1, 0]


def test_what_comes_back_is_read_anew() -> None:
    strategy = Strategy(down=1)
    run(strategy, assign(P0), give(Record(0, 9)), revoke(P0), assign(P0), *[give()] * 5, give(Record(0, 7)))
    assert strategy.done == [(0, 7)]
    assert strategy.claimed == [0, 0]


def test_nothing_more_is_fetched_while_two_batches_wait() -> None:
    strategy = Strategy()
    many = give(*(Record(0, 7 + n) for n in range(9)))
    consumer = run(strategy, assign(P0), many, count=2)
    assert strategy.done == [(0, 7 + n) for n in range(9)]
    assert consumer.polls_while_paused == 2  # of the nine seven were left, and then five
    assert not consumer.held


def test_a_batch_knows_what_lies_ahead_of_it() -> None:
    strategy = Strategy()
    run(strategy, assign(P0), give(Record(0, 7), Record(0, 8)), give(Record(0, 9)), count=2)
    assert strategy.done == [(0, 7), (0, 8), (0, 9)]
    assert strategy.ahead == [[(0, 9)], []]  # a second poll asked for it


def fails_once(consumer: Consumer) -> None:
    consumer.failures.append(RebalanceInProgressError())


def test_a_commit_that_fails_is_told_again() -> None:
    consumer = run(Strategy(), assign(P0, P1), fails_once, give(Record(0, 7)), give(Record(1, 0)))
    assert consumer.told == [{P0: 7}, {P0: 8}, {P0: 8, P1: 1}]  # the first says where it starts
    assert consumer.committed_now == {P0: 8, P1: 1}


def test_of_a_partition_that_is_lost_nothing_is_told_again() -> None:
    consumer = run(Strategy(), assign(P0, P1), fails_once, give(Record(0, 7), Record(1, 0)), revoke(P1))
    assert consumer.told == [{P0: 7}, {P0: 8, P1: 1}, {P0: 8}]


def test_the_loop_waits_for_no_answer() -> None:
    def mute(consumer: Consumer) -> None:
        consumer.mute = True

    def later(consumer: Consumer) -> None:
        consumer.now += module.ANSWER_SECONDS

    strategy = Strategy()
    consumer = run(strategy, assign(P0), mute, give(Record(0, 7)), give(Record(0, 8)), give(), later)
    assert strategy.done == [(0, 7), (0, 8)]
    assert consumer.told == [{P0: 7}, {P0: 8}, {P0: 9}, {P0: 9}]  # the last after the time for an answer
    assert consumer.committed_now == {P0: 9}  # at the end, waiting for it


def test_a_poll_that_fails_is_waited_out() -> None:
    strategy = Strategy()
    run(strategy, assign(P0), fail(CorruptRecordError("x")), *[give()] * 5, give(Record(0, 7)))
    assert strategy.done == [(0, 7)]


def test_of_two_with_one_instance_number_the_older_ends() -> None:
    with pytest.raises(FencedInstanceIdError):
        run(Strategy(), assign(P0), fail(FencedInstanceIdError()))
