"""The loss proof: silent while everything runs, and each kind of damage has its name."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import racewire
from pipeline.store.balance import Balance, last
from pipeline.workers.reconcile import ADVICE, reconcile
from schemas.codec import OutRecord
from schemas.topics import ARTICLES, ASSESSMENTS
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poll_all, poller, server, start_classifier
from tests.integration.test_workers import start_relay, start_storyteller
from tests.samples import article, out
from tests.until import until

pytestmark = pytest.mark.integration
__all__ = ["server"]
KEPT = timedelta(days=90)


def whole(world: World) -> tuple[Any, ...]:
    """What a proof over everything is called with."""
    return world.engine, world.broker, world.topics, world.settings.topic_prefix, None, KEPT


def draw(world: World) -> Balance:
    """A proof in which nothing has still to be remembered."""
    return reconcile(*whole(world), settled=timedelta(0))


def carry(server: FeedServer, path: str, *numbers: int, text: str = "A large language model.") -> None:
    entries = [(f"/{n}", f"OpenAI releases GPT-{n}", text) for n in numbers]
    server.documents[path] = (rss(*entries), "text/xml")


def at_rest(world: World, articles: int) -> None:
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == articles)
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == articles)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)


@pytest.fixture
def settled(world: World, server: FeedServer) -> World:
    """Two feeds, six articles, a sighting, a correction, a broken record and a double, all worked off."""
    feeds = [feed(server, "a", "/a"), feed(server, "b", "/b", rank=5)]
    start_classifier(world)
    start_relay(world)
    start_storyteller(world)
    carry(server, "/a", 1, 2, 3, 4, 5)
    carry(server, "/b", 5, 6)
    poll_all(poller(world, feeds), ["a", "b"])
    carry(server, "/a", 1, 2, 3, 4, 5, text="A large language model, corrected.")
    poll_all(poller(world, feeds), ["a"])
    broken = OutRecord(topic=world.topics[ARTICLES].name, key=b"x", event_id="x", value=b"{", headers=())
    again = world.read(ARTICLES)[0]
    double = OutRecord(
        topic=again.topic, key=again.key, event_id="", value=again.value, headers=tuple(again.headers)
    )
    world.publish([broken, double])
    until(lambda: world.scalar("SELECT count(*) FROM dead_letters") == 1)
    records = len(world.read(ARTICLES))
    committed = "SELECT sum(next_offset) FROM consumer_offsets WHERE topic LIKE '%%articles%%'"
    until(lambda: world.scalar(committed) == records)
    at_rest(world, 6)
    world.stop_all()
    return world


def test_what_has_come_to_rest_balances(settled: World) -> None:
    found = draw(settled)
    assert found.findings == []
    lines = {line.what.replace(settled.settings.topic_prefix, ""): line for line in found.lines}
    assert all((line.missing, line.surplus) == (0, 0) for line in found.lines), lines
    assert lines["entries fetched"].count == 12
    assert lines["articles remembered as published"].count == 6
    records = lines[f"records on {ARTICLES}"]
    assert records.parts == {"stored": records.count - 1, "dead letters": 1, "in flight": 0}
    assert lines[f"states for {ASSESSMENTS}"].parts == {"on the topic": 6, "waiting in the outbox": 0}
    assert lines[f"dead letters of {ARTICLES}"].count == 1
    assert found.doubles == {settled.topics[ARTICLES].name: 1}


FIRST = "WHERE article_id = (SELECT min(article_id) FROM articles)"
PARTS = ("assessments", "sightings", "revisions", "articles")
TABLES = (
    *reversed(PARTS), "corrections", "stories", "dead_letters", "known_articles", "polls", "consumer_offsets",
)  # fmt: skip
NOWHERE = """
    INSERT INTO articles
    SELECT (jsonb_populate_record(a, '{"article_id": "foreign"}')).* FROM articles a LIMIT 1
