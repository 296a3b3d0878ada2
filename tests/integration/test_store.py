"""The store on a real Postgres: migrations, leases with epochs, versions under a row lock."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import permutations

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from pipeline.store import leases, outbox, queries, tales, verdicts, witness
from pipeline.store.aggregates import ASSESSMENT, ConflictError, load, put
from pipeline.store.migrating import is_current
from pipeline.store.models import Base
from pipeline.store.outbox import HISTORY, NEWS
from pipeline.stories import Decision, Keys, Settings, State, decide
from pipeline.stories.releases import release
from schemas.codec import OutRecord
from schemas.topics import ASSESSMENTS, RELEASES, STORIES
from tests.conftest import World
from tests.samples import START, StubClassifier, article

pytestmark = pytest.mark.integration
TTL = timedelta(seconds=30)


def test_migrations_make_what_the_models_say(world: World) -> None:
    assert is_current(world.engine)
    with world.engine.connect() as tx:
        assert compare_metadata(MigrationContext.configure(tx), Base.metadata) == []


def test_a_lease_has_one_holder_and_a_new_epoch_for_each(world: World) -> None:
    with world.engine.begin() as tx:
        first = leases.acquire(tx, "x", "a", TTL)
        assert first
        assert leases.acquire(tx, "x", "b", TTL) is None
        again = leases.acquire(tx, "x", "a", TTL)
        assert again
        assert again.epoch == first.epoch
        leases.release(tx, first)
    with world.engine.begin() as tx:
        second = leases.acquire(tx, "x", "b", TTL)
        assert second
        assert second.epoch == first.epoch + 1
    with pytest.raises(leases.LeaseLostError), world.engine.begin() as tx:
        leases.hold(tx, first, TTL)


def test_a_stopped_leader_that_wakes_up_writes_nothing(world: World) -> None:
    with world.engine.begin() as tx:
        old = leases.acquire(tx, "x", "a", timedelta(seconds=0))
    assert old
    with pytest.raises(leases.LeaseLostError), world.engine.begin() as tx:
        tx.execute(text("INSERT INTO story_members SELECT 'a', 's', now(), '[]', '{}'"))
        leases.hold(tx, old, TTL)
    assert world.scalar("SELECT count(*) FROM story_members") == 0


def test_versions_of_a_key_are_the_order_of_commits(world: World) -> None:
    """Many writers at once change one verdict: every version once, the outbox in their order."""
    given = article(1)
    verdict = StubClassifier().assess(given)
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [given])
        put(tx, ASSESSMENT, world.topics[ASSESSMENTS], [verdict])
    barrier = threading.Barrier(4)

    def write(writer: int) -> None:
        barrier.wait()
        for n in range(5):
            changed = msgspec.structs.replace(verdict, title=f"{writer}-{n}")
            with world.engine.begin() as tx:
                put(tx, ASSESSMENT, world.topics[ASSESSMENTS], [changed])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    with world.engine.connect() as tx:
        versions = [int(dict(row.record.headers)["ce_sequence"]) for row in outbox.take(tx, 100)]
        stored = load(tx, ASSESSMENT, [given.article_id])[given.article_id]
    assert versions == list(range(1, 22))
    assert stored.version == 21


def test_the_same_state_again_writes_nothing(world: World) -> None:
    given = article(1)
    verdict = StubClassifier().assess(given)
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [given])
        assert len(put(tx, ASSESSMENT, world.topics[ASSESSMENTS], [verdict])) == 1
        assert put(tx, ASSESSMENT, world.topics[ASSESSMENTS], [verdict]) == []
        assert outbox.size(tx) == 1


def test_an_older_revision_does_not_come_back(world: World) -> None:
    old, new = article(1), article(1, revision=1, kind="revision", later=10)
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [new])
        verdicts.save_articles(tx, [old])
    assert world.scalar("SELECT revision FROM articles") == "r1-1"
    assert world.scalar("SELECT count(*) FROM revisions") == 2


def test_a_sighting_before_its_article_makes_the_row_and_gives_way(world: World) -> None:
    sighting = msgspec.structs.replace(article(1, kind="sighting", feed="b"), revision="other", text="short")
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [sighting])
        assert world.scalar("SELECT count(*) FROM articles") == 0  # not yet committed
    assert world.scalar("SELECT revision FROM articles") == "other"
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [article(1, later=1)])
    assert world.scalar("SELECT revision FROM articles") == "r1-0"
    assert world.scalar("SELECT count(*) FROM sightings") == 2


def test_whatever_the_order_of_news_and_history_the_rows_are_the_same(world: World) -> None:
    told = [
        (article(1), HISTORY),
        (article(1, kind="sighting", feed="b", later=1), HISTORY),
        (msgspec.structs.replace(article(1, kind="sighting", feed="c", later=9), revision="teaser"), NEWS),
        (article(1, revision=1, kind="revision", later=5), NEWS),
        (article(1, revision=2, kind="revision", feed="d", later=3), HISTORY),
    ]
    found = set()
    for order in permutations(told):
        with world.engine.connect() as tx:
            for message, lane in order:
                found_now = {(message.article_id, message.revision): StubClassifier().assess(message)}
                verdicts.save_articles(tx, [message])
                verdicts.save_assessments(
                    tx, world.topics[ASSESSMENTS], [message.article_id], found_now, lane
                )
            tables = ("articles", "revisions", "sightings", "assessments")
            drop = {"first_stored_at", "written_at", "version"}
            rows = [
                {k: v for k, v in row.items() if k not in drop}
                for table in tables
                for row in tx.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3")).mappings()  # noqa: S608
            ]
            rows[-1]["body"].pop("version")
            found.add(str(rows))
            assert (rows[0]["revision"], rows[-1]["revision"]) == ("r1-1", "r1-1")
            assert len(rows) == 1 + 3 + 4 + 1
            tx.rollback()
    assert len(found) == 1


def test_a_batch_of_news_and_of_history_loads_nothing_in_between(world: World) -> None:
    moments = [START - timedelta(days=days) for days in (2000, 1001, 1000, 3, 0)]
    state = cluster_rows(moments)
    with world.engine.begin() as tx:
        tales.save_decision(tx, world.topics[STORIES], world.topics[RELEASES], state)
    week, day = timedelta(days=7), timedelta(days=1)

    def loaded(*asked: tuple[int, str]) -> list[int]:
        keys = [
            Keys(
                article_id="none",
                actors=frozenset({actor}),
                since=moments[number] - week,
                until=moments[number] + day,
                releases=frozenset(),
            )
            for number, actor in asked
        ]
        with world.engine.connect() as tx:
            members = tales.load_state(tx, keys).members
        return sorted(int(m.article.article_id, 16) for m in members)

    assert loaded((0, "openai"), (4, "openai")) == [0, 3, 4]
    assert loaded((1, "openai"), (0, "nobody")) == [1, 2]
    assert loaded((2, "openai"), (1, "openai"), (4, "openai")) == [1, 2, 3, 4]


def cluster_rows(moments: list[datetime]) -> Decision:
    """Articles 0, 1, 2, … of these moments, each in a story of its own."""
    told = [
        msgspec.structs.replace(StubClassifier().assess(article(n)), published_at=at)
        for n, at in enumerate(moments)
    ]
    return decide(told, State(), Settings())


def test_a_new_key_is_written_by_one_and_seen_by_the_other(world: World) -> None:
    given = article(1)
    verdict = StubClassifier().assess(given)
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [given])
    barrier = threading.Barrier(4)

    def write(writer: int) -> int:
        state = msgspec.structs.replace(verdict, title=f"writer {writer}")
        barrier.wait()
        for conflicts in range(5):
            try:
                with world.engine.begin() as tx:
                    put(tx, ASSESSMENT, world.topics[ASSESSMENTS], [state])
            except ConflictError:
                continue
            return conflicts
        raise AssertionError("it never saw what the others wrote")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    with world.engine.connect() as tx:
        versions = [int(dict(row.record.headers)["ce_sequence"]) for row in outbox.take(tx, 100)]
    assert versions == [1, 2, 3, 4]


def test_a_story_is_not_told_backwards(world: World) -> None:
    given = article(1)
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, [given])
        (first,) = put(tx, ASSESSMENT, world.topics[ASSESSMENTS], [StubClassifier().assess(given)])
        changed = msgspec.structs.replace(first, title="changed")
        (second,) = put(tx, ASSESSMENT, world.topics[ASSESSMENTS], [changed])
        assert tales.current(tx, [first, second]) == [second]


def test_the_outbox_gives_back_every_byte(world: World) -> None:
    every = bytes(range(256))  # NUL, too, which JSON in Postgres cannot hold: a dead letter's key is anything
    record = OutRecord(topic="t", key=every, event_id="1", value=every, headers=(("ce_subject", every),))
    with world.engine.begin() as tx:
        outbox.add(tx, [record])
        assert [pending.record for pending in outbox.take(tx, 1)] == [record]


def test_an_article_is_found_by_its_id_the_beginning_of_it_or_its_address(world: World) -> None:
    given = [
        msgspec.structs.replace(article(n), article_id=article_id)
        for n, article_id in enumerate(("ab1", "ab12", "ab2", "cd", "d_1"))
    ]
    found = {(a.article_id, a.revision): StubClassifier().assess(a) for a in given}
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, given)
        verdicts.save_assessments(tx, world.topics[ASSESSMENTS], [a.article_id for a in given], found)

        def asked(words: str) -> str | None:
            one = queries.article(tx, words)
            return one and one.article.article_id

        assert [asked(a.article_id) for a in given] == [a.article_id for a in given]
        assert [asked(a.url) for a in given] == [a.article_id for a in given]
        assert [asked(words) for words in ("c", "ab12", "ab2", "d")] == ["cd", "ab12", "ab2", "d_1"]
        assert [asked(words) for words in ("ab", "e", "", "%", "_d", "https://news.example/")] == [None] * 6


def test_what_is_too_much_to_be_counted_is_about_right(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [article(n) for n in range(40)]
    found = {(a.article_id, a.revision): StubClassifier().assess(a) for a in given}
    with world.engine.begin() as tx:
        verdicts.save_articles(tx, given)
        verdicts.save_assessments(tx, world.topics[ASSESSMENTS], [a.article_id for a in given], found)
        tx.execute(text("ANALYZE"))
        counted = queries.overview(tx)
        monkeypatch.setattr(queries, "COUNTED", 10)
        estimated = queries.overview(tx)
        monkeypatch.setattr(queries, "COUNTED", 39)
        tx.execute(text("UPDATE pg_class SET reltuples = 7 WHERE relname = 'articles'"))
        outdated = queries.overview(tx)
    assert (counted.articles, counted.labels, counted.stories) == (40, {"core": 40}, 0)
    assert (estimated.articles, estimated.labels, estimated.stories) == (40, {"core": 40}, 0)
    assert outdated.articles == 40  # no less than what was counted until it was too much
    assert [queries.said(n) for n in (39, 40, 1200)] == ["39", "about 40", "about 1,200"]


def test_what_nobody_tells_of_any_more_is_no_line(world: World) -> None:
    verdict = StubClassifier().assess(article(1))
    told = decide([verdict], State(), Settings()).releases
    empty = [release(r.release_id + "0", r.actor, r.product, []) for r in told]
    with world.engine.begin() as tx:
        decision = Decision(members=(), left=(), stories=(), releases=(*told, *empty))
        tales.save_decision(tx, world.topics[STORIES], world.topics[RELEASES], decision)
        assert [r.release_id for r in queries.releases(tx)] == [r.release_id for r in told] != []
        assert queries.releases(tx, products=[told[0].product]) == queries.releases(tx)
        assert queries.releases(tx, products=["nothing"]) == []


def test_a_memory_counts_from_when_its_article_was_published_last(world: World) -> None:
    """Also where it was noted as seen long before: that is done once a month."""
    now = START + timedelta(days=1000)
    known = [(timedelta(days=29), timedelta(hours=1)), (timedelta(0), timedelta(days=2))]
    with world.engine.begin() as tx:
        for n, (seen, published) in enumerate(known):
            memory = {"observed_at": (now - published).isoformat(), "published": 1, "carriers": []}
            tx.execute(
                text("INSERT INTO known_articles VALUES (:id, :known, :seen)"),
                {"id": str(n), "known": json.dumps(memory), "seen": now - seen},
            )
    with witness.snapshot(world.engine) as (tx, _):
        count, _, lost = witness.memories(tx, now - timedelta(days=1), now - timedelta(days=9))
    assert (count, [finding.subject for finding in lost]) == (1, ["0"])
