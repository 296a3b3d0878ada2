"""What the pages tell to type and to copy works on real servers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.stack import Endpoints
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.docs.pages import PAGES, ROOT, Command, blocks, commands
from tests.integration.test_workers import start_classifier, start_relay, start_storyteller
from tests.samples import article, out
from tests.until import until

pytestmark = pytest.mark.integration

# Those that end by themselves, read the store or the topics, and leave alone what other tests share.
ONLINE = ("articles", "stories", "show", "status", "feeds list", "topics tail", "dead-letters")
ENDLESS = ("-f", "--follow")


def online() -> list[Command]:
    ours = [c for c in commands() if c.program == "racewire"]
    return [c for c in ours if " ".join(c.words[1:]).startswith(ONLINE) and not set(c.words) & set(ENDLESS)]


def fill(world: World) -> None:
    """Articles, verdicts, stories and releases."""
    world.publish([out(world.topics[ARTICLES], article(n)) for n in range(5)])
    start_classifier(world)
    start_storyteller(world)
    start_relay(world)
    until(lambda: world.scalar("SELECT count(*) FROM releases") == 5, what="releases")
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0, what="the relay")


def test_commands_run(world: World) -> None:
    fill(world)
    found = online()
    assert len({c.words for c in found}) > 8
    for words in {c.words for c in found}:
        # ARTICLE stands for an id of the reader's own.
        arguments = [article(1).article_id if word == "ARTICLE" else word for word in words[1:]]
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *arguments],
            capture_output=True,
            text=True,
            env=os.environ | world.environment() | {"PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        assert done.stdout, words


def test_stack_status_shows_the_port(stack: tuple[Path, Endpoints]) -> None:
    home, found = stack
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "stack", "status"],
        capture_output=True,
        text=True,
        env=os.environ | {"RACEWIRE_HOME": str(home), "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert found.kafka_bootstrap.split(":")[1] in done.stdout


EXAMPLES = [(page.name, code) for page in PAGES for code in blocks(page, "python")]


@pytest.mark.parametrize(("page", "code"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_reads_what_is_published(page: str, code: str, world: World, tmp_path: Path) -> None:
    fill(world)
    mine = {
        "ai-race.": f"{world.settings.topic_prefix}ai-race.",
        "127.0.0.1:19092": world.broker.bootstrap,
        "release-board": f"{world.settings.topic_prefix}release-board",
    }
    for shown, real in mine.items():
        assert shown in code
        code = code.replace(shown, real)
    output = tmp_path / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", code], stdout=file, stderr=file, cwd=tmp_path, env=os.environ
        )
    try:
        until(lambda: output.read_text().count("\n") >= 5 or process.poll() is not None, what=page)
    finally:
        process.kill()
        process.wait()
    told = output.read_text().splitlines()
    assert {line.split(" happened")[0] for line in told} == {f"GPT-{n}" for n in range(5)}, told


def test_the_pages_have_examples() -> None:
    assert {name for name, _ in EXAMPLES} == {"README.md", "consuming.md"}
