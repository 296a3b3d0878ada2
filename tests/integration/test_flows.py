"""The flows on a real Prefect: deployed, scheduled, run by a worker, with artifacts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from pipeline.stack import Endpoints, client_env
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.until import until

# One Prefect server a session, and deployments are shared in it.
pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("prefect")]


class Prefect:
    """The API, as the tests ask it."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=20)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self._client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def deployment(self, flow: str) -> dict[str, Any]:
        answer = self._client.get(f"/deployments/name/{flow}/racewire")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def completed(self, deployment: str) -> list[dict[str, Any]]:
        """The runs that ended well; those that somebody started by hand are not `auto_scheduled`."""
        of = {"deployment_id": {"any_": [deployment]}, "state": {"type": {"any_": ["COMPLETED"]}}}
        found: list[dict[str, Any]] = self.post("/flow_runs/filter", {"flow_runs": of})
        return found

    def artifact(self, key: str) -> dict[str, Any]:
        """The newest of a key."""
        found: list[dict[str, Any]]
        found = self.post("/artifacts/latest/filter", {"artifacts": {"key": {"like_": key}}})
        return found[0]

    def stop_schedules(self) -> None:
        for one in self.post("/deployments/filter", {}):
            self._client.patch(f"/deployments/{one['id']}", json={"paused": True}).raise_for_status()


def end_with_children(pid: int) -> None:
    """End a Prefect worker and the runs it started, which are leaders of sessions of their own."""
    worker = psutil.Process(pid)
    family = [worker, *worker.children(recursive=True)]
    worker.terminate()
    psutil.wait_procs([worker], 10)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, 10)


@pytest.fixture
def deployed(
    world: World, stack: tuple[Path, Endpoints], tmp_path: Path
) -> Iterator[tuple[Prefect, FeedServer]]:
    """Flows that poll a loopback feed every five seconds, and a worker that runs them one by one."""
    home, found = stack
    with FeedServer().serving() as server:
        server.documents["/a"] = (rss(("/1", "OpenAI releases GPT-9", "The model is out.")), "text/xml")
        registry = tmp_path / "feeds.yaml"
        entry = {"id": "paper", "url": server.url("/a"), "title": "Paper", "language": "en", "kind": "press"}
        registry.write_text(yaml.safe_dump([entry | {"rank": 2, "allow_hosts": ["127.0.0.1"]}]))
        env = os.environ | client_env(home, found) | world.environment()
        env |= {
            "RACEWIRE_FEEDS_FILE": str(registry),
            "RACEWIRE_POLL_EVERY": "5",
            "RACEWIRE_FEED_INTERVAL_MIN": "1",
            "RACEWIRE_FEED_INTERVAL_MAX": "1",
        }
        racewire = [sys.executable, "-m", "pipeline.cli"]
        shown = subprocess.run([*racewire, "deploy"], env=env, capture_output=True, text=True, check=True)
        assert "flow poll/racewire: deployed" in shown.stdout
        prefect = Prefect(found.prefect_api_url)
        command = [
            sys.executable,
            "-m",
            "prefect",
            "worker",
            "start",
            "--pool",
            "racewire",
            "--type",
            "process",
        ]
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=tmp_path)
        try:
            yield prefect, server
        finally:
            end_with_children(worker.pid)
            prefect.stop_schedules()


@pytest.mark.timeout(900)  # a run is a process of its own: on a busy machine each takes a minute
def test_a_scheduled_poll_and_the_other_flows(
    deployed: tuple[Prefect, FeedServer], world: World, tmp_path: Path
) -> None:
    prefect, server = deployed
    poll = prefect.deployment("poll")["id"]
    log = tmp_path / "worker.log"
    first = until(lambda: prefect.completed(poll), 120, str(log))
    assert first[0]["auto_scheduled"]
    # Runs that begin together take turns: the first to end may have left the feed to another one.
    until(lambda: len(world.read(ARTICLES)) == 1, 120, str(log))
    # Runs that their process has left, as Prefect's users find them, block no later one. (Their leases:
    # tests/integration/test_scheduling.py.)
    for orphan in ("PENDING", "RUNNING"):
        prefect.post(f"/deployments/{poll}/create_flow_run", {"state": {"type": orphan}})
    # It goes on by itself, and what was seen stays seen.
    until(lambda: server.requests["/a"] >= 2, 240, str(log))
    nothing = ("1 feed polled: nothing new.", "0 feeds polled: nothing new.")
    until(lambda: prefect.artifact("polls")["data"] in nothing, 120, str(log))
    assert prefect.artifact("polls")["type"] == "markdown"
    assert len(world.read(ARTICLES)) == 1

    prefect.stop_schedules()  # on a busy machine polls come quicker than they are run, and nothing else is
    runs = {}
    for flow in ("reassess", "maintain", "redrive", "reconcile"):  # started by hand, as in the UI
        deployment = prefect.deployment(flow)["id"]
        prefect.post(f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        runs[flow] = deployment
    for flow, deployment in runs.items():
        assert until(lambda d=deployment: prefect.completed(d), 120, f"{flow}: {log}")  # type: ignore[misc]
    assert "balanced" in prefect.artifact("reconcile")["data"]
