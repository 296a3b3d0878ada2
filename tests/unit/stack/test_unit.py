"""One service through its states, with harmless processes in the place of servers."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.stack.home import Home
from pipeline.stack.policy import MOST
from pipeline.stack.process import sweep
from pipeline.stack.state import State
from pipeline.stack.unit import Report, Unit
from pipeline.stack.values import Service, StackError

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.create()
    yield home
    sweep(home)


@pytest.fixture(autouse=True)
def quick_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stack.policy.FIRST_PAUSE", 0.0)


def step_until(unit: Unit, condition: Callable[[], object], ready: frozenset[str] = frozenset()) -> None:
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        unit.step(ready)
        time.sleep(0.005)


def test_it_waits_for_what_it_needs_and_is_built_once(home: Home) -> None:
    built: list[str] = []

    def build(report: Report) -> Service:
        built.append("x")
        return Service("app", SLEEP)

    unit = Unit(home, "app", build, needs=frozenset({"db", "bus"}))
    unit.step(frozenset({"db"}))
    assert unit.status().state is State.WAITING
    assert unit.status().message == "waiting for bus, db"
    step_until(unit, lambda: unit.state is State.READY, frozenset({"db", "bus"}))
    assert built == ["x"]
    assert unit.status().pid is not None


def test_preparing_does_not_block_and_says_what_it_does(home: Home) -> None:
    go = threading.Event()

    def build(report: Report) -> Service:
        report("downloading")
        go.wait(30)
        return Service("app", SLEEP)

    unit = Unit(home, "app", build)
    step_until(unit, lambda: unit.status().message == "downloading")
    assert unit.state is State.PREPARING
    go.set()
    step_until(unit, lambda: unit.state is State.READY)


def test_what_goes_wrong_in_preparing_comes_out(home: Home) -> None:
    def build(report: Report) -> Service:
        raise StackError("disk full")

    unit = Unit(home, "app", build)
    with pytest.raises(StackError, match="disk full"):
        step_until(unit, lambda: False)


def test_a_stop_ends_the_preparing_at_its_next_step(home: Home) -> None:
    go, ended = threading.Event(), threading.Event()

    def build(report: Report) -> Service:
        go.wait(30)
        try:
            report("formatting")
        finally:
            ended.set()
        raise AssertionError

    unit = Unit(home, "app", build)
    unit.step(frozenset())
    assert unit.stop()
    go.set()
    assert ended.wait(30)
    assert unit.status().message == "stopped"


def test_ready_is_when_the_probe_says_so(home: Home) -> None:
    answers = iter([False, False, True])
    unit = Unit(home, "app", lambda report: Service("app", SLEEP, ready=lambda: next(answers)))
    step_until(unit, lambda: unit.state is State.READY)
    assert list(answers) == []
    assert unit.status().message.startswith("ready in ")


def test_one_that_dies_is_started_again_and_that_is_said(home: Home) -> None:
    unit = Unit(home, "app", lambda report: Service("app", SLEEP, port=1234))
    step_until(unit, lambda: unit.state is State.READY)
    first = unit.status()
    assert first.pid
    os.kill(first.pid, signal.SIGKILL)
    step_until(unit, lambda: unit.state is State.RESTARTING)
    assert unit.status().message.startswith("ended with -9; starting again in 0 s (log: ")
    step_until(unit, lambda: unit.state is State.READY)
    second = unit.status()
    assert second.pid not in (None, first.pid)
    assert (second.restarts, second.port) == (1, 1234)


def test_what_the_dead_process_left_is_ended_before_the_next(home: Home) -> None:
    code = f"import subprocess, time; print(subprocess.Popen({SLEEP!r}).pid, flush=True); time.sleep(600)"
    unit = Unit(home, "app", lambda report: Service("app", [sys.executable, "-c", code]))
    step_until(unit, lambda: unit.state is State.READY and home.log("app").read_text().strip())
    orphan = psutil.Process(int(home.log("app").read_text()))
    pid = unit.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    step_until(unit, lambda: unit.state is State.RESTARTING)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_one_that_keeps_dying_ends_the_stack_with_its_last_words(home: Home) -> None:
    command = [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]
    unit = Unit(home, "app", lambda report: Service("app", command, ready=lambda: False))
    with pytest.raises(
        StackError, match=rf"app ended with 3, the {MOST + 1}th time within 60 s.*\nno such table"
    ):
        step_until(unit, lambda: False)
    assert unit.status().restarts == MOST


def test_one_that_is_never_ready_is_started_again(home: Home) -> None:
    service = Service("app", SLEEP, ready=lambda: False, patience=0.05)
    unit = Unit(home, "app", lambda report: service)
    step_until(unit, lambda: unit.state is State.RESTARTING)
    assert unit.status().message.startswith("not ready after 0 s")
    assert unit.status().pid is None


def test_stopping_is_asked_again_and_again_until_done(home: Home) -> None:
    unit = Unit(home, "app", lambda report: Service("app", SLEEP))
    step_until(unit, lambda: unit.state is State.READY)
    assert not unit.stop()
    assert unit.status().state is State.STOPPING
    give_up = time.monotonic() + 30
    while not unit.stop():
        assert time.monotonic() < give_up
        time.sleep(0.005)
    assert unit.status().pid is None
    assert unit.status().message.startswith("stopped in ")


def test_what_asks_not_to_be_started_again_is_not(home: Home) -> None:
    command = [sys.executable, "-c", "print('too many bad records'); raise SystemExit(3)"]
    unit = Unit(home, "app", lambda report: Service("app", command, final=frozenset({3})))
    step_until(unit, lambda: unit.state is State.STOPPED)
    unit.step(frozenset())
    assert unit.state is State.STOPPED
    assert unit.status().restarts == 0
    assert unit.status().message.endswith("is not started again: too many bad records")
