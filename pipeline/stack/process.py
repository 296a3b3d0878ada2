"""Processes of the stack: what they inherit, how one is started and stopped, how leftovers are found and
ended.

A child is a session of its own, tied to the thread that started it: the kernel sends it its stop signal
when that thread is gone, and every process carries the stack's mark in its environment, whatever becomes of
its parents.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from pipeline.stack import launch
from pipeline.stack.home import Home
from pipeline.stack.values import Ended, Service, StackError

MARK = "RACEWIRE_STACK_MARK"
"""Environment variable of every process of a stack: the mark of its data folder, the service, its stop
signal."""

# A developer's own servers: the settings of Prefect, of libpq (PGHOST, PGPASSWORD …), of Kafka's scripts
# and of any JVM.
_FOREIGN = re.compile(r"PREFECT_.*|PG[A-Z]+|KAFKA_.*|JAVA_.*|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH")
_LOG_LIMIT = 20_000_000
_SWEEP_GRACE = 15.0


def child_environment(inherited: Mapping[str, str], home: Home, service: Service) -> dict[str, str]:
    """What a service's process gets to see: what we inherited less what belongs to other servers, plus its
    own and the mark."""
    kept = {name: value for name, value in inherited.items() if not _FOREIGN.fullmatch(name)}
    mark = f"{home.mark} {service.name} {int(service.stop_signal)}"
    return {**kept, "PYTHONUNBUFFERED": "1", **service.env, MARK: mark}


def launched(service: Service) -> list[str]:
    """The command line that ties the service to the calling thread; if it owns a folder, not as root."""
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(int(service.stop_signal))]
    return [*launcher, str(service.own or "-"), *service.command]


def run_to_end(home: Home, service: Service, what: str) -> None:
    """Run a service's tool and wait for it. Raises StackError with what it said when it fails."""
    done = subprocess.run(
        launched(service),
        env=child_environment(os.environ, home, service),
        cwd=service.cwd or home.work,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"{what} failed ({done.returncode}):\n{(done.stdout + done.stderr).strip()[-3000:]}")


class Child:
    """One running process of a service, writing to the service's log."""

    def __init__(self, home: Home, service: Service) -> None:
        """Start it, in the calling thread, which must live as long as it."""
        self.service = service
        self.log = home.log(service.name)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                launched(service),
                env=child_environment(os.environ, home, service),
                cwd=service.cwd or home.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._stop_by: float | None = None

    def ended(self) -> int | None:
        """The exit code (negative: the signal), or None while it runs."""
        return self._process.poll()

    def tail(self, lines: int = 15) -> str:
        """The last lines it has written."""
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, self.log.stat().st_size - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Ask it to stop; `stopped` sees to it."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + self.service.grace
            self._process.send_signal(self.service.stop_signal)

    def stopped(self) -> bool:
        """Is it gone? To be asked again and again after `stop`: past its grace it is killed, with its
        session."""
        if self._process.poll() is not None:
            return True
        if self._stop_by is not None and time.monotonic() > self._stop_by:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return False


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet collected by its parent does not."""
    import psutil  # of the extra `stack`, as in `sweep`

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def sweep(home: Home, service: str | None = None) -> list[Ended]:
    """End every process that carries this stack's mark, of all services or of one, and return what there was.

    Politely first: each gets its service's stop signal, and SIGKILL after a while. Raises StackError for what
    does not go.
    """
    import psutil  # of the extra `stack`: production's commands come without it

    def alive(process: psutil.Process) -> bool:
        # Not waited for: that would take the exit code of our own children from who needs it.
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[psutil.Process, Ended] = {}
    signals: dict[psutil.Process, int] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError, KeyError):
            mark, its_service, stop_signal = process.environ()[MARK].split()
            if mark == home.mark and service in (None, its_service) and process.pid not in spared:
                found[process] = Ended(its_service, process.pid)
                signals[process] = int(stop_signal)
    left = list(found)
    for killing in (False, True):
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL if killing else signals[process])
        give_up = time.monotonic() + _SWEEP_GRACE
        while (left := [process for process in left if alive(process)]) and time.monotonic() < give_up:
            time.sleep(0.02)
    if left:
        pids = [process.pid for process in left]
        raise StackError(f"processes {pids} of {home.path} do not end, not even by SIGKILL")
    return list(found.values())
