"""Replay on a real Kafka and Postgres: what is compared is what is then applied, nothing is doubled."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from msgspec.structs import replace
from sqlalchemy import Connection, text

from pipeline.bus.admin import lag
from pipeline.bus.consumer import ConsumerLoop
from pipeline.cli import replay
from pipeline.store import leases, outbox, tales
from pipeline.store.aggregates import STORY, load
from pipeline.store.verdicts import save_articles, save_assessments
from pipeline.stories.fold import story
from pipeline.workers import classifier, process, retell, storyteller
from pipeline.workers.relay import event_id_of
from schemas.messages import Actor, Article, Assessment
from schemas.topics import ARTICLES, ASSESSMENTS, RELEASES, STORIES
from tests.conftest import World
from tests.samples import StubClassifier, article, out
from tests.until import until

pytestmark = pytest.mark.integration


WORDS = ("releases everywhere its", "answers many regulators about", "opens another datacenter for")


class Later(StubClassifier):
    """Another version: `google` moves, and every third article is not about the race."""

    version = "stub-2"

    def assess(self, article: Article) -> Assessment:
        found = super().assess(article)
        actors = [Actor(id="google", role="mover", spans=found.actors[0].spans)]
        label = "none" if int(article.article_id, 16) % 3 == 0 else "core"
        return replace(found, actors=actors, relevance=replace(found.relevance, label=label))


def fill(world: World, count: int) -> None:
    given = [article(n) for n in range(count)]
    found = {(a.article_id, a.revision): StubClassifier().assess(a) for a in given}
    with world.engine.begin() as tx:
        save_articles(tx, given)
        save_assessments(tx, world.topics[ASSESSMENTS], [a.article_id for a in given], found)
        outbox.remove(tx, [row.seq for row in outbox.take(tx, count)])


def told(world: World, *arguments: str) -> Any:
    done = world.invoke(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_reassess_changes_what_it_has_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world, 30)
    monkeypatch.setattr(replay, "classifier", Later)
    early = ("reassess", "--until", article(9).published_at.isoformat())
    shown = told(world, *early, "--compare")
    assert (shown["articles"], shown["changed"], shown["core_no_more"]) == (10, 10, 4)
    assert {"label": "actor", "value": "google (mover)", "added": 10, "removed": 0} in shown["labels"]
    assert world.scalar("SELECT count(*) FROM outbox") == 0
    assert world.scalar("SELECT max(version) FROM assessments") == 1

    assert told(world, *early) == shown
    assert world.scalar("SELECT count(*) FROM assessments WHERE classifier = 'stub-2'") == 10
    assert world.scalar("SELECT count(*) FROM assessments WHERE version = 2 AND label = 'none'") == 4
    assert world.scalar("SELECT count(*) FROM outbox WHERE lane = 1") == 10
    assert told(world, *early)["articles"] == 0
    assert told(world, "reassess", "--compare")["articles"] == 20
    plain = world.invoke("reassess")
    assert "20 articles were assessed by stub-2" in plain.stdout
    assert "google (mover)" in plain.stdout
    assert world.scalar("SELECT count(*) FROM outbox") == 30


def test_a_reassess_that_dies_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world, 30)
    monkeypatch.setattr("pipeline.workers.upkeep.PAGE", 10)

    class Mortal(Later):
        def assess(self, given: Article) -> Assessment:
            if given.article_id == article(15).article_id:
                raise SystemExit(9)
            return super().assess(given)

    monkeypatch.setattr(replay, "classifier", Mortal)
    assert world.invoke("reassess").exit_code == 9
    assert world.scalar("SELECT count(*) FROM outbox") == 10
    monkeypatch.setattr(replay, "classifier", Later)
    assert told(world, "reassess")["articles"] == 20
    assert world.scalar("SELECT count(*) FROM outbox") == 30
    assert world.scalar("SELECT count(*) FROM assessments WHERE version = 2") == 30


def report(topic: int, day: int) -> Article:
    """One of a topic's articles: all speak of one product in the same words, `day` days from the start."""
    number = 100 * topic + day
    made = article(number)
    title = f"OpenAI {WORDS[topic]} GPT-{topic + 1}"
    return replace(made, title=title, published_at=made.published_at + timedelta(days=day))


# By date they are told as 0, 6 and 12: an article belongs to a story for a week. As they came, 6 founded it.
LATE = [report(topic, day) for topic in (0, 1) for day in (6, 0, 12)]


def judge(world: World, given: Sequence[Article], actor: str = "openai") -> list[Assessment]:
    """Store articles with their verdicts."""
    found = {}
    for a in given:
        verdict = StubClassifier().assess(a)
        actors = [replace(verdict.actors[0], id=actor)]
        products = [replace(verdict.products[0], actor=actor)]
        found[a.article_id, a.revision] = replace(verdict, actors=actors, products=products)
    with world.engine.begin() as tx:
        save_articles(tx, given)
        return save_assessments(tx, world.topics[ASSESSMENTS], [a.article_id for a in given], found)


