"""Replay on a real Kafka and Postgres: what is compared is what is then applied, nothing is doubled."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.cli import replay
from pipeline.store import outbox
from pipeline.store.verdicts import save_articles, save_assessments
from schemas.messages import Actor, Article, Assessment
from schemas.topics import ASSESSMENTS
from tests.conftest import World
from tests.samples import StubClassifier, article

pytestmark = pytest.mark.integration


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
