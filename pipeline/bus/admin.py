"""Topics as their files say, and how far a consumer group is behind."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
    with _talking(broker), broker.admin() as admin:
        missing = wanted.keys() - set(admin.list_topics())
        created = tuple(name for name in sorted(missing) if _create(admin, wanted[name]))
        existing = sorted(wanted.keys() - set(created))
        changed = tuple(name for name in existing if _align(admin, wanted[name]))
        found = _partitions(admin, wanted)
    warnings = tuple(
        f"{name} has {found[name]} partitions, its file says {topic.partitions}: to change them, "
        f"create a new topic and copy; Kafka would break the order of keys"
        for name, topic in sorted(wanted.items())
        if found.get(name, topic.partitions) != topic.partitions
    )
    return TopicReport(created, changed, warnings)


def different_topics(broker: Broker, topics: Iterable[Topic]) -> list[str]:
    """The topics that are missing or not as their files say. Raises UnavailableError."""
    wanted = {topic.name: topic for topic in topics}
    with _talking(broker), broker.admin() as admin:
        found = _partitions(admin, wanted.keys() & set(admin.list_topics()))
        return sorted(
            name
            for name, topic in wanted.items()
            if found.get(name) != topic.partitions or _differences(admin, topic)
        )


def lag(broker: Broker, group: str, topics: Iterable[str]) -> list[Lag]:
    """Offsets of every partition of `topics` and where `group` stands. Raises UnavailableError."""
    with _talking(broker), broker.consumer("lag", group_id=group) as consumer:
        places = _places(consumer, topics)
        ends = consumer.end_offsets(places)
        return [Lag(p.topic, p.partition, consumer.committed(p), ends[p]) for p in places]


def depth(broker: Broker, topics: Iterable[str]) -> dict[str, int]:
    """Records on each topic: the sum over its partitions from beginning to end. Raises UnavailableError."""
    found = dict.fromkeys(topics, 0)
    with _talking(broker), broker.consumer("depth") as consumer:
        places = _places(consumer, found)
        first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
        for place in places:
            found[place.topic] += end[place] - first[place]
    return found


@contextmanager
def _talking(broker: Broker) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise UnavailableError(f"Kafka at {broker.bootstrap}: {error!r}; is the broker up?") from error


def _places(consumer: Any, topics: Iterable[str]) -> list[TopicPartition]:
    return [
        TopicPartition(topic, partition)
        for topic in topics
        for partition in sorted(consumer.partitions_for_topic(topic) or ())
    ]


def _partitions(admin: Any, names: Iterable[str]) -> dict[str, int]:
    """Partition counts of topics that exist."""
    return {t["name"]: len(t["partitions"]) for t in admin.describe_topics(sorted(names))}


def _create(admin: Any, topic: Topic) -> bool:
    spec = {"num_partitions": topic.partitions, "configs": {k: str(v) for k, v in topic.config.items()}}
    try:
        admin.create_topics({topic.name: spec}, wait_for_metadata=True)
    except TopicAlreadyExistsError:  # another process was quicker
        return False
    return True


def _align(admin: Any, topic: Topic) -> bool:
    different = _differences(admin, topic)
    if different:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, different)])
    return bool(different)


def _differences(admin: Any, topic: Topic) -> dict[str, str]:
    """The settings of the topic's file that the broker has otherwise."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
    current = admin.describe_configs([resource], config_filter="all")["topic"][topic.name]
    wanted = {name: str(value) for name, value in topic.config.items()}
    return {name: value for name, value in wanted.items() if str(current[name]["value"]) != value}
