"""The store on a real Postgres: migrations, leases with epochs, versions under a row lock."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from pipeline.store import leases, outbox, tales, verdicts
from pipeline.store.aggregates import ASSESSMENT, ConflictError, load, put
from pipeline.store.database import is_current, migrate
from pipeline.store.models import Base
from schemas.codec import OutRecord
from schemas.topics import ASSESSMENTS
from tests.conftest import World
from tests.samples import StubClassifier, article

pytestmark = pytest.mark.integration
TTL = timedelta(seconds=30)


def test_migrations_make_what_the_models_say(world: World) -> None:
    assert is_current(world.engine)
    with world.engine.connect() as tx:
        assert compare_metadata(MigrationContext.configure(tx), Base.metadata) == []


def test_migrations_from_several_processes_at_once_and_back(world: World) -> None:
    with world.engine.begin() as tx:
        tx.execute(text("DROP SCHEMA public CASCADE"))
        tx.execute(text("CREATE SCHEMA public"))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: migrate(world.engine), range(4)))
    assert is_current(world.engine)
    assert world.scalar("SELECT count(*) FROM alembic_version") == 1


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
