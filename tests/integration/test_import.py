"""`racewire import` on real servers: exact counts, killed and continued, and the news first."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pipeline.assets import classifier as real_classifier
from pipeline.bus.consumer import ConsumerLoop
from pipeline.bus.gathering import Limits
from pipeline.cli import racewire
from pipeline.workers import classifier
from pipeline.workers.pace import Paced
from pipeline.workers.relay import event_id_of
from schemas.topics import ARTICLES, ASSESSMENTS, BACKFILL
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poll_all, poller, start_classifier
from tests.integration.test_workers import start_relay
from tests.samples import START, article, out
from tests.until import until

pytestmark = pytest.mark.integration


def line(number: int, **fields: Any) -> str:
    published = START + timedelta(hours=number)
    return json.dumps(
        {
            "url": f"https://archive.example/{number}",
            "title": f"OpenAI releases GPT-{number}",
            "summary": "The model is out.",
            "published": published.isoformat(),
            "source": "Old Paper",
        }
        | fields
    )


@pytest.fixture
def home(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for archives; commands find this world and a registry of one feed."""
    registry = tmp_path / "feeds.yaml"
    entry = {"id": "paper", "url": "https://paper.example/feed", "title": "Paper", "language": "en"}
    registry.write_text(yaml.safe_dump([entry | {"kind": "press", "rank": 2}]))
    for name, value in (world.environment() | {"RACEWIRE_FEEDS_FILE": str(registry)}).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def run(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, summary, and what was said on standard error."""
    done = CliRunner().invoke(racewire, ["import", "--json", "--rate", "100000", *arguments])
    return done.exit_code, json.loads(done.stdout), done.stderr


def counts(summary: dict[str, Any]) -> tuple[int, int, int, int]:
    return summary["read"], summary["added"], summary["known"], sum(summary["rejected"].values())


def test_counts_are_exact_and_what_is_known_is_left_as_it_is(world: World, home: Path) -> None:
    with FeedServer().serving() as server:
        server.documents["/a"] = (
            rss(("/7", "News of today", "t"), link="https://archive.example"),
            "text/xml",
        )
        poll_all(poller(world, [feed(server, "a", "/a")]))
    folder = home / "archive"
    (folder / "paper").mkdir(parents=True)
    lines = [line(n) for n in range(120)]
    lines[50:50] = ["{", line(50, published=""), line(3)]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    item = "<item><title>Saved</title><link>/1</link><pubDate>Sat, 01 Jun 2024 10:00:00 GMT</pubDate></item>"
    (folder / "paper" / "1.xml").write_text(
        f"<rss version='2.0'><channel><link>https://paper.example</link>{item}</channel></rss>"
    )
    wanted = (124, 120, 2, 2)  # 119 lines and the document; 3 comes twice, 7 is in the news
    code, summary, said = run(str(folder), "--dry-run")
    assert (code, counts(summary), summary["dry_run"]) == (1, wanted, True)
    assert world.scalar("SELECT count(*) FROM known_articles") == 1
    assert world.read(BACKFILL) == []

    code, summary, said = run(str(folder))
    assert (code, counts(summary)) == (1, wanted)
    assert summary["feeds"] == {"old-paper": 119, "paper": 1}
    assert [s.partition(": ")[0] for s in said.splitlines() if "a.jsonl.gz:" in s] == [
        f"{folder}/a.jsonl.gz:51",
        f"{folder}/a.jsonl.gz:52",
    ]
    assert (len(world.read(ARTICLES)), len(world.read(BACKFILL))) == (1, 120)
    assert world.scalar("SELECT count(*) FROM known_articles WHERE known->>'history' = 'true'") == 120

    code, summary, _ = run(str(folder))
    assert counts(summary) == (124, 0, 122, 2)
    assert len(world.read(BACKFILL)) == 120
    start_classifier(world, BACKFILL)
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 121, 90)
    assert world.scalar("SELECT count(*) FROM outbox WHERE lane = 1") == 120
    assert world.scalar("SELECT title FROM articles WHERE url LIKE '%archive.example/7'") == "News of today"
    shown = CliRunner().invoke(racewire, ["status"]).stdout
    assert "of it history" in shown
    assert "classifier-backfill" in shown


def test_a_killed_import_continues_and_doubles_nothing(world: World, home: Path) -> None:
    many = 5000  # so long that a busy machine's test kills it in its course, too
    path = home / "a.jsonl"
    path.write_text("\n".join(line(n) for n in range(many)))
    command = [sys.executable, "-m", "pipeline.cli", "import", str(path), "--rate", "100"]
    known = "SELECT count(*) FROM known_articles"
    for threshold in (1, 500):
        process = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL)
        try:
            until(lambda: world.scalar(known) >= threshold, 90)  # noqa: B023  # called at once
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    process = subprocess.Popen(
        command,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored where CI runs in background
    )
    before = world.scalar(known)
    assert before < many, "the kills came too late to prove anything"
    until(lambda: world.scalar(known) > before, 90)
    process.send_signal(signal.SIGINT)  # Ctrl-C
    shown, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continues where it was" in said.decode()
    assert "known already" in shown.decode()
    there = world.scalar(known)
    code, summary, _ = run(str(path))
    assert (code, counts(summary)) == (0, (many, many - there, there, 0))
    ids = Counter(event_id_of(r.headers) for r in world.read(BACKFILL))
    assert len(ids) == many  # one published again by a run that was killed before its commit has the same id
    assert sum(ids.values()) - many <= 2 * 50


def test_news_does_not_wait_for_history(world: World, home: Path) -> None:
    path = home / "a.jsonl"
    path.write_text("\n".join(line(n) for n in range(3000)))
    assert run(str(path))[1]["added"] == 3000
    group = world.settings.topic_prefix + classifier.NAMES[BACKFILL]
    slow = Paced(classifier.strategy(world.engine, world.topics, group, real_classifier(), BACKFILL), 20)
    world.start(
        ConsumerLoop(world.broker, [world.topics[BACKFILL].name], group, slow, limits=Limits(count=20)).run
    )
    start_classifier(world)
    history = "SELECT count(*) FROM assessments a JOIN articles USING (article_id) WHERE url LIKE '%archive%'"
    until(lambda: world.scalar(history) >= 20, 60)
    world.publish([out(world.topics[ARTICLES], article(n)) for n in range(60)])
    until(lambda: world.scalar("SELECT count(*) FROM assessments") - world.scalar(history) == 60, 60)
    waiting = world.scalar("SELECT count(*) FROM outbox WHERE lane = 1")
    assert 20 <= waiting == world.scalar(history) < 3000
    start_relay(world)
    until(lambda: world.scalar("SELECT count(*) FROM outbox WHERE lane = 0") == 0, 60)
    until(lambda: any(not is_news for part in on_the_topic(world) for is_news in part), 60)
    assert sum(sum(part) for part in on_the_topic(world)) == 60
    for part in on_the_topic(world):
        assert part == sorted(part, reverse=True), "history went before the news that came after it"


def on_the_topic(world: World) -> list[list[bool]]:
    """Of each partition of verdicts, in its order: is it about the news?"""
    found = defaultdict[int, list[bool]](list)
    for record in world.read(ASSESSMENTS):
        found[record.partition].append("archive.example" not in json.loads(record.value)["url"])
    return list(found.values())
