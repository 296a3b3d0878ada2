"""Reading a range of a topic outside any consumer group."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kafka import TopicPartition

from pipeline.bus.connection import Broker, UnavailableError


def ends(broker: Broker, topic: str) -> dict[tuple[str, int], int]:
    """The end offset of each partition of `topic`. Raises KafkaError."""
    consumer = broker.consumer("reader")
    try:
        places = _partitions(consumer, topic)
        return {(p.topic, p.partition): end for p, end in consumer.end_offsets(places).items()}
    finally:
        consumer.close(timeout_ms=2000)


def offsets_since(broker: Broker, topic: str, moment: datetime) -> dict[tuple[str, int], int]:
    """For each partition of `topic` the offset from which on its records are no older than `moment`."""
    consumer = broker.consumer("reader")
    try:
        places = _partitions(consumer, topic)
        found = consumer.offsets_for_times(dict.fromkeys(places, int(moment.timestamp() * 1000)))
        end = consumer.end_offsets(places)
        return {(p.topic, p.partition): found[p].offset if found.get(p) else end[p] for p in places}
    finally:
        consumer.close(timeout_ms=2000)


def read_to_end(broker: Broker, topic: str, start: Mapping[tuple[str, int], int]) -> Iterator[Any]:
    """Every record of `topic` from `start` (default: the beginning) to the ends as they are now."""
    consumer = broker.consumer("reader")
    try:
        places = _partitions(consumer, topic)
        consumer.assign(places)
        first = consumer.beginning_offsets(places)
        todo = dict(consumer.end_offsets(places))
        for place in places:
            begin = max(first[place], start.get((place.topic, place.partition), 0))
            if begin > todo[place]:  # of a topic that was made anew since
                begin = first[place]
            consumer.seek(place, begin)
            if begin >= todo[place]:
                del todo[place]
        while todo:
            for records in consumer.poll(timeout_ms=500).values():
                yield from records
            todo = {place: end for place, end in todo.items() if consumer.position(place) < end}
    finally:
        consumer.close(timeout_ms=2000)


def tail(broker: Broker, topic: str, last: int, follow: bool) -> Iterator[Any]:
    """The last `last` records of each partition, and with `follow` those that come, until interrupted."""
    consumer = broker.consumer("tail")
    try:
        places = _partitions(consumer, topic)
        consumer.assign(places)
        first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, max(first[place], end[place] - last))
        while follow or any(consumer.position(place) < end[place] for place in places):
            for records in consumer.poll(timeout_ms=500).values():
                yield from records
    finally:
        consumer.close(timeout_ms=2000)


def _partitions(consumer: Any, topic: str) -> list[TopicPartition]:
    found = consumer.partitions_for_topic(topic)
    if not found:
        raise UnavailableError(
            f"no topic {topic!r} on the broker; `racewire up` and `racewire deploy` create topics"
        )
    return [TopicPartition(topic, partition) for partition in sorted(found)]
