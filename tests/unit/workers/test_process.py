"""A worker process that hangs ends itself, and one that is asked to stop does so in time."""

import signal
import subprocess
import sys

import pytest

from pipeline.workers.process import DRAIN_SECONDS, STUCK_SECONDS

# Stuck in C with the interpreter's lock held: no thread of Python's can end it.
HANG = "__import__('re').match('(a+)+b', 'a' * 64)"


def run(body: str, **bounds: float) -> "subprocess.Popen[str]":
    code = (
        "from pipeline.workers import process\n"
        f"process.__dict__.update({bounds!r})\n"
        "def run(stop):\n"
        "    assert not stop.is_set()\n"
        "    print('started', flush=True)\n"
        f"    {body}\n"
        "raise SystemExit(process.main(run))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_one_that_hangs_says_where_and_ends() -> None:
    _, told = (process := run(HANG, STUCK_SECONDS=0.2)).communicate(timeout=60)
    assert process.returncode == 1
    assert "Timeout (0:00:00" in told
    assert "in run" in told


def test_one_that_is_asked_to_stop_ends_in_its_bound() -> None:
    process = run("while True:\n        __import__('time').sleep(0.05)", DRAIN_SECONDS=0.2)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Timeout (0:00:00" in told


def test_a_request_that_comes_while_the_event_is_locked_does_not_lock_up() -> None:
    hold = "with stop._cond: __import__('signal').raise_signal(15)\n    stop.wait()"
    process = run(hold, DRAIN_SECONDS=30)
    assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_finishes_in_time_ends_cleanly(number: signal.Signals) -> None:
    process = run("stop.wait()\n    assert stop.is_set()", DRAIN_SECONDS=30)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(60) == 0


def test_the_bounds_are_below_those_of_others() -> None:
    assert STUCK_SECONDS < 300  # Kafka's max.poll.interval
    assert DRAIN_SECONDS < 10  # Docker's, and our supervisor's
