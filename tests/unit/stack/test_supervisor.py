"""The supervisor and the commands that steer it, on a stack whose servers are all somebody else's."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.stack import (
    AlreadyRunningError,
    Endpoints,
    Outside,
    Phase,
    Service,
    StackError,
    State,
    Supervisor,
    down,
    endpoints,
    logs,
    reset,
    spawn_detached,
    status,
)
from pipeline.stack.home import Home
from pipeline.stack.process import sweep

SLEEP = (sys.executable, "-c", "print('at work', flush=True); import time; time.sleep(600)")
OUTSIDE = Outside("postgresql://somewhere/db", "somewhere:9092", "http://somewhere/api")
WHERE = Endpoints("postgresql://somewhere/db", "somewhere:9092", "http://somewhere/api")

# A program that runs such a stack as `racewire up` does. Arguments: the data folder, and which applications.
PROGRAM = f"""
import pathlib, sys
from pipeline.stack import Outside, Service, Supervisor, policy, supervisor
policy.FIRST_PAUSE = 0.0
supervisor.await_outside = lambda outside, stopping: None
app = Service("app", {SLEEP!r})
slow = Service("slow", {SLEEP!r}, ready=lambda: False)
fail = "print('no such table'); raise SystemExit(3)"
broken = Service("broken", (sys.executable, "-c", fail), ready=lambda: False)
apps = dict(app=[app], slow=[app, slow], broken=[app, broken])[sys.argv[2]]
outside = Outside(*{dataclasses.astuple(OUTSIDE)!r})
sys.exit(Supervisor(pathlib.Path(sys.argv[1]), outside=outside, apps=lambda endpoints: apps).run())
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("pipeline.stack.supervisor.await_outside", lambda outside, stopping: None)
    monkeypatch.setattr("pipeline.stack.policy.FIRST_PAUSE", 0.0)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    yield tmp_path / "home"
    if (tmp_path / "home").exists():
        down(tmp_path / "home")


class Told(list[tuple[str, str]]):
    def __call__(self, name: str, message: str) -> None:
        self.append((name, message))


def stack(path: Path, *services: Service, told: Told | None = None) -> Supervisor:
    return Supervisor(
        path, outside=OUTSIDE, apps=lambda endpoints: services, on_progress=Told() if told is None else told
    )


