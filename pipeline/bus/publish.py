"""Publishing records: sent together, every acknowledgement looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka.errors import KafkaError

from pipeline.bus.connection import UnavailableError
from schemas.codec import OutRecord


class PublishError(UnavailableError):
    """Some records were not acknowledged. `placed` are those before the first that failed."""

    def __init__(self, message: str, placed: "list[Place]") -> None:
        super().__init__(message)
        self.placed = placed


@dataclass(frozen=True)
class Place:
    """Where a record stands on the broker."""

    topic: str
    partition: int
    offset: int


def publish(producer: Any, records: Sequence[OutRecord], timeout: float = 35.0) -> list[Place]:
    """Send all records and wait until each is acknowledged; their places, in the order given.

    `timeout` is in seconds and longer than the producer's own delivery timeout. Raises PublishError when any
    failed: the caller discards the producer, since later records of the same partition may be out or not.
    """
    placed: list[Place] = []
    if not records:
        return placed
    try:
        futures = [producer.send(r.topic, key=r.key, value=r.value, headers=list(r.headers)) for r in records]
        producer.flush(timeout)
        for future in futures:
            done = future.get(timeout=1)
            placed.append(Place(done.topic, done.partition, done.offset))
    except (KafkaError, ValueError, AssertionError) as error:
        first = records[len(placed)]
        raise PublishError(
            f"{first.topic}: event {first.event_id} was not acknowledged "
            f"({len(placed)} of {len(records)} before it were): {error!r}",
            placed,
        ) from error
    return placed
