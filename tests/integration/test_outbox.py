"""The outbox's two lanes: news before history, and the order of each key whatever lane its events came by."""

import random
import threading
from collections import defaultdict
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, inspect, text

from pipeline.store import leases, outbox
from pipeline.store.migrating import migrate
from pipeline.store.outbox import HISTORY, NEWS
from pipeline.workers.relay import Relay, event_id_of
from pipeline.workers.strategy import LEASE_TTL
from schemas.codec import OutRecord
from schemas.topics import ASSESSMENTS
from tests.conftest import World
from tests.integration.test_workers import start_relay
from tests.until import until

pytestmark = pytest.mark.integration


@pytest.fixture
def tx(world: World) -> Iterator[Connection]:
    with world.engine.begin() as found:
        yield found


def event(key: str, number: int, topic: str = "t") -> OutRecord:
    headers = (("ce_id", f"{key}:{number}".encode()),)
    return OutRecord(topic=topic, key=key.encode(), event_id=f"{key}:{number}", value=b"{}", headers=headers)


def taken(tx: Connection, limit: int = 1000) -> list[str]:
    return [row.record.event_id for row in outbox.take(tx, limit)]


def test_history_waits_for_the_news_but_not_behind_itself(tx: Connection) -> None:
    outbox.add(tx, [event("old", 1), event("older", 1)], HISTORY)
    outbox.add(tx, [event("new", 1)])
    outbox.add(tx, [event("old", 2)])  # of two lanes: what it has waiting goes first
    assert taken(tx) == ["old:1", "new:1", "old:2", "older:1"]
    assert (outbox.size(tx), outbox.size(tx, HISTORY)) == (4, 1)


def test_a_key_is_one_topics_own_and_events_without_a_key_have_no_order(tx: Connection) -> None:
    nameless = OutRecord(topic="t", key=None, event_id="x", value=None, headers=())
    outbox.add(tx, [event("k", 1, "a"), event("k", 1, "b"), nameless], HISTORY)
    outbox.add(tx, [event("k", 2, "a"), nameless])
    assert outbox.size(tx, HISTORY) == 2


@pytest.mark.parametrize("seed", range(25))
def test_the_order_of_a_key_holds_whatever_comes_and_goes(tx: Connection, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    numbers, out = defaultdict[str, int](int), list[str]()
    for _ in range(60):
        if chance.random() < 0.6:
            keys = chance.choices("abcd", k=chance.randint(1, 3))
            records = []
            for key in keys:
                numbers[key] += 1
                records.append(event(key, numbers[key]))
            outbox.add(tx, records, chance.choice((NEWS, HISTORY, HISTORY)))
        else:
            batch, slow = outbox.take(tx, chance.randint(1, 5)), outbox.size(tx, HISTORY)
            out += [row.record.event_id for row in batch]
            outbox.remove(tx, [row.seq for row in batch])
            assert outbox.size(tx, HISTORY) == slow or not outbox.size(tx, NEWS)
    out += taken(tx)
    for key, count in numbers.items():
        assert [i for i in out if i.startswith(key)] == [f"{key}:{n}" for n in range(1, count + 1)]


def test_news_waits_for_no_row_that_the_relay_is_deleting(world: World) -> None:
    with world.engine.begin() as tx:
        outbox.add(tx, [event("k", 1)], HISTORY)
        (row,) = outbox.take(tx, 1)
    with world.engine.begin() as relay:
        outbox.remove(relay, [row.seq])
        with world.engine.begin() as tx:
            tx.execute(text("SET LOCAL lock_timeout = '1s'"))
            outbox.add(tx, [event("k", 2)])
    with world.engine.connect() as tx:
        assert taken(tx) == ["k:2"]


def test_the_relay_recovers_from_rows_of_both_lanes_that_are_out(world: World) -> None:
    topic = world.topics[ASSESSMENTS].name
    with world.engine.begin() as tx:
        outbox.add(tx, [event(f"old{n}", 1, topic) for n in range(20)], HISTORY)
        outbox.add(tx, [event(f"new{n}", 1, topic) for n in range(20)])
        outbox.add(tx, [event(f"old{n}", 2, topic) for n in range(0, 20, 2)])
        sent = [row.record for row in outbox.take(tx, 35)]
    world.publish(sent)  # a relay that died before it could delete its rows
    with world.engine.begin() as tx:
        outbox.add(tx, [event("old1", 2, topic), event("old19", 2, topic)])
        lease = leases.acquire(tx, "relay", "a", LEASE_TTL)
    assert lease
    assert Relay(world.engine, world.broker, lease).recover(threading.Event()) == 35
    with world.engine.begin() as tx:
        leases.release(tx, lease)
    start_relay(world)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    found = [event_id_of(r.headers) or "" for r in world.read(ASSESSMENTS)]
    assert len(found) == len(set(found)) == 52
    for key in {i.partition(":")[0] for i in found}:
        numbers = [int(i.partition(":")[2]) for i in found if i.startswith(f"{key}:")]
        assert numbers == sorted(numbers), key


def test_the_migration_goes_back_and_forth_over_waiting_rows(world: World) -> None:
    with world.engine.begin() as tx:
        outbox.add(tx, [event("k", 1)], HISTORY)
    migrate(world.engine, "0001")
    assert "lane" not in {c["name"] for c in inspect(world.engine).get_columns("outbox")}
    migrate(world.engine)
    with world.engine.connect() as tx:
        assert taken(tx) == ["k:1"]
