"""What a worker does while the database works: it judges what the next batch will hold."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import UnavailableError
from pipeline.bus.gathering import Batch
from pipeline.store.waiting import meanwhile
from pipeline.workers.strategy import StoreStrategy
from schemas.messages import Article
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.samples import article, out

pytestmark = pytest.mark.integration
MANY = 30


class Worker(StoreStrategy):
    """Remembers what it prepared and what it wrote, which takes the database a while, or which fails."""

    def __init__(self, world: World) -> None:
        topic, letters = world.topics[ARTICLES], world.topics[f"{ARTICLES}.dead-letters"]
        self.prepared: list[str] = []
        self.written: list[str] = []
        self.fails = False
        super().__init__(
            world.engine, "ahead", topic, letters, self.note, self.slow, worker="classifier", version="0"
        )

    def note(self, found: Article) -> str:
        self.prepared.append(found.article_id)
        return found.article_id

    def slow(self, tx: Connection, done: Sequence[str]) -> None:
        tx.execute(text("SELECT pg_sleep(0.2)"))
        if self.fails:
            raise UnavailableError("the database is down")
        self.written += done


def given(world: World) -> tuple[list[Any], list[str]]:
    """Records as the broker gives them, and their articles' ids."""
    topic = world.topics[ARTICLES]
    world.publish([out(topic, article(n)) for n in range(MANY)])
    records = world.read(ARTICLES)
    return records, [record.key.decode() for record in records]


def test_what_lies_ahead_is_judged_while_the_database_works(world: World) -> None:
    records, ids = given(world)
    worker = Worker(world)
    worker.claim(sorted({(r.topic, r.partition) for r in records}))
    worker.handle(Batch(records[:10], records[10:25]))
    assert worker.prepared == ids[:25]
    assert worker.written == ids[:10]
    # Whoever comes after a death is to be careful as far as that.
    assert world.scalar("SELECT sum(reach) FROM claims") == sum(Batch(records[:25]).positions.values())
    worker.handle(Batch(records[10:], ()))
    assert worker.prepared == ids  # each once
    assert worker.written == ids


def test_what_was_judged_ahead_and_did_not_come_is_not_written(world: World) -> None:
    records, ids = given(world)
    worker = Worker(world)
    worker.handle(Batch(records[:10], records[10:20]))
    worker.handle(Batch(records[20:]))  # those between were revoked meanwhile
    assert worker.written == ids[:10] + ids[20:]
    worker.fails = True
    with pytest.raises(UnavailableError):
        worker.handle(Batch(records[10:15], records[15:20]))
    worker.fails = False
    worker.handle(Batch(records[10:15], records[15:20]))
    worker.handle(Batch(records[15:20]))
    assert worker.written == ids[:10] + ids[20:] + ids[10:20]


def test_after_a_death_nobody_looks_ahead(world: World) -> None:
    records, ids = given(world)
    places = sorted({(r.topic, r.partition) for r in records})
    left = [n for n, r in enumerate(records) if (r.topic, r.partition) == places[0]]
    other = [n for n in range(MANY) if n not in left]
    Worker(world).claim(places[:1])
    worker = Worker(world)
    worker.claim(places)  # the first one of one that did not let go
    worker.handle(Batch([records[n] for n in other], [records[n] for n in left]))
    assert left
    assert worker.prepared == [ids[n] for n in other]


def test_a_thread_works_while_it_waits_and_errors_stay_what_they_are(world: World) -> None:
    left = list(range(50))

    def work() -> bool:
        return bool(left and left.pop() is not None)

    with world.engine.connect() as tx, meanwhile(work):
        assert tx.scalar(text("SELECT 7 FROM pg_sleep(0.1)")) == 7
        assert not left
        with pytest.raises(DBAPIError, match="division by zero"):
            tx.execute(text("SELECT 1 / (random() * 0)::int FROM pg_sleep(0.1)"))
    left = [1]
    assert world.scalar("SELECT 7 FROM pg_sleep(0.1)") == 7
    assert left == [1]  # nobody said so any more
