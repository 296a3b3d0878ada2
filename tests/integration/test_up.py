"""`racewire up`: everything together, killed with SIGKILL, started again, and taken down without a trace."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from tests.feedserver import FeedServer, rss
from tests.until import until

pytestmark = pytest.mark.integration
RACEWIRE = [sys.executable, "-m", "pipeline.cli"]
FIRST = ("/1", "OpenAI releases GPT-9", "OpenAI has released GPT-9, its newest model, to all users.")
SECOND = ("/2", "Anthropic releases Claude 9", "Anthropic has released Claude 9, its newest model.")


def racewire(env: dict[str, str], *arguments: str, check: bool = True) -> str:
    done = subprocess.run([*RACEWIRE, *arguments], env=env, capture_output=True, text=True, timeout=200)
    assert not check or done.returncode == 0, f"racewire {arguments}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def ours(home: Path) -> list[psutil.Process]:
    """Every process that was told of this data folder, or stands in it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            told = process.environ().get("RACEWIRE_HOME", "")
            if str(home) in (told, *process.cmdline()) or process.cwd().startswith(str(home)):
                found.append(process)
    return found


def titles(env: dict[str, str]) -> set[str]:
    return {a["title"] for a in json.loads(racewire(env, "articles", "--label", "all", "--json"))}


def test_kill_9_of_everything_and_up_again_loses_nothing(tmp_path: Path) -> None:
    home, registry = tmp_path / "home", tmp_path / "feeds.yaml"
    with FeedServer().serving() as server:
        server.documents["/a"] = (rss(FIRST), "text/xml")
        entry = {"id": "paper", "url": server.url("/a"), "title": "Paper", "language": "en", "kind": "press"}
        registry.write_text(yaml.safe_dump([entry | {"rank": 2, "allow_hosts": ["127.0.0.1"]}]))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RACEWIRE_", "PREFECT_"))} | {
            "RACEWIRE_HOME": str(home),
            "RACEWIRE_FEEDS_FILE": str(registry),
            "RACEWIRE_WEB_PORT": "0",
            "RACEWIRE_POLL_EVERY": "10",
            "RACEWIRE_FEED_INTERVAL_MIN": "1",
            "RACEWIRE_FEED_INTERVAL_MAX": "1",
        }
        try:
            racewire(env, "up", "--detach")
            until(lambda: titles(env) == {FIRST[1]}, 90)
            for process in ours(home):
                with suppress(psutil.Error):
                    process.kill()
            until(lambda: not ours(home), 20)
            assert "no servers" not in racewire(env, "stack", "status", check=False)

            server.documents["/a"] = (rss(FIRST, SECOND), "text/xml")
            racewire(env, "up", "--detach")
            until(lambda: titles(env) == {FIRST[1], SECOND[1]}, 90)
            until(lambda: len(json.loads(racewire(env, "stories", "--json"))) == 2, 30)
            seen = json.loads(racewire(env, "status", "--json"))
            assert seen["store"]["articles"] == 2
            assert set(seen["lag"].values()) == {0}
            assert len(seen["lag"]) == 3
            (port,) = (s["port"] for s in seen["stack"]["services"] if s["name"] == "web")
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").json()["status"] == "ok"
            assert SECOND[1] in httpx.get(f"http://127.0.0.1:{port}/").text
            racewire(env, "doctor")
            records = racewire(env, "topics", "tail", "news.articles.v1", "-n", "9").splitlines()
            assert len({json.loads(r)["headers"]["ce_id"] for r in records}) == len(records) == 2
        finally:
            ended = racewire(env, "stack", "down")
        assert "supervisor" in ended
        assert [(p.pid, p.status(), p.cmdline()) for p in ours(home)] == []
