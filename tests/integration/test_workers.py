"""The workers on a real Kafka and Postgres: nothing lost, nothing doubled, nothing stuck."""

import threading
import time
from collections import Counter
from datetime import timedelta
from itertools import count

import msgspec
import pytest
from kafka import OffsetAndMetadata, TopicPartition
from sqlalchemy import text

from pipeline.bus.consumer import ConsumerLoop
from pipeline.bus.gathering import Limits
from pipeline.store import dead_letters, leases, outbox
from pipeline.store.aggregates import AGGREGATES
from pipeline.store.dead_letters import Redriven, Selection
from pipeline.workers import classifier, relay, storyteller
from pipeline.workers.leading import lead
from pipeline.workers.relay import Relay, event_id_of
from schemas import codec
from schemas.codec import OutRecord
from schemas.messages import Assessment, DeadLetter
from schemas.republish import Words
from schemas.topics import ARTICLES, ASSESSMENTS, RELEASES, STORIES
from tests.conftest import World
from tests.samples import StubClassifier, article, out
from tests.until import until

pytestmark = pytest.mark.integration
LETTERS = f"{ARTICLES}.dead-letters"


def start_classifier(world: World, keep: timedelta | None = None) -> None:
    name = group(world, "classifier")
    strategy = classifier.strategy(world.engine, world.topics, name, StubClassifier(), keep=keep)
    loop = ConsumerLoop(world.broker, [world.topics[ARTICLES].name], name, strategy, limits=Limits(count=50))
    world.start(loop.run)


def group(world: World, name: str) -> str:
    return world.settings.topic_prefix + name


def start_relay(world: World, words: Words = "full") -> None:
    public = [world.topics[name] for name in AGGREGATES]
    world.start(
        lambda stop: lead(
            world.engine,
            "relay",
            stop,
            lambda lease: Relay(world.engine, world.broker, lease, public, words).run(stop),
        )
    )


def start_storyteller(world: World) -> None:
    world.start(
        lambda stop: lead(
            world.engine,
            "storyteller",
            stop,
            lambda lease: ConsumerLoop(
                world.broker,
                [world.topics[ASSESSMENTS].name],
                group(world, "storyteller"),
                storyteller.strategy(world.engine, world.topics, group(world, "storyteller"), "v", lease),
            ).run(stop),
        )
    )


def test_articles_come_out_as_rows_and_as_events_on_three_topics(world: World) -> None:
    topic = world.topics[ARTICLES]
    world.publish([out(topic, article(n)) for n in range(120)])
    world.publish([out(topic, article(7, revision=1, kind="revision", later=5))])
    world.publish([out(topic, article(8, kind="sighting", feed="feed-b", later=6))])
    start_classifier(world)
    start_storyteller(world)
    start_relay(world)

    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 120)
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 120)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    assert world.scalar("SELECT count(*) FROM articles") == 120
    assert world.scalar("SELECT count(*) FROM revisions") == 121
    assert world.scalar("SELECT revision FROM articles WHERE url LIKE '%/7'") == "r7-1"

    records = world.read(ASSESSMENTS)
    newest: dict[bytes, Assessment] = {}
    for record in records:
        message = codec.decode(world.topics[ASSESSMENTS], record.headers, record.value)
        assert isinstance(message, Assessment)
        assert message.version > newest[record.key].version if record.key in newest else message.version == 1
        newest[record.key] = message
    assert len(newest) == 120
    seen_elsewhere = newest[article(8).article_id.encode()]
    assert seen_elsewhere.sightings[0].feed == "feed-b"
    assert seen_elsewhere.feed == article(8).feed.id
    assert max(Counter(event_id_of(r.headers) for r in records).values()) == 1
    assert len({r.key for r in world.read(STORIES)}) == world.scalar("SELECT count(*) FROM stories")
    assert len({r.key for r in world.read(RELEASES)}) == 120


def test_what_was_published_twice_is_stored_and_announced_once(world: World) -> None:
    topic = world.topics[ARTICLES]
    records = [out(topic, article(n)) for n in range(30)]
    world.publish(records)
    world.publish(records)  # a poll that died between acknowledgement and remembering
    start_classifier(world)
    start_relay(world)
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == 60)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    assert world.scalar("SELECT count(*) FROM articles") == 30
    assert world.scalar("SELECT max(version) FROM assessments") == 1
    assert len(world.read(ASSESSMENTS)) == 30


def test_a_broken_record_becomes_a_dead_letter_and_is_redriven(world: World) -> None:
    topic = world.topics[ARTICLES]
    good = [out(topic, article(n)) for n in range(40)]
    hostile = (("racewire-attempts", b"many"), ("a\0b", b"\xff"))
    broken = OutRecord(topic=topic.name, key=b"k", event_id="x", value=b'{"article_id":', headers=hostile)
    poison = out(topic, msgspec.structs.replace(article(41), text="poison"))
    nul = out(topic, msgspec.structs.replace(article(42), text="a\0b"))
    world.publish([*good[:20], broken, poison, nul, *good[20:]])
    start_classifier(world)
    start_relay(world)
    until(lambda: len(world.read(LETTERS)) == 2)
    until(lambda: world.scalar("SELECT count(*) FROM articles") == 41)
    assert world.scalar("SELECT text FROM articles WHERE url LIKE '%/42'") == "a\ufffdb"
    letters = {}
    for record in world.read(LETTERS):
        letter = codec.decode(world.topics[LETTERS], record.headers, record.value)
        assert isinstance(letter, DeadLetter)
        assert record.key == letter.key
        letters[letter.value] = letter
    assert {d.reason for d in letters.values()} == {"decode", "process"}
    assert "poison in" in letters[poison.value].errors[0]

    class Mended(StubClassifier):
        def assess(self, given):  # type: ignore[no-untyped-def]
            return super().assess(msgspec.structs.replace(given, text="cured"))

    world.stop_all()
    name = group(world, "classifier")
    strategy = classifier.strategy(world.engine, world.topics, name, Mended())
    loop = ConsumerLoop(world.broker, [topic.name], name, strategy)
    world.start(loop.run)
    start_relay(world)
    with world.engine.begin() as tx:
        numbers = dead_letters.numbers(tx, Selection())
        assert dead_letters.redrive(tx, world.topics, numbers) == Redriven(numbers, {})
    until(lambda: world.scalar("SELECT count(*) FROM articles") == 42)
    until(lambda: world.scalar("SELECT count(*) FROM dead_letters WHERE state = 'open'") == 1)
    with world.engine.begin() as tx:
        assert {d.attempts for _, d in dead_letters.letters(tx, Selection())} == {2}
        assert dead_letters.counts(tx) == {"open": 1, "resolved": 1, "failed-again": 1}