def tell(world: World, given: Sequence[Article], actor: str = "openai") -> None:
    """Store articles with verdicts and tell them one by one, as they come."""
    verdicts = {v.article_id: v for v in judge(world, given, actor)}
    for a in given:
        with world.engine.begin() as tx:
            storyteller.tell(tx, world.topics, [verdicts[a.article_id]])
    with world.engine.begin() as tx:
        tx.execute(text("DELETE FROM outbox"))


def rows(world: World, sql: str) -> list[Any]:
    with world.engine.connect() as tx:
        return [tuple(row) for row in tx.execute(text(sql))]


def everything(world: World) -> list[Any]:
    tables = ("story_members", "stories", "releases")
    return [rows(world, f"SELECT * FROM {table} ORDER BY 1") for table in tables]  # noqa: S608


def told_in(world: World) -> dict[str, str]:
    return dict(rows(world, "SELECT article_id, story_id FROM story_members"))


def consistent(world: World) -> None:
    """Every story is what its members make of it."""
    with world.engine.connect() as tx:
        homes = tales.homes(tx)
        members = tales.members(tx, homes)
        stories = load(tx, STORY, sorted(set(homes.values())))
    for story_id, state in stories.items():
        mine = [members[a] for a, home in homes.items() if home == story_id]
        assert replace(state, version=0) == story(mine)
    alive = "SELECT count(*) FROM stories WHERE jsonb_array_length(body->'articles') > 0"
    assert world.scalar(alive) == len(stories)


def test_retell_changes_what_it_has_shown_and_ids_go_on(world: World) -> None:
    tell(world, LATE)
    tell(world, [report(2, 1)], "google")
    tell(world, [report(2, 3)])
    judge(world, [report(2, 1)])  # reassessed, and not told yet: the two are one story
    with world.engine.begin() as tx:
        tx.execute(text("DELETE FROM outbox"))
    ids = told_in(world)
    assert len(set(ids.values())) == 4
    before = everything(world)
    had = dict(rows(world, "SELECT story_id, version FROM stories"))

    shown = told(world, "retell", "--compare")
    assert (shown["verdicts"], shown["stories"]) == (8, {"new": 2, "changed": 3, "gone": 1})
    assert (shown["agreement"]["split"], shown["agreement"]["joined"]) == (2, 1)
    assert everything(world) == before
    assert world.scalar("SELECT count(*) FROM outbox") == 0

    assert told(world, "retell") == shown
    consistent(world)
    now = told_in(world)
    for topic in (0, 1):
        first, middle, last = (report(topic, day).article_id for day in (0, 6, 12))
        assert now[first] == now[middle] == ids[middle]
        assert now[last] not in ids.values()
    one, other = report(2, 1).article_id, report(2, 3).article_id
    assert now[one] == now[other]
    gone = ({ids[one], ids[other]} - {now[one]}).pop()
    assert rows(world, f"SELECT body->>'merged_into', version FROM stories WHERE story_id = '{gone}'") == [  # noqa: S608
        (now[one], 2)
    ]
    written = sum(shown["stories"].values()) + sum(shown["releases"].values())
    assert world.scalar("SELECT count(*) FROM outbox WHERE lane = 1") == written
    versions = "SELECT story_id, version FROM stories"
    steps = [version - had.get(story_id, 0) for story_id, version in rows(world, versions)]
    assert sorted(steps) == [1] * 6  # every one of them changed, and each was announced once

    again = told(world, "retell")
    assert (again["stories"], again["releases"], again["agreement"]["moved"]) == ({}, {}, 0)
    assert again["agreement"]["b_cubed"] == pytest.approx(1)
    assert world.scalar("SELECT count(*) FROM outbox") == written
    assert "8 verdicts told anew" in world.invoke("retell", "--compare").stdout


def test_a_window_leaves_the_rest_as_it_is(world: World) -> None:
    tell(world, LATE)
    far = [replace(a, published_at=a.published_at + timedelta(days=60)) for a in LATE]
    far = [replace(a, article_id=f"{int(a.article_id, 16) + 5000:024x}") for a in far]
    tell(world, far)
    ids = told_in(world)
    done = told(world, "retell", "--since", (far[0].published_at - timedelta(days=1)).isoformat())
    assert done["verdicts"] == 6
    assert done["agreement"]["split"] == 2
    consistent(world)
    now = told_in(world)
    assert [now[a.article_id] for a in LATE] == [ids[a.article_id] for a in LATE]
    assert world.scalar("SELECT count(*) FROM releases WHERE body->>'status' <> 'none'") == 2
    told(world, "retell")
    consistent(world)


