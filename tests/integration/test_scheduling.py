"""Our own scheduler's failures: polls that are killed, late, wedged, or hold a lease that is over."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from msgspec import to_builtins
from msgspec.structs import replace
from sqlalchemy import text

from pipeline.workers.relay import event_id_of
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poll_all, poller, start_classifier
from tests.unit.feeds.lying_server import LyingServer, http
from tests.until import until

pytestmark = pytest.mark.integration
ENTRIES = 30


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer().serving() as found:
        yield found


def document(name: str) -> bytes:
    return rss(*((f"/{name}/{n}", f"Title {n}", "text") for n in range(ENTRIES)))


def expire_leases(world: World) -> None:
    """As five minutes do."""
    with world.engine.begin() as tx:
        tx.execute(text("UPDATE feeds SET leased_until = now() - interval '1 s' WHERE leased_by IS NOT NULL"))


def killed(world: World, registry: Path, moment: Callable[[], object]) -> None:
    """Start a poll as the command does, and kill it with SIGKILL at that moment."""
    env = os.environ | world.environment() | {"RACEWIRE_FEEDS_FILE": str(registry)}
    log = registry.with_suffix(".log")
    with log.open("wb") as output:
        command = [sys.executable, "-m", "pipeline.cli", "poll"]
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        until(moment, 120, str(log))
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_kill_9_in_mid_batch_loses_nothing_and_doubles_nothing(
    world: World, server: FeedServer, tmp_path: Path
) -> None:
    with LyingServer() as slow:
        feeds = [feed(server, "quick", "/quick"), feed(server, "slow", "/slow")]
        feeds[1] = replace(feeds[1], url=slow.url("/slow"))
        registry = tmp_path / "feeds.yaml"
        registry.write_text(yaml.safe_dump([to_builtins(f) for f in feeds]))
        server.documents["/quick"] = (document("quick"), "text/xml")

        # While one of its feeds is still being fetched: nothing is out yet.
        slow.answers["/slow"] = lambda *_: slow.over.wait(120) and None
        killed(world, registry, lambda: slow.asked and server.requests["/quick"])
        assert world.read(ARTICLES) == []
        assert poll_all(poller(world, feeds))["feeds"] == 0  # its lease holds, and blocks nobody for longer
        expire_leases(world)

        # After the broker's acknowledgement, before anything is remembered: it waits for a table.
        slow.answers["/slow"] = http(200, document("slow"), Content_Type="text/xml")
        with world.engine.connect() as other:
            other.execute(text("LOCK TABLE polls"))
            killed(world, registry, lambda: len(world.read(ARTICLES)) == 2 * ENTRIES)
        until(lambda: world.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
        assert world.scalar("SELECT count(*) FROM known_articles") == 0
        expire_leases(world)

        sums = poll_all(poller(world, feeds))
        assert (sums["feeds"], sums["articles"]) == (2, 2 * ENTRIES)
    assert poll_all(poller(world, feeds))["feeds"] == 0  # run twice: nothing is due
    published = [event_id_of(r.headers) for r in world.read(ARTICLES)]
    assert (len(published), len(set(published))) == (4 * ENTRIES, 2 * ENTRIES)  # told apart by their ids
    start_classifier(world)
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == 4 * ENTRIES, 120)
    for table in ("articles", "revisions", "sightings", "assessments"):
        assert world.scalar(f"SELECT count(*) FROM {table}") == 2 * ENTRIES  # noqa: S608 - our own words
    assert world.scalar("SELECT max(version) FROM assessments") == 1


def test_a_poll_that_outlives_its_lease_publishes_nothing(world: World, server: FeedServer) -> None:
    asked, answer = threading.Event(), threading.Event()

    def late(request: bytes, send: Callable[[bytes], None]) -> None:
        if not asked.is_set():
            asked.set()
            answer.wait(60)
        send(http(200, document("a"), Content_Type="text/xml"))

    with LyingServer() as slow, ThreadPoolExecutor(1) as threads:
        slow.answers["/a"] = late
        feeds = [replace(feed(server, "a", "/a"), url=slow.url("/a"))]
        first = threads.submit(poll_all, poller(world, feeds))
        try:
            until(asked.is_set)
            expire_leases(world)
            assert poll_all(poller(world, feeds))["articles"] == ENTRIES
        finally:
            answer.set()
        assert first.result(60)["feeds"] == 0
    assert len(world.read(ARTICLES)) == ENTRIES
    assert world.scalar("SELECT count(*) FROM polls") == 1


def test_the_watchdog_tells_when_nobody_polls(world: World, server: FeedServer) -> None:
    feeds = [feed(server, "a", "/a")]
    server.documents["/a"] = (document("a"), "text/xml")
    poll_all(poller(world, feeds))
    start_classifier(world)
    until(
        lambda: (
            world.scalar("SELECT count(*) FROM assessments")
            == world.scalar("SELECT sum(articles) FROM polls")
        )
    )
    fine = world.invoke("status")
    assert fine.exit_code == 0, fine.output
    with world.engine.begin() as tx:  # RACEWIRE_POLL_EVERY is a minute: two of them have passed
        tx.execute(text("UPDATE feeds SET next_poll_at = now() - interval '121 s'"))
    told = world.invoke("status")
    assert told.exit_code == 1
    assert "No poll for 120 s although feeds are due" in told.output
    poll_all(poller(world, feeds))  # late, and once is enough
    assert world.invoke("status").exit_code == 0
    assert server.requests["/a"] == 2