def app(name: str = "app", **changes: object) -> Service:
    return Service(name, SLEEP, **changes)  # type: ignore[arg-type]


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def alive(process: psutil.Process) -> bool:
    """Not even a zombie counts: its parent was killed, and whoever adopted it may take its time."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@contextlib.contextmanager
def started(path: Path, what: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), what], stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_up_for_a_block_and_gone_after_it(path: Path) -> None:
    told = Told()
    with stack(path, app(), told=told).running() as where:
        assert where == WHERE == endpoints(path)
        seen = status(path)
        assert (seen.phase, seen.pid) == (Phase.READY, os.getpid())
        states = {service.name: service.state for service in seen.services}
        assert states == dict.fromkeys(("postgres", "kafka", "prefect"), State.OUTSIDE) | {"app": State.READY}
        process = psutil.Process(seen.services[-1].pid)
    assert not process.is_running()
    assert status(path).phase is Phase.STOPPED
    assert endpoints(path) is None
    assert [message.split(" in ")[0] for name, message in told if name == "app"] == [
        "starting",
        "ready",
        "stopping",
        "stopped",
    ]


def test_preparing_comes_before_the_applications_and_sees_the_endpoints(path: Path) -> None:
    seen: list[object] = []

    def prepare(where: Endpoints) -> None:
        seen.append((where, endpoints(path), status(path).phase))

    def apps(where: Endpoints) -> list[Service]:
        seen.append("apps")
        return []

    supervisor = Supervisor(path, outside=OUTSIDE, prepare=prepare, apps=apps, on_progress=Told())
    with supervisor.running():
        assert seen == [(WHERE, WHERE, Phase.STARTING), "apps"]


def test_an_error_in_preparing_comes_out_as_it_is_and_is_remembered(path: Path) -> None:
    def prepare(where: Endpoints) -> None:
        raise ValueError("no such migration")

    supervisor = Supervisor(path, outside=OUTSIDE, prepare=prepare, on_progress=Told())
    with pytest.raises(ValueError, match="no such migration"), supervisor.running():
        pytest.fail("it is not up")
    assert (status(path).phase, status(path).message) == (Phase.FAILED, "no such migration")


def test_an_error_in_the_block_takes_the_stack_down(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), stack(path, app()).running():
        pid = status(path).services[-1].pid
        raise ZeroDivisionError
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert status(path).phase is Phase.STOPPED


def test_a_dead_application_comes_back(path: Path) -> None:
    with stack(path, app()).running():
        first = status(path).services[-1]
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        until(
            lambda: status(path).services[-1].restarts == 1 and status(path).services[-1].state is State.READY
        )
        assert status(path).services[-1].pid != first.pid


def test_one_that_keeps_dying_ends_the_stack_and_says_why(path: Path) -> None:
    broken = Service("broken", (sys.executable, "-c", "print('no such table'); exit(3)"), ready=lambda: False)
    with (
        pytest.raises(StackError, match=r"(?s)broken ended with 3.*no such table"),
        stack(path, app(), broken).running(),
    ):
        pytest.fail("it is not up")
    assert status(path).phase is Phase.FAILED
    assert "no such table" in status(path).message
    assert sweep(Home(path)) == []


def test_run_returns_what_its_main_function_returns(path: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    assert stack(path, app()).run(lambda where: 7 if where == WHERE else 1) == 7
    assert signal.getsignal(signal.SIGTERM) is handler
    assert sweep(Home(path)) == []


def test_a_signal_interrupts_the_main_function(path: Path) -> None:
    def main(where: Endpoints) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        raise AssertionError

    assert stack(path, app()).run(main) == 0
    assert status(path).phase is Phase.STOPPED


def test_a_failure_interrupts_the_main_function(path: Path) -> None:
    told = Told()
    fickle = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).exists() and sys.exit(1); time.sleep(600)"
    flag = path.parent / "flag"

    def main(where: Endpoints) -> int:
        flag.touch()
        pid = status(path).services[-1].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        time.sleep(60)
        raise AssertionError

    service = Service("fickle", (sys.executable, "-c", fickle, str(flag)))
    assert stack(path, service, told=told).run(main) == 1
    assert told[-1][0] == "stack"
    assert told[-1][1].startswith("failed: fickle ended with 1, the 6th time")


def test_a_second_supervisor_is_refused_and_the_first_goes_on(path: Path) -> None:
    told = Told()
    with stack(path, app()).running():
        assert stack(path, told=told).run() == 1
        assert status(path).phase is Phase.READY
        with pytest.raises(AlreadyRunningError):
            reset(path)
        with pytest.raises(AlreadyRunningError):
            spawn_detached(path, ["/bin/false"])
    assert told == [("stack", f"failed: {Home(path).already_running(os.getpid())}")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["app", "slow"])
def test_a_signal_takes_everything_down_ready_or_not(path: Path, number: int, when: str) -> None:
    with started(path, when) as process:
        until(lambda: any(one.name == "app" and one.state is State.READY for one in status(path).services))
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == {"app": 1, "slow": 2}[when]
        process.send_signal(number)
        assert process.wait(30) == 0
    assert not any(alive(child) for child in children)
    assert status(path).phase is Phase.STOPPED


def test_after_a_kill_the_next_start_ends_what_was_left(path: Path) -> None:
    with started(path, "app") as process:
        until(lambda: endpoints(path) and status(path).phase is Phase.READY)
        (child,) = psutil.Process(process.pid).children()
        process.kill()
    assert status(path).phase is Phase.STOPPED
    with stack(path, app()).running():
        assert not alive(child)
        assert status(path).services[-1].state is State.READY


def test_detached_it_starts_says_so_and_is_taken_down_from_elsewhere(path: Path) -> None:
    lines: list[str] = []
    seen = spawn_detached(path, [sys.executable, "-c", PROGRAM, str(path), "app"], lines.append)
    assert seen == status(path)
    assert seen.phase is Phase.READY
    assert any(line.endswith(" ready in 0.0 s") or " app " in line for line in lines)
    (worker,) = [service for service in seen.services if service.name == "app"]
    until(lambda: "at work" in logs(path, "app"))
    ended = down(path)
    assert {(one.service, one.pid) for one in ended} == {("app", worker.pid), ("supervisor", seen.pid)}
    assert status(path).phase is Phase.STOPPED
    assert down(path) == []


def test_detached_a_failing_start_is_told_with_the_reason(path: Path) -> None:
    lines: list[str] = []
    with pytest.raises(StackError, match=r"did not start \(exit code 1\)"):
        spawn_detached(path, [sys.executable, "-c", PROGRAM, str(path), "broken"], lines.append)
    assert "no such table" in lines
    assert status(path).phase is Phase.FAILED


def test_detached_one_that_takes_too_long_is_told_to_stop(path: Path) -> None:
    with pytest.raises(StackError, match="not ready in 0 s and is told to stop"):
        spawn_detached(path, [sys.executable, "-c", PROGRAM, str(path), "slow"], lambda line: None, timeout=0)


def test_down_kills_a_supervisor_that_hangs(path: Path) -> None:
    with started(path, "app") as process:
        until(lambda: status(path).phase is Phase.READY)
        process.send_signal(signal.SIGSTOP)
        assert ("supervisor", process.pid) in down(path, timeout=0)
        assert process.wait(30) == -signal.SIGKILL
    assert status(path).phase is Phase.STOPPED
    assert sweep(Home(path)) == []


def test_down_where_nothing_ever_was_makes_nothing(path: Path) -> None:
    assert down(path) == []
    assert not path.exists()


def test_reset_removes_the_data_and_nothing_else(path: Path) -> None:
    with stack(path).running():
        pass
    (path / "feeds.yaml").write_text("mine")
    (path / "postgres" / "data").mkdir()
    (path / "kafka.cluster").write_text("id")
    reset(path)
    assert sorted(place.name for place in path.iterdir()) == ["feeds.yaml", "lock", "ports.json"]
    assert status(path).phase is Phase.STOPPED


def test_logs_are_the_last_lines_then_the_new_ones(path: Path) -> None:
    Home(path).create()
    log = path / "logs" / "app.log"
    log.write_text("one\ntwo\nthree\n")
    assert list(logs(path, "app", 2)) == ["two", "three"]
    following = logs(path, "app", 1, follow=True)
    assert next(following) == "three"
    with log.open("a") as file:
        file.write("four\n")
    assert next(following) == "four"
    with pytest.raises(StackError, match="no log of 'web'; there are: app"):
        next(logs(path, "web"))


def test_the_state_on_disk_is_json_that_another_program_can_read(path: Path) -> None:
    with stack(path, app(port=8000)).running():
        data = json.loads((path / "state.json").read_text())
    assert data["phase"] == "ready"
    assert data["services"][-1]["port"] == 8000
