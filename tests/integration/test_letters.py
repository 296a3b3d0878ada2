"""Dead letters as an operator handles them, and the flood that stops a worker."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from pipeline.cli import racewire as command
from pipeline.store import dead_letters
from pipeline.store.dead_letters import Selection
from pipeline.workers import upkeep
from schemas import codec
from schemas.codec import OutRecord
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.integration.test_workers import start_classifier, start_relay
from tests.samples import START, article, dead_letter, out
from tests.until import until

pytestmark = pytest.mark.integration
STATE = "SELECT string_agg(state, ' ' ORDER BY id) FROM dead_letters"


def racewire(world: World, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(command, arguments, env=world.environment())
    assert done.exit_code == code, done.output
    return done.output


def poison(world: World, number: int, **fields: Any) -> OutRecord:
    return out(world.topics[ARTICLES], msgspec.structs.replace(article(number), text="poison", **fields))


def malformed(world: World, number: int, value: bytes) -> OutRecord:
    good = out(world.topics[ARTICLES], article(number))
    return msgspec.structs.replace(good, value=value)


def test_by_fault_then_one_then_what_is_to_become_of_them(world: World) -> None:
    world.publish([malformed(world, n, b'{"article_id": %d}' % n) for n in range(10, 13)])
    world.publish([malformed(world, 13, b"{\x1b[31m"), poison(world, 14)])
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM dead_letters") == 5)
    groups = json.loads(racewire(world, "dead-letters", "list", "--json"))
    assert groups[0]["count"] == 3
    assert sorted((g["count"], g["reason"]) for g in groups[1:]) == [(1, "decode"), (1, "process")]
    many = groups[0]["fingerprint"]
    one = groups[0]["example"]
    assert many in racewire(world, "dead-letters", "list", "--topic", ARTICLES, "--since", "1h")
    assert "No dead letters are open" in racewire(world, "dead-letters", "list", "--since", "2100-01-01")
    assert "No dead letters are open" in racewire(world, "dead-letters", "list", "--topic", "another")
    each = racewire(world, "dead-letters", "list", "--each", "--reason", "process", "--json")
    assert [d["dead_letter"]["errors"][0].split()[0] for d in json.loads(each)] == ["ValueError:"]
    shown = racewire(world, "dead-letters", "show", str(one))
    for part in ("attempt 1", "$.article_id", '{"article_id": 1', "ce_type: ", "classifier stub-1"):
        assert part in shown
    hostile = world.scalar("SELECT id FROM dead_letters WHERE body->>'errors' LIKE '%malformed%'")
    assert "\x1b" not in racewire(world, "dead-letters", "show", str(hostile))
    assert "no dead letter 999" in racewire(world, "dead-letters", "show", "999", code=1)

    assert "3 would be" in racewire(world, "dead-letters", "discard", "--fingerprint", many[:6], "--dry-run")
    assert "3 discarded" in racewire(world, "dead-letters", "discard", "--fingerprint", many[:6])
    assert "name letters" in racewire(world, "dead-letters", "discard", code=2)
    assert "2 would be" in racewire(world, "dead-letters", "redrive", "--dry-run")
    assert world.scalar("SELECT count(*) FROM dead_letters WHERE state = 'open'") == 2
    assert "1 queued" in racewire(world, "dead-letters", "redrive", "--reason", "process", "--rate", "5")
    start_relay(world)
    until(lambda: world.scalar("SELECT max((body->>'attempts')::int) FROM dead_letters") == 2)
    assert dict(state_counts(world)) == {"discarded": 3, "open": 2, "failed-again": 1}


def state_counts(world: World) -> dict[str, int]:
    with world.engine.connect() as tx:
        return dead_letters.counts(tx)


def redrive(world: World, *, force: bool = False) -> dead_letters.Redriven:
    return upkeep.redrive(world.engine, world.topics, Selection(), force=force)


def test_what_the_store_has_newer_is_refused_and_said(world: World) -> None:
    world.publish([poison(world, 1), poison(world, 2)])
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM dead_letters") == 2)
    world.publish([out(world.topics[ARTICLES], article(1, revision=1, kind="revision", later=5))])
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 1)
    outcome = redrive(world)
    assert len(outcome.done) == len(outcome.refused) == 1
    (why,) = outcome.refused.values()
    newer = START + timedelta(minutes=6)
    assert why == f"the store has a newer article {1:024x}, of {newer:%Y-%m-%d %H:%M:%S} UTC"
    assert state_counts(world) == {"open": 1, "redriven": 1}
    assert redrive(world, force=True).refused == {}


def test_what_no_topic_takes_is_refused(world: World) -> None:
    sample = dead_letter(world.topics[ARTICLES].name)
    large = msgspec.convert(json.loads(codec.encode(sample)), dead_letters.DeadLetter)
    with world.engine.begin() as tx:
        dead_letters.add(
            tx,
            world.topics[f"{ARTICLES}.dead-letters"],
            [
                msgspec.structs.replace(large, value=b"x" * 3_000_000),
                msgspec.structs.replace(large, topic="gone", offset=1),
            ],
        )
    assert sorted(redrive(world).refused.values()) == [
        f"3000000 bytes are more than {world.topics[ARTICLES].name} takes",
        "this deployment has no topic gone",
    ]


def test_a_flood_stops_the_worker_and_says_what_to_do(world: World) -> None:
    world.publish([malformed(world, n, b"{") for n in range(150)])
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "worker", "classifier"],
        env=os.environ | world.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "of the last" in done.stderr
    assert "racewire dead-letters redrive" in done.stderr
    assert world.scalar("SELECT count(*) FROM claims") == 0
