"""Hostile records on real servers: none stops the line, none vanishes, none costs a neighbour."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.partitioner.default import murmur2

from schemas import codec
from schemas.messages import DeadLetter
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.integration.test_workers import LETTERS, start_classifier, start_relay
from tests.samples import article, out
from tests.until import until

pytestmark = pytest.mark.integration


def text_of(number: int, **fields: Any) -> bytes:
    return json.dumps(json.loads(codec.encode(article(number))) | fields).encode()


def test_every_kind_is_stored_or_a_dead_letter(world: World) -> None:
    topic = world.topics[ARTICLES].name
    stored = {
        1: {"value": text_of(1, text="a\0b")},
        2: {"value": text_of(2, text="a\ud800b")},
        3: {"value": text_of(3, text="x" * 10_000_000)},
        4: {"value": text_of(4), "timestamp_ms": 1},
        5: {"value": text_of(5), "key": b"\0" * 1_500_000},
        6: {"value": text_of(6), "key": None, "headers": [("a\0b", b"\xff"), ("ce_type", b"\xff")]},
    }
    dead = [
        {"value": None, "key": b"k"},
        {"value": b"{", "key": b"\xff" * 1_900_000},  # three times as long as a subject
        {"value": b"\0" * 10_000_000},  # not to be announced with its bytes
        {"value": b"[" * 1_000_000},
        {"value": text_of(7, published_at="9999-12-31T23:59:59-05:00")},
        {"value": text_of(8), "headers": [("ce_type", b"another")]},
        {"value": text_of(9, title="x" * 3_000_000)},  # its verdict would not fit its topic
    ]
    producer = KafkaProducer(
        bootstrap_servers=world.broker.bootstrap, compression_type="gzip", max_request_size=32 * 1024 * 1024
    )
    for record in [*stored.values(), *dead]:
        producer.send(topic, partition=0, **record).get(30)  # one behind the other: each would stop the rest
    producer.close()
    start_classifier(world)
    start_relay(world)
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == len(stored) + len(dead))
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    found = {world.scalar("SELECT text FROM articles WHERE article_id = :i", i=f"{n:024x}") for n in (1, 2)}
    assert found == {"a\ufffdb"}
    assert world.scalar("SELECT count(*) FROM articles") == len(stored)
    assert world.scalar("SELECT count(*) FROM dead_letters WHERE state = 'open'") == len(dead)
    announced = [codec.decode(world.topics[LETTERS], r.headers, r.value) for r in world.read(LETTERS)]
    assert len(announced) == len(dead)
    full = world.scalar("SELECT max(length(body->>'value')) FROM dead_letters")
    assert full > 10_000_000  # the store has it whole
    left_out = [d for d in announced if isinstance(d, DeadLetter) and "left out" in d.errors[-1]]
    assert len(left_out) == 2


@pytest.mark.parametrize(
    ("deep", "at"),
    [(False, 30), (True, 30), (True, 55)],
    ids=["a few in each partition", "behind thirty in its own", "ahead of the batch in hand"],
)
def test_a_record_that_kills_its_worker_and_only_that_one_is_put_aside(
    world: World, tmp_path: Path, deep: bool, at: int
) -> None:
    topic = world.topics[ARTICLES]
    given = [article(n) for n in range(2_000 if deep else 60)]
    if deep:
        given = [a for a in given if (murmur2(out(topic, a).key) & 0x7FFFFFFF) % topic.partitions == 0][:60]
    given[at] = msgspec.structs.replace(given[at], text="deadly")
    deadly = out(topic, given[at])
    world.publish([out(topic, a) for a in given])
    assert len({record.partition for record in world.read(ARTICLES)}) == (1 if deep else topic.partitions)
    log = tmp_path / "log"
    codes = []
    while not codes or codes[-1] == 9:
        assert len(codes) < 9, log.read_text()
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.deadly"],
                env=os.environ | world.environment(),
                stdout=output,
                stderr=output,
            )
        until(lambda: process.poll() or world.scalar("SELECT count(*) FROM articles") == 59, 120)  # noqa: B023
        if process.poll() is None:
            process.terminate()
        codes.append(process.wait(30))
    assert codes == [9] * 4 + [0], log.read_text()  # once in a batch, and three times alone
    with world.engine.connect() as tx:
        found = tx.exec_driver_sql(
            "SELECT reason, body->>'key', partition, record_offset FROM dead_letters"
        ).all()
    assert [(reason, msgspec.convert(key, bytes)) for reason, key, *_ in found] == [
        ("killed-worker", deadly.key)
    ], (found, log.read_text())
    assert world.scalar("SELECT count(*) FROM claims") == 0  # the last one left in good order
