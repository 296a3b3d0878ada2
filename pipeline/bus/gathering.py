"""Records on their way from polls to batches: gathered by count, bytes and time, kept while a server is down.

Pure: it is told the time, in seconds of a monotonic clock. How many records a batch takes follows from how
long the last ones took, so that no batch keeps its worker from polling for long.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

Place = tuple[str, int]  # topic, partition

FIRST = 50  # records of the first batch: nothing is known yet of how long one takes
IDLE_SECONDS = 0.2  # how long a poll waits for records, and so a stop request for a poll
BATCH_SECONDS = 10.0  # what a batch is to take at most: a thirtieth of Kafka's max.poll.interval


@dataclass(frozen=True)
class Limits:
    """When a batch is full (`count` records or `size` bytes), and how long one that is not full waits."""

    count: int = 500
    size: int = 8 * 1024 * 1024  # a thousand and more usual articles, or four of the largest a topic takes
    seconds: float = 0.05  # a trickle is delayed by no more than this


@dataclass(frozen=True)
class Batch:
    """Records in the order of their partitions, and the offsets to remember once they are done.

    What lies `ahead` is what the next batch will hold, as far as it is here: its results may be made ready.
    """

    records: Sequence[Any]
    ahead: Sequence[Any] = ()

    @property
    def positions(self) -> dict[Place, int]:
        """Per partition the offset of the next record to read."""
        return {(r.topic, r.partition): r.offset + 1 for r in self.records}


class Gathering:
    """What was polled and is not yet done."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._count = min(FIRST, limits.count)
        self._records: list[tuple[Any, int]] = []  # each with its size
        self._size = 0
        self._since = 0.0

    @property
    def ready(self) -> bool:
        """Whether a batch is there."""
        return len(self._records) >= self._count or self._size >= self._limits.size

    @property
    def full(self) -> bool:
        """Whether the batch after it is there, too, so that nothing more should be polled."""
        return len(self._records) >= 2 * self._count or self._size >= 2 * self._limits.size

    def patience(self, now: float) -> float:
        """Seconds that a poll may take: until the next batch is due, or until somebody may ask to stop."""
        if not self._records:
            return IDLE_SECONDS
        return 0.0 if self.ready else max(0.0, self._since + self._limits.seconds - now)

    def add(self, records: Sequence[Any], now: float) -> None:
        """Take what was polled."""
        if not self._records:
            self._since = now
        self._replace(self._records + _sized(records))

    def drop(self, places: Collection[Place]) -> None:
        """Forget the records of partitions that are not ours any more, or are read anew."""
        if places:
            kept = [(r, size) for r, size in self._records if (r.topic, r.partition) not in places]
            self._replace(kept)

    def take(self, now: float) -> Batch | None:
        """The next batch where one is due."""
        if not self._records or self.patience(now):
            return None
        records = self._next()
        self._replace(self._records[len(records) :])
        return Batch(records, self._next())

    def _next(self) -> list[Any]:
        """The records of the next batch, one at least where there is one."""
        total, found = 0, list[Any]()
        for record, size in self._records[: self._count]:
            total += size
            if found and total > self._limits.size:
                break
            found.append(record)
        return found

    def put_back(self, batch: Batch) -> None:
        """A batch that could not be done comes first again."""
        self._replace(_sized(batch.records) + self._records)

    def learn(self, records: int, seconds: float) -> None:
        """A batch took so long: the next ones take what fits into BATCH_SECONDS, at most doubling."""
        fits = int(records * BATCH_SECONDS / max(seconds, 0.001))
        self._count = max(1, min(fits, 2 * self._count, self._limits.count))

    def _replace(self, records: list[tuple[Any, int]]) -> None:
        self._records, self._size = records, sum(size for _, size in records)


def _sized(records: Sequence[Any]) -> list[tuple[Any, int]]:
    return [(record, _size(record)) for record in records]


def _size(record: Any) -> int:
    # As the client has counted; -1 where there is nothing.
    return sum((record.serialized_key_size, record.serialized_value_size, record.serialized_header_size))