def test_a_retell_that_dies_in_the_switch_has_changed_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(world, LATE)
    before = everything(world)

    def die(*_: Any) -> Any:
        raise SystemExit(9)

    with monkeypatch.context() as dying:
        dying.setattr(retell, "_gone", die)
        assert world.invoke("retell").exit_code == 9
    assert everything(world) == before
    assert world.scalar("SELECT count(*) FROM outbox") == 0
    assert told(world, "retell")["stories"]["new"] == 2
    consistent(world)


def test_a_retell_that_was_stopped_for_too_long_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(world, LATE)
    before = everything(world)
    seize = leases.seize

    def and_lose(tx: Connection, name: str, owner: str, ttl: timedelta) -> leases.Lease:
        lease = seize(tx, name, owner, ttl)
        seize(tx, name, "another", ttl)
        return lease

    monkeypatch.setattr(leases, "seize", and_lose)
    done = world.invoke("retell")
    assert done.exit_code == 1
    assert "nothing was written" in done.stderr
    assert everything(world) == before


def test_the_storyteller_stands_by_and_goes_on_with_what_came(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("storyteller", "relay"):
        world.start(process.WORKERS[name](world.engine, world.settings, world.servers, None))
    for n, a in enumerate(LATE):
        judge(world, [a])
        until(lambda n=n: world.scalar("SELECT count(*) FROM story_members") == n + 1)  # type: ignore[misc]
    build = retell._build

    def and_news(*arguments: Any) -> int:
        found = build(*arguments)
        judge(world, [report(2, day) for day in range(5)])
        return found

    monkeypatch.setattr(retell, "_build", and_news)
    done = told(world, "retell")
    assert (done["verdicts"], done["stories"]) == (6, {"new": 2, "changed": 2})
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 11)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()
    consistent(world)
    for name, table, key in ((STORIES, "stories", "story_id"), (RELEASES, "releases", "release_id")):
        records = world.read(name)
        ids = [event_id_of(r.headers) for r in records]
        assert len(ids) == len(set(ids))
        newest = {r.key.decode(): json.loads(r.value)["version"] for r in records}
        assert newest == dict(rows(world, f"SELECT {key}, version FROM {table}"))  # noqa: S608


class Counting(StubClassifier):
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.assessed: list[str] = []

    def assess(self, article: Article) -> Assessment:
        self.assessed.append(article.article_id)
        return super().assess(article)


Reset = Callable[[Any, Sequence[TopicPartition]], Mapping[TopicPartition, int]]


def to_earliest(consumer: Any, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    found: Mapping[TopicPartition, int] = consumer.beginning_offsets(places)
    return found


def to_datetime(consumer: Any, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    """To before the records came; a partition without any stays at its end."""
    ends = consumer.end_offsets(places)
    found = consumer.offsets_for_times(dict.fromkeys(places, 0))
    return {p: found[p].offset if found[p] else ends[p] for p in places}


def shift_by(consumer: Any, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    return {p: max(0, at - 1) for p, at in consumer.end_offsets(places).items()}


@pytest.mark.parametrize("reset", [to_earliest, to_datetime, shift_by])
def test_an_operators_reset_is_read_again_and_doubles_nothing(world: World, reset: Reset) -> None:
    """As `kafka-consumer-groups.sh --reset-offsets` does it: the offsets of a group without members."""
    topic, group = world.topics[ARTICLES], f"{world.settings.topic_prefix}classifier"
    world.publish([out(topic, article(n)) for n in range(30)])

    def work() -> Counting:
        """Run a classifier and a relay until the group is at the end and everything is out."""
        subject = Counting()
        strategy = classifier.strategy(world.engine, world.topics, group, subject)
        world.start(ConsumerLoop(world.broker, [topic.name], group, strategy).run)
        world.start(process.WORKERS["relay"](world.engine, world.settings, world.servers, None))
        until(
            lambda: all(row.committed == row.end for row in lag(world.broker, group, [topic.name]) if row.end)
        )
        until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
        world.stop_all()
        return subject

    work()
    stored, announced = everything_of_the_classifier(world), len(world.read(ASSESSMENTS))
    assert announced == 30

    consumer, admin = world.broker.consumer("operator"), world.broker.admin()
    places = [TopicPartition(topic.name, p) for p in range(topic.partitions)]
    targets, ends = reset(consumer, places), consumer.end_offsets(places)
    until(lambda: not admin.describe_groups([group])[group]["members"])
    admin.alter_group_offsets(group, {p: OffsetAndMetadata(at, "", -1) for p, at in targets.items()})
    consumer.close()
    admin.close()

    again = work().assessed
    assert len(again) == len(set(again)) == sum(ends[p] - targets[p] for p in places) > 0
    assert everything_of_the_classifier(world) == stored
    assert len(world.read(ASSESSMENTS)) == announced


def everything_of_the_classifier(world: World) -> list[Any]:
    tables = ("articles", "revisions", "sightings", "assessments", "dead_letters")
    return [rows(world, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]  # noqa: S608
