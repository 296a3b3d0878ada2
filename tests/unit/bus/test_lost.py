"""What the loop has polled is handled, whatever the strategy meets before it comes to that."""

import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition

from pipeline.bus.connection import UnavailableError
from pipeline.bus.consumer import ConsumerLoop
from pipeline.bus.gathering import Batch

PLACE = TopicPartition("t", 0)
END = 6
SIZES = ("serialized_key_size", "serialized_value_size", "serialized_header_size")


class OnePartition:
    """A consumer of one partition that is given two records a poll, and whose position moves with them."""

    def __init__(self) -> None:
        self.position = 0
        self._paused: set[TopicPartition] = set()

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    def subscribe(self, topics: list[str], listener: Any) -> None:
        listener.on_partitions_assigned([PLACE])

    def poll(self, timeout_ms: int = 0, **_: Any) -> dict[TopicPartition, list[Any]]:
        if self._paused or self.position >= END:
            return {}
        self.position += 2
        offsets = range(self.position - 2, self.position)
        return {
            PLACE: [
                SimpleNamespace(topic="t", partition=0, offset=o, **dict.fromkeys(SIZES, 0)) for o in offsets
            ]
        }

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.position = offset

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def pause(self, *places: TopicPartition) -> None:
        self._paused.update(places)

    def resume(self, *places: TopicPartition) -> None:
        self._paused.difference_update(places)

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, END)

    def committed(self, place: TopicPartition) -> None:
        return None

    def commit_async(self, *_: Any) -> None:
        pass

    def commit(self, *_: Any, **__: Any) -> None:
        pass

    def close(self, **_: Any) -> None:
        pass


class Renewing:
    """A strategy that fails at every third tick, as one that renews its lease while the database is down."""

    def __init__(self, stop: threading.Event) -> None:
        self.seen: list[int] = []
        self._ticks, self._stop = 0, stop

    def claim(self, places: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        return {}

    def release(self, places: Sequence[tuple[str, int]]) -> None:
        pass

    def tick(self) -> None:
        self._ticks += 1
        if self._ticks % 3 == 0:
            raise UnavailableError("Postgres: down")

    def handle(self, batch: Batch) -> None:
        self.seen += [record.offset for record in batch.records]
        if self.seen[-1] == END - 1:
            self._stop.set()


def test_a_failed_tick_drops_no_record() -> None:
    stop = threading.Event()
    strategy, broker = Renewing(stop), SimpleNamespace(consumer=lambda *_, **__: OnePartition())
    end = threading.Timer(20, stop.set)
    end.start()
    ConsumerLoop(broker, ["t"], "g", strategy).run(stop)  # type: ignore[arg-type]
    end.cancel()
    assert strategy.seen == list(range(END))
