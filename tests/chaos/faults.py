"""What is done to the processes of a course.

- `kill`: SIGKILL.
- `stop`: SIGSTOP, and SIGCONT after longer than the leases and the session timeout of 10 s.
- `cut`: the server ends every connection that is in a transaction, or all where none is.
- `full`: from now on no file of the server may be written to (`RLIMIT_FSIZE` 0), as on a full disk. It needs
  no rights and no file system of its own. Both servers die of it; the supervisor starts them without.
- `scale`: another number of classifiers in the crew, so that partitions move.
"""

import resource
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress

import psutil
import psycopg

from tests.chaos.plan import Step
from tests.chaos.stage import Stage

STOPPED = 12.0
CREW = 3  # most classifiers beside the stack's own
# The supervisor gives up what dies six times within a minute.
DEATHS, WINDOW = 4, 65.0


class Faults:
    """Hits processes of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._deaths: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=DEATHS))
        self._stopped: list[threading.Timer] = []

    def hit(self, step: Step) -> str:
        """Do it; what was hit, in words. Waits for a process to hit where there is none for the moment."""
        if step.how == "scale":
            count = 1 + int(step.pick * CREW)
            self._stage.crew.want("classifier", count)
            return f"{count} classifiers in the crew"
        if step.how == "cut":
            return self._cut()
        self._spare(step.whom)
        victim = self._victim(step)
        with suppress(psutil.NoSuchProcess):
            if step.how == "kill":
                victim.kill()
            elif step.how == "stop":
                self._stop(victim)
            else:
                _fill(victim)
        if step.whom == "supervisor" and self._stage.site:
            victim.wait(30)
            self._stage.site.up()
        return f"process {victim.pid}"

    def wake_all(self) -> None:
        """Let everything that is stopped go on."""
        for timer in self._stopped:
            timer.cancel()
            timer.function()
        self._stopped.clear()

    def _victim(self, step: Step) -> psutil.Process:
        give_up = time.monotonic() + 120
        while not (found := self._stage.processes(step.whom)):
            assert time.monotonic() < give_up, f"no process to {step.name} comes"
            if self._stage.site:
                self._stage.site.revive()
            time.sleep(0.05)
        # One that leads stands first, and is the one worth hitting.
        return found[int(step.pick * len(found)) if step.whom in ("classifier", "poll") else 0]

    def _spare(self, whom: str) -> None:
        """Not more deaths of one service than its supervisor puts up with."""
        deaths = self._deaths[whom]
        if len(deaths) == DEATHS:
            time.sleep(max(0.0, deaths[0] + WINDOW - time.monotonic()))
        deaths.append(time.monotonic())

    def _stop(self, victim: psutil.Process) -> None:
        def wake() -> None:
            with suppress(psutil.NoSuchProcess):
                victim.resume()

        victim.suspend()
        timer = threading.Timer(STOPPED, wake)
        timer.daemon = True
        timer.start()
        self._stopped.append(timer)

    def _cut(self) -> str:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
        with suppress(psycopg.OperationalError):
            world = self._stage.world
            cut = world.rows(f"{ended} AND xact_start IS NOT NULL") or world.rows(ended)
            return f"{len(cut)} connections"
        return "no connection, for the database is down"


def _fill(server: psutil.Process) -> None:
    for process in (*server.children(recursive=True), server):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, most))
