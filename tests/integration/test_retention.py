"""Articles that are past their time go with all their parts, stay away, and leave what was told of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from pipeline.feeds.decide import Horizon
from pipeline.store.verdicts import save_articles
from pipeline.workers import retell, upkeep
from pipeline.workers.reconcile import reconcile
from schemas.messages import Article
from schemas.topics import ARTICLES, ASSESSMENTS
from tests.conftest import World
from tests.feedserver import FeedServer
from tests.integration.test_history import document
from tests.integration.test_poll import feed, poll_all, poller, server
from tests.integration.test_replay import everything, fill, rows
from tests.integration.test_workers import (
    committed_sum,
    group,
    reset_to_start,
    start_classifier,
    start_relay,
    start_storyteller,
)
from tests.samples import article, out
from tests.until import until

pytestmark = pytest.mark.integration
__all__ = ["server"]
DAY = timedelta(days=1)
KEEP = 30 * DAY  # the made-up articles are of 2025
PARTS = ("assessments", "sightings", "revisions", "articles")


def maintain(world: World, keep: timedelta | None = KEEP) -> int:
    topic, long = world.topics[ASSESSMENTS], 36_500 * DAY
    removed = upkeep.maintain(world.engine, topic, polls=long, letters=long, seen=long, articles=keep)
    return removed["articles"]


def count(world: World, table: str) -> int:
    return int(world.scalar(f"SELECT count(*) FROM {table}"))  # noqa: S608


def at_rest(world: World, records: int) -> None:
    """Until the classifier has read so many records and everything is out and told."""
    until(lambda: committed_sum(world, group(world, "classifier"), world.topics[ARTICLES].name) == records)
    until(lambda: count(world, "outbox") == 0)
    assessments = world.topics[ASSESSMENTS].name
    until(
        lambda: committed_sum(world, group(world, "storyteller"), assessments) == len(world.read(ASSESSMENTS))
    )


def start_all(world: World, keep: timedelta | None = None) -> None:
    start_classifier(world, keep)
    start_relay(world)
    start_storyteller(world)


@pytest.fixture
def told(world: World) -> list[Any]:
    """Twelve articles, a sighting and a correction, all told; then the articles are let go."""
    topic = world.topics[ARTICLES]
    records = [out(topic, article(n)) for n in range(12)]
    records.append(out(topic, article(3, revision=1, kind="revision", later=5)))
    records.append(out(topic, article(4, kind="sighting", feed="feed-b", later=6)))
    world.publish(records)
    start_all(world)
    at_rest(world, 14)
    before = everything(world)
    assert [len(table) for table in before] == [12, 12, 12]
    assert maintain(world) == 12
    assert (maintain(world), maintain(world, None)) == (0, 0)
    at_rest(world, 14)
    world.stop_all()
    return before


def test_all_parts_go_and_what_was_told_stays(world: World, told: list[Any]) -> None:
    assert [count(world, part) for part in PARTS] == [0, 0, 0, 0]
    assert count(world, "forgotten") == 0
    assert everything(world) == told
    newest = {r.key: r.value for r in world.read(ASSESSMENTS)}
    assert list(newest.values()) == [None] * 12
    assert count(world, "dead_letters") == 0


def test_no_replay_brings_anything_back(world: World, told: list[Any]) -> None:
    carried = len(world.read(ASSESSMENTS))
    reset_to_start(world, group(world, "classifier"), world.topics[ARTICLES].name)
    reset_to_start(world, group(world, "storyteller"), world.topics[ASSESSMENTS].name)
    start_all(world, KEEP)
    at_rest(world, 14)
    assert [count(world, part) for part in PARTS] == [0, 0, 0, 0]
    assert len(world.read(ASSESSMENTS)) == carried
    assert everything(world) == told
    assert count(world, "dead_letters") == 0


def test_what_comes_back_by_a_classifier_that_keeps_all_goes_again(world: World, told: list[Any]) -> None:
    reset_to_start(world, group(world, "classifier"), world.topics[ARTICLES].name)
    start_all(world)
    until(lambda: count(world, "assessments") == 12)
    at_rest(world, 14)
    assert everything(world) == told
    assert maintain(world) == 12
    at_rest(world, 14)
    assert {r.key: r.value for r in world.read(ASSESSMENTS)}.keys() == {
        r.key for r in world.read(ASSESSMENTS) if r.value is None
    }
    assert everything(world) == told


def test_a_late_article_of_a_story_and_a_retell_take_nothing_from_it(world: World, told: list[Any]) -> None:
    late = replace(article(5), article_id="f" * 24, observed_at=datetime.now(UTC))
    world.publish([out(world.topics[ARTICLES], late)])
    start_all(world, KEEP)
    at_rest(world, 15)
    world.stop_all()
    two = "SELECT count(*) FROM stories WHERE jsonb_array_length(body->'articles') = 2"
    assert world.scalar(two) == 1
    assert count(world, "stories") == 12
    line = "SELECT jsonb_array_length(body->'statements') FROM releases ORDER BY 1"
    assert [n for (n,) in rows(world, line)] == [1] * 11 + [2]
    before = everything(world)
    done = retell.retell(world.engine, world.topics, "storyteller")
    assert (done.verdicts, done.stories, done.releases) == (1, {}, {})
    assert everything(world) == before


def test_what_was_let_go_can_be_taken_down(world: World, told: list[Any]) -> None:
    start_all(world, KEEP)
    done = world.invoke("forget", article(5).url, "--yes")
    assert done.exit_code == 0, done.output
    # Its id is another one than that of its address, since it is made up.
    upkeep.forget(world.engine, world.topics[ASSESSMENTS], [article(5).article_id])
    until(lambda: count(world, "story_members") == 11)
    assert article(5).title not in str(everything(world))
    for name in ("feed-a", "feed-b"):
        upkeep.forget(world.engine, world.topics[ASSESSMENTS], [], name)
    until(lambda: count(world, "story_members") == 0)
    until(lambda: count(world, "outbox") == 0)
    assert "OpenAI releases" not in str(everything(world))
    assert [r.value for r in {r.key: r for r in world.read(ASSESSMENTS)}.values()] == [None] * 12


def test_the_balance_counts_what_is_past_retention(world: World, told: list[Any]) -> None:
    known = "INSERT INTO known_articles SELECT article_id, '{}' FROM story_members"
    with world.engine.begin() as tx:
        tx.execute(text(known))
    args = (world.engine, world.broker, world.topics, world.settings.topic_prefix, None, 90 * DAY)
    found = reconcile(*args, KEEP)
    assert found.findings == []
    line = next(one for one in found.lines if ARTICLES in one.what)
    assert (line.parts["past retention"], line.parts["stored"], line.missing) == (14, 0, 0)
    # Who keeps all misses them.
    assert {f.problem for f in reconcile(*args).findings} == {"not-stored"}


NOW = datetime.now(UTC)
OLD = replace(article(1), published_at=NOW - 40 * DAY, observed_at=NOW - 40 * DAY)


@pytest.mark.parametrize(
    ("carried", "goes"),
    [
        ([OLD], 1),
        ([replace(OLD, published_at=NOW - 29 * DAY)], 0),
        ([replace(OLD, observed_at=NOW - 29 * DAY)], 0),
        ([OLD, replace(OLD, kind="sighting", feed=article(1, feed="b").feed, observed_at=NOW - 29 * DAY)], 0),
        ([OLD, replace(OLD, kind="sighting", feed=article(1, feed="b").feed, observed_at=NOW - 31 * DAY)], 1),
    ],
)
def test_it_goes_when_all_its_dates_are_past(world: World, carried: list[Article], goes: int) -> None:
    with world.engine.begin() as tx:
        save_articles(tx, carried)
    assert maintain(world) == goes
    assert count(world, "articles") == 1 - goes


def test_in_small_batches_and_around_what_is_worked_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.workers.upkeep.PAGE", 10)
    fill(world, 35)
    with world.engine.begin() as busy:
        busy.execute(text("SELECT FROM articles WHERE article_id = :id FOR KEY SHARE"), {"id": f"{7:024x}"})
        assert maintain(world) == 34
    assert [count(world, part) for part in PARTS] == [1, 1, 1, 1]
    # Each page was announced by itself, behind the news.
    assert rows(world, "SELECT count(*), count(value), min(lane) FROM outbox") == [(34, 0, 1)]
    assert len(rows(world, "SELECT DISTINCT xmin::text FROM outbox")) == 4
    assert maintain(world) == 1


@pytest.mark.parametrize("restored", [False, True])
def test_a_feed_that_carries_it_still_makes_no_news_of_it(
    world: World,
    server: FeedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    restored: bool,
) -> None:
    feeds = [feed(server, "a", "/a"), feed(server, "b", "/b", rank=5)]

    def poll(*only: str) -> dict[str, int]:
        return poll_all(poller(world, feeds, horizon=Horizon()), list(only))

    # A feed that was read before: what is 60 days old is news to it.
    server.documents["/a"] = document(first=0.5)
    assert poll("a")["articles"] == 1
    server.documents["/a"] = document(first=0.5, old=60, young=1)
    assert poll("a")["articles"] == 2
    start_all(world, KEEP)
    at_rest(world, 3)
    with world.engine.begin() as tx:  # time passes
        for statement in (
            "UPDATE articles SET observed_at = observed_at - interval '40 days' WHERE title LIKE '%old'",
            "UPDATE sightings SET seen_at = seen_at - interval '40 days'",
            """UPDATE known_articles SET known = known || jsonb_build_object('observed_at',
               to_jsonb((known->>'observed_at')::timestamptz - interval '40 days'))
               WHERE article_id = (SELECT article_id FROM articles WHERE title LIKE '%old')""",
        ):
            assert tx.execute(text(statement)).rowcount
    assert maintain(world) == 1
    at_rest(world, 3)
    stories = everything(world)
    if restored:
        world.stop_all()
        monkeypatch.setenv("RACEWIRE_KEEP_ARTICLES_DAYS", "30")
        file = str(tmp_path / "store.backup")
        for command in (["backup", file], ["restore", "--replace", file]):
            done = world.invoke(*command)
            assert done.exit_code == 0, done.output
        start_all(world, KEEP)

    # Unchanged it is known. A correction and another feed's copy are published, and refused.
    assert poll("a")["unchanged"] == (3 if restored else 0)
    server.documents["/b"] = document(old=60)
    assert poll("b")["sightings"] == 1
    changed = server.documents["/a"][0].replace(b"GPT-old", b"GPT-old, corrected")
    server.documents["/a"] = (changed, "text/xml")
    assert poll("a")["revisions"] == 1
    at_rest(world, 5)
    assert sorted(title for (title,) in rows(world, "SELECT title FROM articles")) == [
        "OpenAI releases GPT-first",
        "OpenAI releases GPT-young",
    ]
    assert everything(world) == stories
