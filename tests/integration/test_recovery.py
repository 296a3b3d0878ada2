"""A store from its backup: beside the Kafka that it knew, and beside an empty one."""

from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient
from sqlalchemy import text

from pipeline.bus.admin import ensure_topics
from pipeline.workers.relay import event_id_of
from schemas.topics import ARTICLES, ASSESSMENTS
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poll_all, poller, server, start_classifier
from tests.integration.test_workers import start_relay
from tests.until import until

pytestmark = pytest.mark.integration
__all__ = ["server"]


def stored(world: World) -> int:
    return int(world.scalar("SELECT count(*) FROM assessments"))


def run(world: World, *arguments: str) -> str:
    result = world.invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def lose_topics(world: World) -> None:
    admin: KafkaAdminClient = world.broker.admin()
    with admin:
        admin.delete_topics([topic.name for topic in world.topics.values()])
        until(lambda: not {t.name for t in world.topics.values()} & set(admin.list_topics()))
    ensure_topics(world.broker, world.topics.values())


def lose_tables(world: World) -> None:
    with world.engine.begin() as tx:
        tx.execute(text("DROP SCHEMA public CASCADE"))
        tx.execute(text("CREATE SCHEMA public"))


def carry(server: FeedServer, *numbers: int) -> None:
    entries = [(f"/{n}", f"OpenAI releases GPT-{n}", "A text.") for n in numbers]
    server.documents["/a"] = (rss(*entries), "text/xml")


@pytest.fixture
def backed_up(world: World, server: FeedServer, tmp_path: Path) -> tuple[Path, int]:
    """A backup with five articles stored and two published and on their way; a later one is not in it."""
    file, feeds = tmp_path / "store.backup", [feed(server, "a", "/a")]
    start_classifier(world)
    start_relay(world)
    carry(server, 1, 2, 3, 4, 5)
    poll_all(poller(world, feeds), ["a"])
    until(lambda: stored(world) == 5 and world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()
    carry(server, 1, 2, 3, 4, 5, 6, 7)
    poll_all(poller(world, feeds), ["a"])
    assert "MB" in run(world, "backup", str(file))
    carry(server, 1, 2, 3, 4, 5, 6, 7, 8)
    poll_all(poller(world, feeds), ["a"])
    return file, 8


def test_into_an_empty_stack_and_on_without_loss(
    world: World, server: FeedServer, backed_up: tuple[Path, int]
) -> None:
    file, total = backed_up
    lose_tables(world)
    lose_topics(world)
    output = run(world, "restore", str(file))
    assert "2 articles were published and not stored" in output
    assert "topics rebuild" in output
    start_classifier(world)
    start_relay(world)
    assert poll_all(poller(world, [feed(server, "a", "/a")]), ["a"])["articles"] == 3
    until(lambda: stored(world) == total)
    run(world, "topics", "rebuild")
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()
    announced = {record.key for record in world.read(ASSESSMENTS)}
    assert len(announced) == total
    assert world.scalar("SELECT count(*) FROM assessments WHERE version <> 1") == 0


def test_beside_the_kafka_it_knew(world: World, server: FeedServer, backed_up: tuple[Path, int]) -> None:
    file, total = backed_up
    before = len(world.read(ARTICLES))
    start_classifier(world)
    until(lambda: stored(world) == total)
    world.stop_all()
    output = run(world, "restore", "--replace", str(file))
    assert "topics rebuild" not in output
    assert stored(world) == 5
    start_classifier(world)
    start_relay(world)
    until(lambda: stored(world) == total)
    poll_all(poller(world, [feed(server, "a", "/a")]), ["a"])
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()
    assert stored(world) == total
    assert world.scalar("SELECT count(*) FROM assessments WHERE version <> 1") == 0
    ids = {event_id_of(r.headers) for r in world.read(ARTICLES)}
    assert len(ids) == before == total


def test_nothing_is_replaced_unasked_or_by_what_is_no_backup(
    world: World, backed_up: tuple[Path, int], tmp_path: Path
) -> None:
    file, _ = backed_up
    refused = world.invoke("restore", str(file))
    assert (refused.exit_code, "--replace" in refused.output) == (1, True)
    again = world.invoke("backup", str(file))
    assert (again.exit_code, "exists" in again.output) == (1, True)
    broken = tmp_path / "broken"
    broken.write_bytes(file.read_bytes()[:2000])
    result = world.invoke("restore", "--replace", str(broken))
    assert (result.exit_code, "pg_restore" in result.output) == (1, True)
    assert stored(world) == 5
    assert world.environment()["RACEWIRE_DATABASE_URL"].split(":")[2].split("@")[0] not in result.output