"""
# What is done to the store, and the problems that it must be told as.
DAMAGE: list[tuple[str, set[str]]] = [
    ("; ".join(f"DELETE FROM {t} {FIRST}" for t in PARTS), {"not-stored", "not-in-store"}),  # noqa: S608
    ("DELETE FROM revisions WHERE ctid = (SELECT min(ctid) FROM revisions)", {"not-stored"}),
    ("DELETE FROM sightings WHERE feed_id = 'b' AND url LIKE '%/5'", {"not-stored"}),
    (f"DELETE FROM assessments {FIRST}", {"no-verdict", "not-in-store"}),  # noqa: S608
    ("DELETE FROM stories WHERE story_id = (SELECT min(story_id) FROM stories)", {"not-in-store"}),
    ("DELETE FROM dead_letters", {"not-stored"}),
    ("UPDATE assessments SET version = version - 1", {"not-in-store"}),
    # An event that was dropped from the outbox before the relay came to it.
    (f"UPDATE assessments SET version = version + 1 {FIRST}", {"not-announced"}),  # noqa: S608
    ("UPDATE polls SET entries = entries + 1 WHERE id = 1", {"entries"}),
    (f"DELETE FROM known_articles {FIRST}", {"not-remembered"}),  # noqa: S608
    (
        "INSERT INTO known_articles SELECT repeat('f', 24), known FROM known_articles LIMIT 1",
        {"lost-record"},
    ),
    (NOWHERE, {"never-published"}),
]


def test_each_kind_of_damage_has_its_name(settled: World) -> None:
    with settled.engine.begin() as tx:
        tx.exec_driver_sql("CREATE SCHEMA whole")
        for table in TABLES:
            tx.exec_driver_sql(f"CREATE TABLE whole.{table} AS TABLE public.{table}")
    for statement, problems in DAMAGE:
        with settled.engine.begin() as tx:
            for one in statement.split("; "):
                assert tx.connection.cursor().execute(one).rowcount
        found = draw(settled)
        assert {f.problem for f in found.findings} == problems, (statement, found.findings)
        assert found.found == len(found.findings)
        assert problems <= ADVICE.keys()
        assert all(f.subject and f.where for f in found.findings)
        with settled.engine.begin() as tx:
            tx.exec_driver_sql(f"TRUNCATE {', '.join(TABLES)}")
            for table in TABLES:
                tx.exec_driver_sql(
                    f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM whole.{table}"  # noqa: S608
                )
    assert draw(settled).found == 0


def test_offsets_that_were_skipped_and_the_exit_code(settled: World) -> None:
    assert settled.invoke("reconcile").exit_code == 0
    settled.publish([out(settled.topics[ARTICLES], article(1))])
    waiting = reconcile(*whole(settled))
    parts = next(line.parts for line in waiting.lines if ARTICLES in line.what)
    assert (waiting.found, parts["in flight"]) == (0, 1)
    with settled.engine.begin() as tx:
        tx.exec_driver_sql(
            "UPDATE consumer_offsets SET next_offset = next_offset + 1 WHERE topic LIKE '%%articles%%'"
        )
    told = settled.invoke("reconcile")
    assert told.exit_code == 4
    assert f"{1:024x}" in told.output
    assert "kafka-consumer-groups" in told.output
    shown = json.loads(settled.invoke("reconcile", "--full", "--json").stdout)
    assert [f["problem"] for f in shown["findings"]] == ["not-stored"]
    with settled.engine.begin() as tx:
        kept = last(tx)
    assert kept
    assert kept.found == 1


def test_what_cannot_be_checked_is_no_loss(world: World) -> None:
    env = world.environment() | {"RACEWIRE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    told = CliRunner().invoke(racewire, ["reconcile"], env=env)
    assert told.exit_code == 1
    assert "is the broker up?" in told.output


def test_nothing_is_found_while_everything_runs(world: World, server: FeedServer) -> None:
    feeds = [feed(server, "a", "/a"), feed(server, "b", "/b", rank=5)]
    start_relay(world)
    start_storyteller(world)
    proofs = []
    for turn in range(1, 8):
        numbers = range(turn * 20)
        carry(server, "/a", *numbers, text=f"A large language model, in its version of turn {turn}.")
        carry(server, "/b", *numbers)
        with ThreadPoolExecutor(2) as both:
            polling = both.submit(poll_all, poller(world, feeds), ["a", "b"])
            while not polling.done():
                proofs.append(both.submit(reconcile, *whole(world)).result())
        if turn == 1:  # nobody has read anything yet
            proofs.append(reconcile(*whole(world)))
            assert any(line.parts.get("in flight") for line in proofs[-1].lines)
            start_classifier(world)
    assert [f for found in proofs for f in found.findings] == []
    at_rest(world, 140)
    assert draw(world).findings == []