def test_a_restored_older_database_rewinds_the_group(world: World) -> None:
    topic = world.topics[ARTICLES]
    world.publish([out(topic, article(n)) for n in range(30)])
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 30)
    world.stop_all()
    with world.engine.begin() as tx:  # the state of a backup taken before anything came
        tx.execute(
            text(
                "TRUNCATE corrections, articles, revisions, sightings, assessments, consumer_offsets, outbox"
            )
        )
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 30)


def test_a_group_that_an_operator_reset_replays_and_writes_nothing_twice(world: World) -> None:
    topic = world.topics[ARTICLES]
    world.publish([out(topic, article(n)) for n in range(30)])
    start_classifier(world)
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == 30)
    world.stop_all()
    before = world.scalar("SELECT count(*) FROM outbox")
    admin = world.broker.admin()
    name = group(world, "classifier")
    places = admin.list_group_offsets([name])
    admin.close()
    assert places
    reset_to_start(world, name, topic.name)
    start_classifier(world)
    until(lambda: committed_sum(world, name, topic.name) == 30)
    world.stop_all()
    assert world.scalar("SELECT count(*) FROM outbox") == before
    assert world.scalar("SELECT max(version) FROM assessments") == 1


def test_a_group_that_kafka_has_no_offsets_of_is_told_where_it_stands(world: World) -> None:
    """As after a rebalance that took a partition before Kafka took its first commit, or a lost group."""
    topic = world.topics[ARTICLES]
    world.publish([out(topic, article(n)) for n in range(30)])
    start_classifier(world)
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == 30)
    world.stop_all()
    name = group(world, "classifier")
    admin = world.broker.admin()
    admin.delete_groups([name])
    admin.close()
    start_classifier(world)
    until(lambda: committed_sum(world, name, topic.name) == 30)


def reset_to_start(world: World, name: str, topic: str) -> None:
    from kafka import OffsetAndMetadata, TopicPartition

    consumer = world.broker.consumer("reset", group_id=name)
    places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    consumer.assign(places)
    consumer.commit({p: OffsetAndMetadata(0, "", -1) for p in places})
    consumer.close()


def committed_sum(world: World, name: str, topic: str) -> int:
    from pipeline.bus.admin import lag

    return sum(row.committed or 0 for row in lag(world.broker, name, [topic]))


def test_the_relay_sends_nothing_again_that_is_out_already(world: World) -> None:
    topic = world.topics[ARTICLES]
    world.publish([out(topic, article(n)) for n in range(20)])
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 20)
    world.stop_all()
    with world.engine.begin() as tx:
        rows = outbox.take(tx, 12)
    world.publish([row.record for row in rows])  # a relay that died before it could delete its rows
    start_relay(world)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()
    ids = [event_id_of(r.headers) for r in world.read(ASSESSMENTS)]
    assert len(ids) == len(set(ids)) == 20


def test_a_relay_that_was_stopped_before_it_sent_sends_nothing_and_another_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGSTOP: by the time it wakes up, its lease may be another's."""
    with world.engine.begin() as tx:
        lease = leases.acquire(tx, "relay", "sleeper", timedelta(seconds=10))
        assert lease
        outbox.add(tx, [out(world.topics[ARTICLES], article(1))])
    clock = count(step=100)
    monkeypatch.setattr(relay, "monotonic", lambda: next(clock))
    with pytest.raises(leases.LeaseLostError, match="so long"):
        Relay(world.engine, world.broker, lease).run(threading.Event())
    assert world.read(ARTICLES) == []
    monkeypatch.undo()
    with world.engine.begin() as tx:
        leases.release(tx, lease)
    start_relay(world)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()
    assert len(world.read(ARTICLES)) == 1


def test_a_relay_whose_connections_are_cut_goes_on(world: World) -> None:
    def add(number: int) -> None:
        topic = world.topics[STORIES].name
        with world.engine.begin() as tx:
            outbox.add(tx, [OutRecord(topic=topic, key=b"k", event_id=str(number), value=b"{}", headers=())])

    start_relay(world)
    add(1)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    assert world.scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    add(2)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)


def test_a_consumer_that_polls_in_a_hurry_joins_its_group_all_the_same(world: World) -> None:
    """The group's leader joins once more when it learns of partitions; a short poll left that join behind."""
    topic = world.topics[ARTICLES].name
    for attempt in range(3):
        name = group(world, f"hurry-{attempt}")
        consumer = world.broker.consumer(name, group_id=name)
        consumer.subscribe([topic])
        end = time.monotonic() + 3
        while time.monotonic() < end:
            consumer.poll(timeout_ms=1)
        consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(0, "", -1)}, timeout_ms=5000)
        assert len(consumer.assignment()) == world.topics[ARTICLES].partitions
        consumer.close(timeout_ms=2000)
