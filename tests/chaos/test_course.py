"""A short course on the session's servers, and that its checker sees what it is there to see."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaProducer

from pipeline.settings import Servers
from tests.chaos.checker import check
from tests.chaos.course import Course, agree, judge
from tests.chaos.load import Input, inputs, read_real
from tests.chaos.plan import short
from tests.chaos.reading import World
from tests.chaos.stage import Crew, Stage, new_world
from tests.conftest import SHARED

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("chaos")]
SEED, RECORDS = 1, 400


@pytest.fixture
def beside(servers: Servers) -> World:
    """The session's servers; every course has a database and topics of its own on them."""
    return World(servers.database_url.get_secret_value().replace("+psycopg", ""), servers.broker.bootstrap)


@pytest.fixture
def world(beside: World) -> Iterator[World]:
    with new_world(beside, f"chaos_{secrets.token_hex(4)}") as made:
        yield made


def test_kills_lose_and_double_nothing_and_damage_is_seen(world: World, tmp_path: Path) -> None:
    given = inputs(SEED, RECORDS, read_real(SHARED, RECORDS))
    with Crew(world, tmp_path, classifier=2, storyteller=1, relay=1).working() as crew:
        course = Course(SEED, Stage(world, crew), short(SEED, RECORDS), given)
        course.run()
    assert not crew.ends
    findings, likeness = judge(world, tmp_path, f"calm_{secrets.token_hex(4)}", course.published)
    wrong = (findings.lost, findings.doubled, findings.wrong, likeness.different)
    assert wrong == ([], [], [], ()), f"seed {SEED}; logs are in {tmp_path}"
    assert likeness.stories >= 0.97
    damage_is_seen(world, course.published)


def damage_is_seen(world: World, published: list[Input]) -> None:
    story, sighting = world.table("stories", "story_id"), world.table("sightings", "article_id", "feed_id")
    told, (seen, feed) = min(story), min(sighting)
    harm: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("DELETE FROM sightings WHERE article_id = %s AND feed_id = %s", (seen, feed)),
        ("UPDATE articles SET title = 'another' WHERE article_id = %s", (seen,)),
        ("UPDATE stories SET version = version + 1 WHERE story_id = %s", (told,)),
        ("UPDATE consumer_offsets SET next_offset = next_offset - 1 WHERE group_id LIKE '%%storyteller'", ()),
        ("INSERT INTO outbox (topic, event_id, headers) VALUES ('t', 'late', '[]')", ()),
        ("DELETE FROM dead_letters WHERE id = (SELECT min(id) FROM dead_letters)", ()),
    )
    with psycopg.connect(world.url, autocommit=True) as tx:
        for statement, values in harm:
            tx.execute(statement.encode(), values)
    topic = "ai-race.releases.v1"
    first = world.events(topic)[0]
    producer = KafkaProducer(bootstrap_servers=world.bootstrap)
    producer.send(first.topic, key=first.key, value=first.value, headers=first.headers).get(30)
    producer.close()

    found = check(world, published)
    seen_as = "\n".join([*found.lost, *found.doubled, *found.wrong])
    assert f"sighting {(seen, feed)} is missing" in found.lost
    assert f"article {seen}: title not of its newest record" in found.wrong
    assert any(line.startswith(f"ai-race.stories.v1: {told} version") for line in found.lost)
    assert "storyteller is at" in seen_as
    assert "event late" in seen_as
    assert "dead letter of" in seen_as
    assert found.doubles[topic] == 1


def test_four_classifiers_give_what_one_gives(beside: World, tmp_path: Path) -> None:
    likeness, findings = agree(beside, tmp_path, inputs(SEED, RECORDS))
    assert all(found.clean for found in findings)
    assert likeness.different == ()
    assert likeness.stories >= 0.97
