"""A classifier that is killed with SIGKILL in mid-batch loses nothing and doubles nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.topics import ARTICLES
from tests.conftest import World
from tests.samples import article, out
from tests.until import until

pytestmark = pytest.mark.integration
MANY = 3000


def start(world: World, log: Path) -> subprocess.Popen[bytes]:
    env = os.environ | world.environment() | {"RACEWIRE_BATCH": "40"}
    command = [sys.executable, "-m", "pipeline.cli", "worker", "classifier", "--instance", "0"]
    with log.open("ab") as output:
        return subprocess.Popen(command, env=env, stdout=output, stderr=output)


def count(world: World) -> int:
    found: int = world.scalar("SELECT count(*) FROM assessments")
    return found


def test_kill_9_of_the_classifier_in_mid_batch(world: World, tmp_path: Path) -> None:
    topic = world.topics[ARTICLES]
    world.publish([out(topic, article(n)) for n in range(MANY)])
    log = tmp_path / "classifier.log"
    for threshold in (1, MANY // 4, MANY // 2):
        process = start(world, log)
        try:
            until(lambda: count(world) >= threshold, 90, log.read_text())  # noqa: B023  # called at once
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert count(world) < MANY, "the kills came too late to prove anything"
    process = start(world, log)
    until(lambda: count(world) == MANY, 90, log.read_text())
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == MANY, 30)
    process.terminate()
    assert process.wait(20) == 0
    assert world.scalar("SELECT count(*) FROM articles") == MANY
    assert world.scalar("SELECT max(version) FROM assessments") == 1
    assert world.scalar("SELECT count(*) FROM outbox") == MANY
    assert world.scalar("SELECT count(DISTINCT event_id) FROM outbox") == MANY
    assert world.scalar("SELECT count(*) FROM dead_letters") == 0
