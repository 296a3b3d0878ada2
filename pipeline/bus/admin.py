"""Topics as their files say, and how far a consumer group is behind."""

from collections.abc import Iterable
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from pipeline.bus.connection import Broker, UnavailableError
from schemas.topics import Topic


@dataclass(frozen=True)
class TopicReport:
    """What `ensure_topics` found and did: created, settings changed, or what an operator must decide."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Lag:
    """A partition's end offset and the offset a group has committed (None: nothing yet)."""

    topic: str
    partition: int
    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """Records still to be read."""
        return self.end - (self.committed or 0)


def ensure_topics(broker: Broker, topics: Iterable[Topic]) -> TopicReport:
    """Create the topics that are missing and align the settings of those that exist. Safe to run at once.

    A partition count is never changed, since that would break the order of keys: it is a warning.
    Raises UnavailableError when no broker answers.
    """
    wanted = {topic.name: topic for topic in topics}
    try:
        admin = broker.admin()
        try:
            missing = wanted.keys() - set(admin.list_topics())
            created = tuple(name for name in sorted(missing) if _create(admin, wanted[name]))
            existing = sorted(wanted.keys() - set(created))
            changed = tuple(name for name in existing if _align(admin, wanted[name]))
            found = {t["name"]: len(t["partitions"]) for t in admin.describe_topics(sorted(wanted))}
        finally:
            admin.close()
    except KafkaError as error:
        raise UnavailableError(f"Kafka at {broker.bootstrap}: {error!r}; is the broker up?") from error
    warnings = tuple(
        f"{name} has {found[name]} partitions, its file says {topic.partitions}: to change them, "
        f"create a new topic and copy; Kafka would break the order of keys"
        for name, topic in sorted(wanted.items())
        if found.get(name, topic.partitions) != topic.partitions
    )
    return TopicReport(created, changed, warnings)


def _create(admin: object, topic: Topic) -> bool:
    spec = {"num_partitions": topic.partitions, "configs": {k: str(v) for k, v in topic.config.items()}}
    try:
        admin.create_topics({topic.name: spec}, wait_for_metadata=True)  # type: ignore[attr-defined]
    except TopicAlreadyExistsError:  # another process was quicker
        return False
    return True


def _align(admin: object, topic: Topic) -> bool:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
    described = admin.describe_configs([resource], config_filter="all")  # type: ignore[attr-defined]
    current = described["topic"][topic.name]
    wanted = {name: str(value) for name, value in topic.config.items()}
    different = {k: v for k, v in wanted.items() if str(current.get(k, {}).get("value")) != v}
    if different:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, different)])  # type: ignore[attr-defined]
    return bool(different)


def lag(broker: Broker, group: str, topics: Iterable[str]) -> list[Lag]:
    """Offsets of every partition of `topics` and where `group` stands. Raises UnavailableError."""
    try:
        consumer = broker.consumer("lag", group_id=group)
        try:
            places = [
                TopicPartition(topic, partition)
                for topic in topics
                for partition in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            ends = consumer.end_offsets(places)
            return [Lag(p.topic, p.partition, consumer.committed(p), ends[p]) for p in places]
        finally:
            consumer.close(timeout_ms=2000)
    except KafkaError as error:
        raise UnavailableError(f"Kafka at {broker.bootstrap}: {error!r}; is the broker up?") from error


def depth(broker: Broker, topics: Iterable[str]) -> dict[str, int]:
    """Records on each topic: the sum over its partitions from beginning to end. Raises UnavailableError."""
    try:
        consumer = broker.consumer("depth")
        try:
            found = {}
            for topic in topics:
                places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
                first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
                found[topic] = sum(end[place] - first[place] for place in places)
            return found
        finally:
            consumer.close(timeout_ms=2000)
    except KafkaError as error:
        raise UnavailableError(f"Kafka at {broker.bootstrap}: {error!r}; is the broker up?") from error
