"""What operators see of workers that are not there, and of those that are."""

import json
import os
import subprocess
import sys

import pytest

from pipeline.store import claims
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.integration.test_workers import start_classifier
from tests.samples import article, out
from tests.until import until

pytestmark = pytest.mark.integration


def status(world: World) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "status", "--json"],
        env=os.environ | world.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)["stuck"]


def test_records_that_nobody_reads_are_noticed_and_claims_come_and_go(world: World) -> None:
    world.publish([out(world.topics[ARTICLES], article(n)) for n in range(5)])
    code, stuck = status(world)
    assert code == 1
    (told,) = stuck
    assert told.startswith("classifier: 5 records wait: no worker reads them; start `racewire worker")
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 5)
    until(lambda: world.scalar("SELECT count(DISTINCT owner) FROM claims") == 1)
    assert world.scalar("SELECT count(*) FROM claims") == world.topics[ARTICLES].partitions
    assert status(world) == (0, [])
    heard = "SELECT min(seen_at) FROM claims"
    first = world.scalar(heard)
    until(lambda: world.scalar(heard) > first, what="a heartbeat")
    world.stop_all()
    assert world.scalar("SELECT count(*) FROM claims") == 0


def test_the_next_owner_knows_what_the_last_one_had_in_hand(world: World) -> None:
    few, many, other = ("t", 0), ("t", 1), ("t", 2)
    with world.engine.begin() as tx:
        assert claims.claim(tx, "g", "first", [few, many, other]) == {}
        claims.go(tx, "g", "first", {many: 70, other: 30})
        claims.go(tx, "g", "a stranger", {few: 500, many: 500})
        claims.go(tx, "g", "first", {other: 20})  # an operator's reset led back
        claims.release(tx, "g", "first", [other])
        assert claims.claim(tx, "g", "second", [few, many, other]) == {few: 0, many: 70}


def test_a_replay_on_its_way_to_a_deadly_record_keeps_the_count_of_its_deaths(world: World) -> None:
    place = ("t", 0)
    with world.engine.begin() as tx:
        claims.claim(tx, "g", "me", [place])
        # Offset 7 kills; after each death the records before it are met again, last of all the one after it.
        tries = [claims.begin(tx, "g", place, offset) for offset in (6, 7, 5, 6, 7, 6, 7)]
        assert tries == [1, 1, 1, 1, 2, 1, 3]
        claims.survive(tx, "g", place, 6)
        assert claims.begin(tx, "g", place, 7) == 4
        # One that was done, and is met again since another one killed before Kafka knew, is not to blame.
        for _ in range(5):
            assert claims.begin(tx, "g", place, 8) == 1
            claims.survive(tx, "g", place, 8)
