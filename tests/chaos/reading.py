"""The broker and the database as anybody sees them: psycopg and kafka-python, nothing of the product's."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from tests.chaos.load import MARK, Input

PATIENCE = 180.0  # seconds in which a broker must come back
DELIVERY = 9  # seconds in which a record is acknowledged or has failed


@dataclass(frozen=True)
class World:
    """One database and the topics that go with it. `url` is libpq's."""

    url: str
    bootstrap: str
    prefix: str = ""

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The answer of a query. Raises psycopg.Error."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(sql.encode(), values).fetchall()

    def table(self, name: str, *keys: str) -> dict[Any, dict[str, Any]]:
        """A table's rows by key columns: a value for one column, a tuple for several."""
        with psycopg.connect(self.url, connect_timeout=5) as connection:
            cursor = connection.execute(f"SELECT * FROM {name}".encode())
            names = [column.name for column in cursor.description or ()]
            found = [dict(zip(names, row, strict=True)) for row in cursor]
        return {r[keys[0]] if len(keys) == 1 else tuple(r[k] for k in keys): r for r in found}

    def topic(self, name: str) -> str:
        """A topic's name on the broker."""
        return f"{self.prefix}{name}"

    def ends(self, name: str) -> dict[int, int]:
        """The end offset of each partition. Raises KafkaError."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        try:
            places = _places(consumer, self.topic(name))
            return {p.partition: end for p, end in consumer.end_offsets(places).items()}
        finally:
            consumer.close(timeout_ms=2000)

    def committed(self, group: str, name: str) -> dict[int, int]:
        """The offsets that a group has committed to Kafka, 0 where it has none."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, group_id=f"{self.prefix}{group}")
        try:
            return {p.partition: consumer.committed(p) or 0 for p in _places(consumer, self.topic(name))}
        finally:
            consumer.close(timeout_ms=2000)

    def members(self, group: str) -> int:
        """How many consumers are in a group. Raises KafkaError."""
        name, admin = self.topic(group), KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            return len(admin.describe_groups([name])[name]["members"])
        except CoordinatorNotAvailableError:  # a broker that no group has come to yet
            return 0
        finally:
            admin.close()

    def events(self, name: str) -> list[Any]:
        """Every record of a topic, partition by partition in order.

        Raises AssertionError where some were compacted away, since nothing could be said of them.
        """
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, max_partition_fetch_bytes=8_000_000)
        found: list[Any] = []
        try:
            places = _places(consumer, self.topic(name))
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            while any(consumer.position(place) < end for place, end in ends.items()):
                found += [record for batch in consumer.poll(1000).values() for record in batch]
        finally:
            consumer.close(timeout_ms=2000)
        assert len(found) == sum(ends.values()), f"{name}: records were compacted or removed"
        return sorted(found, key=lambda r: (r.partition, r.offset))


class Publisher:
    """Publishes until every record is acknowledged, whatever the broker does; `again` counts resends."""

    def __init__(self, world: World) -> None:
        self._world, self._producer = world, None
        self.again = 0

    def publish(self, records: Sequence[Input]) -> None:
        """Raises TimeoutError when no broker acknowledges in `PATIENCE` seconds."""
        give_up = time.monotonic() + PATIENCE
        while records:
            records = self._unacknowledged(records)
            if records:
                self.again += len(records)
                if time.monotonic() > give_up:
                    raise TimeoutError(f"Kafka at {self._world.bootstrap} acknowledges nothing")
                time.sleep(0.2)

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=2)
            except (KafkaError, AssertionError):  # its broker is gone: what it still has is sent by the next
                producer._sender.force_close()

    def _unacknowledged(self, records: Sequence[Input]) -> list[Input]:
        topic = self._world.topic("news.articles.v1")
        try:
            if self._producer is None:
                self._producer = KafkaProducer(
                    bootstrap_servers=self._world.bootstrap,
                    linger_ms=5,
                    bootstrap_timeout_ms=3000,
                    max_block_ms=3000,
                    request_timeout_ms=3000,
                    delivery_timeout_ms=DELIVERY * 1000,
                    max_request_size=8_000_000,
                )
            sent = [
                self._producer.send(
                    topic,
                    key=one.key,
                    value=one.value,
                    headers=[*one.headers, (MARK, str(one.number).encode())],
                    partition=one.partition,
                )
                for one in records
            ]
            self._producer.flush(DELIVERY + 3)
        except (KafkaError, AssertionError):
            self.close()
            return list(records)
        failed = [one for one, future in zip(records, sent, strict=True) if not future.succeeded()]
        if failed:
            self.close()
        return failed


def header(record: Any, name: str) -> str | None:
    """A header as text, the last of that name."""
    found = [value for key, value in record.headers if key == name]
    return found[-1].decode() if found else None


def marked(records: Collection[Any]) -> list[tuple[Any, int | None]]:
    """Each record with its number, None for one that a poll has published."""
    return [(r, None if (number := header(r, MARK)) is None else int(number)) for r in records]


def _places(consumer: Any, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
