"""What the other commands do to a stack that another process runs, or that nobody runs any more."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from pipeline.stack import state
from pipeline.stack.home import Home
from pipeline.stack.process import is_alive, sweep
from pipeline.stack.state import Phase, Status
from pipeline.stack.values import Ended, StackError


def down(path: Path, timeout: float = 90.0) -> list[Ended]:
    """Stop the stack of this data folder and everything it left; return what was ended, which may be nothing.

    A supervisor that has not stopped in time is killed: the kernel then tells its children to stop.
    """
    home = Home(path)
    ended: list[Ended] = []
    if pid := home.holder():
        ended = [Ended(service.name, service.pid) for service in state.status(path).services if service.pid]
        ended.append(Ended("supervisor", pid))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + timeout
        # The lock goes shortly before its process does.
        while (home.holder() == pid or is_alive(pid)) and time.monotonic() < give_up:
            time.sleep(0.05)
        if home.holder() == pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if home.path.exists():
        with home.locked(wait=10):
            ended += [left for left in sweep(home) if left not in ended]
            state.write(home, state.read(home).without_supervisor())
    return ended


def reset(path: Path) -> None:
    """Remove all data of the stack: the database, the topics, Prefect's runs, the logs. Raises
    AlreadyRunningError."""
    home = Home(path)
    if not home.path.exists():
        return
    with home.locked():
        sweep(home)
        for place in (home.postgres, home.kafka, home.prefect, home.work, home.logs):
            if place.exists():
                shutil.rmtree(place)
        home.kafka_cluster.unlink(missing_ok=True)
        home.state.unlink(missing_ok=True)


def logs(path: Path, service: str, lines: int = 50, *, follow: bool = False) -> Iterator[str]:
    """The last lines of a service's log (`supervisor` is a detached one's own); with `follow` also those to
    come, without end. Raises StackError when there is no such log, naming those there are."""
    home = Home(path)
    log = home.log(service)
    if not log.exists():
        names = sorted(file.stem for file in home.logs.glob("*.log"))
        raise StackError(f"{home.path} has no log of {service!r}; there are: {', '.join(names) or 'none'}")
    with log.open(encoding="utf-8", errors="replace") as file:
        yield from (line.rstrip("\n") for line in deque(file, lines))
        while follow:
            if line := file.readline():
                yield line.rstrip("\n")
            else:
                time.sleep(0.2)


def spawn_detached(
    path: Path, command: Sequence[str], on_line: Callable[[str], None] = print, timeout: float = 600.0
) -> Status:
    """Start a supervisor in the background and return when its stack is ready.

    `command` must become the process that holds the lock, itself. What it prints goes to its log,
    `supervisor`, and to `on_line` while it starts. Raises StackError when it ends before it is ready.
    """
    home = Home(path)
    home.create()
    if pid := home.holder():
        raise home.already_running(pid)
    log = home.log("supervisor")
    with log.open("ab") as output, log.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return _await_ready(home, process, lines, on_line, timeout)
        except BaseException:
            process.terminate()
            raise


def _await_ready(
    home: Home,
    process: subprocess.Popen[bytes],
    lines: TextIO,
    on_line: Callable[[str], None],
    timeout: float,
) -> Status:
    give_up = time.monotonic() + timeout
    while True:
        ended = process.poll()
        for line in lines:
            on_line(line.rstrip("\n"))
        seen = state.status(home.path)
        if seen.phase is Phase.READY and seen.pid == process.pid:
            return seen
        if ended is not None:
            raise StackError(f"the stack did not start (exit code {ended}); see above, or {lines.name}")
        if time.monotonic() > give_up:
            raise StackError(
                f"the stack was not ready in {timeout:.0f} s and is told to stop; see {lines.name}"
            )
        time.sleep(0.1)
