"""The state: one file that says it all, believed only as far as the lock confirms it."""

import dataclasses
import json
import os
import stat
from pathlib import Path

import pytest

from pipeline.stack import state
from pipeline.stack.home import Home
from pipeline.stack.state import Phase, ServiceStatus, State, Status, endpoints, status
from pipeline.stack.values import Endpoints, Outside, StackError, redact

WHERE = Endpoints(
    "postgresql+psycopg://racewire:s3cret@127.0.0.1:1/racewire", "127.0.0.1:2", "http://127.0.0.1:3/api"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def ready(home: Home) -> Status:
    kafka = ServiceStatus("kafka", State.READY, "ready in 1 s", pid=7, port=2, log="kafka.log", restarts=1)
    return Status(str(home.path), Phase.READY, os.getpid(), 1.5, "ready", (kafka,), WHERE)


def test_a_stack_that_never_was_is_stopped(tmp_path: Path) -> None:
    seen = status(tmp_path / "none")
    assert (seen.phase, seen.pid, seen.services) == (Phase.STOPPED, None, ())
    assert endpoints(tmp_path / "none") is None


def test_what_the_running_supervisor_writes_is_read_back_whole(home: Home) -> None:
    with home.locked():
        state.write(home, ready(home))
        assert status(home.path) == ready(home)
        assert endpoints(home.path) == WHERE


def test_the_file_is_the_users_alone(home: Home) -> None:
    state.write(home, ready(home))
    assert stat.S_IMODE(home.state.stat().st_mode) == 0o600


def test_the_claims_of_a_killed_supervisor_are_not_believed(home: Home) -> None:
    state.write(home, ready(home))
    seen = status(home.path)
    assert (seen.phase, seen.pid, seen.endpoints) == (Phase.STOPPED, None, None)
    assert "was killed" in seen.message
    assert [(service.state, service.pid) for service in seen.services] == [(State.STOPPED, None)]


def test_the_file_of_an_earlier_supervisor_is_not_taken_for_this_ones(home: Home) -> None:
    state.write(home, dataclasses.replace(ready(home), pid=os.getpid() + 1))
    with home.locked():
        seen = status(home.path)
    assert (seen.phase, seen.pid, seen.endpoints) == (Phase.STARTING, os.getpid(), None)


def test_why_a_stack_failed_stays_readable(home: Home) -> None:
    failed = dataclasses.replace(ready(home), phase=Phase.FAILED, message="kafka ended", endpoints=None)
    state.write(home, failed)
    assert status(home.path) == dataclasses.replace(failed, pid=None)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"services": [], "endpoints": null, "phase": "odd"}'])
def test_a_broken_file_is_named(home: Home, text: str) -> None:
    home.state.write_text(text)
    with pytest.raises(StackError, match=r"state\.json cannot be read"):
        status(home.path)


def test_the_password_is_shown_only_when_asked_for(home: Home) -> None:
    seen = ready(home)
    assert "s3cret" not in json.dumps(seen.to_json())
    assert seen.to_json(with_password=True)["endpoints"]["database_url"] == WHERE.database_url
    assert "s3cret" not in repr(seen)
    assert "racewire:***@127.0.0.1:1" in repr(WHERE)
    assert "s3cret" not in repr(Outside(database_url=WHERE.database_url))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:p@ss@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:a/b:c@host/db", "postgresql://me:***@host/db"),
        (
            "postgresql://host/db?user=me&password=p&sslmode=x",
            "postgresql://host/db?user=me&password=***&sslmode=x",
        ),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("http://host:80/api", "http://host:80/api"),
        ("host:9092", "host:9092"),
    ],
)
def test_redacting(url: str, shown: str) -> None:
    assert redact(url) == shown
