"""The one supervisor: brings servers and applications up in order, keeps them up, and takes all of it down.

One thread owns every child, from the first start to the last stop: the kernel ties a child's life to the
thread that started it, and what only one thread does needs no locks. The main thread waits, prepares what
the applications need, and is the one that signals reach.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TypeVar

from pipeline.stack import jars, kafka, postgres, prefect, state
from pipeline.stack.home import Home
from pipeline.stack.probes import await_outside
from pipeline.stack.process import sweep
from pipeline.stack.state import Phase, ServiceStatus, State, Status
from pipeline.stack.unit import Report, Unit
from pipeline.stack.values import Endpoints, Outside, Ports, Service, StackError

T = TypeVar("T")
Progress = Callable[[str, str], None]
"""Takes the name of a service (or `stack`) and what it is doing or waiting for."""

_TICK = 0.05


class _Interrupted(BaseException):
    """A signal asked the stack to stop while the main thread was at work."""


def print_progress(name: str, message: str) -> None:
    """A line for each step: as fit for a terminal as for a log."""
    # A reader who went away (`racewire up | head`) must not keep the children from being stopped.
    with contextlib.suppress(OSError):
        print(f"{time.strftime('%H:%M:%S')}  {name:<12} {message}", flush=True)  # noqa: T201


class Supervisor:
    """Runs the stack of one data folder, once."""

    def __init__(
        self,
        home: Path,
        *,
        outside: Outside = Outside(),  # noqa: B008 - frozen
        ports: Ports = Ports(),  # noqa: B008 - frozen
        prepare: Callable[[Endpoints], None] = lambda endpoints: None,
        apps: Callable[[Endpoints], Sequence[Service]] = lambda endpoints: (),
        on_progress: Progress = print_progress,
        cache: Path | None = None,
    ) -> None:
        """`prepare` runs in the caller's thread when the servers are ready; then `apps` says what else to
        keep running.

        `cache` is where Kafka's jars are kept, the user's cache folder by default.
        """
        self._home = Home(home)
        self._outside = outside
        self._ports = ports
        self._prepare = prepare
        self._apps = apps
        self._on_progress = on_progress
        self._cache = cache or jars.default_cache()
        self._units: list[Unit] = []
        self._outside_services = tuple(
            ServiceStatus(name, State.OUTSIDE)
            for name, address in (
                ("postgres", outside.database_url),
                ("kafka", outside.kafka_bootstrap),
                ("prefect", outside.prefect_api_url),
            )
            if address
        )
        self._planned: Endpoints | None = None
        self._endpoints: Endpoints | None = None  # set when the servers answer
        self._wanted: Sequence[Service] | None = None  # applications that are still to be made units
        self._complete = False  # they have been
        self._phase, self._since, self._message = Phase.STARTING, time.time(), ""
        self._began = time.monotonic()
        self._seen: Status | None = None
        self._failure: Exception | None = None
        self._asked_to_stop = False
        self._interrupt_main = False

    def run(self, main: Callable[[Endpoints], int] | None = None) -> int:
        """Run in the foreground, in the main thread, until SIGINT, SIGTERM or SIGHUP; return the exit code.

        With `main`: run that while everything is up, then stop and return what it returned. A signal, and a
        failure of the stack, interrupt it. A StackError is told, not raised.
        """

        def interrupt(number: int, frame: FrameType | None) -> None:
            if not self._asked_to_stop:  # a stop under way is bounded: let it finish
                self._asked_to_stop = True
                raise _Interrupted

        # Ignored by nohup, a hangup stays ignored.
        hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
        handlers = {one: signal.signal(one, interrupt) for one in (signal.SIGINT, signal.SIGTERM, *hangup)}
        self._interrupt_main = True
        try:
            with contextlib.suppress(_Interrupted), self.running() as endpoints:
                return main(endpoints) if main else self._wait_for(lambda: None)
            if self._failure:
                raise self._failure
        except StackError as error:
            self._on_progress("stack", f"failed: {error}")
            return 1
        else:
            return 0
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)

    @contextlib.contextmanager
    def running(self) -> Iterator[Endpoints]:
        """Have the stack up for the length of a `with` block. Raises StackError when it does not come up,
        or did not last.

        Signals are the caller's business here; any exception takes the stack down.
        """
        with self._home.locked():
            thread = threading.Thread(target=self._supervise, name="stack")
            try:
                thread.start()
                yield self._come_up()
            finally:
                self._asked_to_stop = True
                thread.join()
            if self._failure:
                raise self._failure

    def _come_up(self) -> Endpoints:
        """The main thread's part of the start."""
        try:
            # What it waits for has been written down by then, for other processes to act on.
            endpoints = self._wait_for(lambda: self._seen.endpoints if self._seen else None)
            self._prepare(endpoints)
            self._wanted = self._apps(endpoints)
            self._wait_for(lambda: (self._seen is not None and self._seen.phase is Phase.READY) or None)
        except Exception as error:
            self._failure = self._failure or error  # for the state to say why the stack ended
            raise
        return endpoints

    def _wait_for(self, what: Callable[[], T | None]) -> T:
        while (value := what()) is None:
            if self._failure:
                raise self._failure
            time.sleep(_TICK)
        return value

    # All below runs in the stack's own thread.

    def _supervise(self) -> None:
        try:
            self._begin()
            while not self._asked_to_stop:
                self._step()
                time.sleep(_TICK)
        except Exception as error:
            self._failure = error
            if self._interrupt_main and (main := threading.main_thread().ident):
                signal.pthread_kill(main, signal.SIGTERM)
        finally:
            self._end()

    def _begin(self) -> None:
        """Clear away what a killed supervisor left, settle the ports, say which servers are to come up."""
        home, outside = self._home, self._outside
        home.create()
        self._tell()
        if left := sweep(home):
            self._on_progress("stack", f"ended {len(left)} processes that an earlier run left behind")
        await_outside(outside, lambda: self._asked_to_stop)
        ports = home.choose_ports(self._ports)
        if not outside.database_url:
            self._units.append(Unit(home, "postgres", partial(postgres.build, home, ports.postgres)))
        if not outside.kafka_bootstrap:
            build = partial(kafka.build, home, ports.kafka, ports.kafka_controller, self._cache)
            self._units.append(Unit(home, "kafka", build))
        if not outside.prefect_api_url:
            # Not in an outside database: nobody said that Prefect may make its tables there.
            own_database = (
                None if outside.database_url else postgres.url(home, ports.postgres, "prefect", "asyncpg")
            )
            server = prefect.server(home, ports.prefect, own_database)
            needs = frozenset({"postgres"} if own_database else ())
            self._units.append(Unit(home, "prefect", partial(_as_it_is, server), needs))
        self._planned = Endpoints(
            outside.database_url or postgres.url(home, ports.postgres),
            outside.kafka_bootstrap or kafka.bootstrap(ports.kafka),
            outside.prefect_api_url or prefect.api_url(ports.prefect),
        )

    def _step(self) -> None:
        """Let every unit do what it can now, and move the stack's phase on."""
        if self._wanted is not None:
            servers = frozenset(unit.name for unit in self._units)
            self._units += [
                Unit(self._home, app.name, partial(_as_it_is, app), servers) for app in self._wanted
            ]
            self._wanted, self._complete = None, True
        for unit in self._units:
            unit.step(frozenset(other.name for other in self._units if other.state is State.READY))
        settled = (State.READY, State.STOPPED)  # stopped: by its own wish, which does not hold up the others
        if self._phase is Phase.STARTING and all(unit.state in settled for unit in self._units):
            self._endpoints = self._planned
            self._tell()
            if self._complete:
                self._enter(Phase.READY, f"ready in {time.monotonic() - self._began:.1f} s")
        self._tell()

    def _end(self) -> None:
        """Take everything down, what needs a server before that server, whatever goes wrong on the way."""
        with contextlib.suppress(Exception):
            self._enter(Phase.STOPPING, "stopping")
        began = time.monotonic()
        while left := [unit for unit in self._units if unit.state is not State.STOPPED]:
            needed = frozenset[str]().union(*(unit.needs for unit in left))
            for unit in left:
                if unit.name not in needed:
                    unit.stop()
            with contextlib.suppress(Exception):
                self._tell()
            time.sleep(_TICK)
        try:
            sweep(self._home)  # grandchildren, and the helpers of servers that were still being prepared
        except Exception as error:
            self._failure = self._failure or error
        with contextlib.suppress(Exception):
            if self._failure:
                self._enter(Phase.FAILED, str(self._failure))
            else:
                self._enter(Phase.STOPPED, f"stopped in {time.monotonic() - began:.1f} s")

    def _enter(self, phase: Phase, message: str) -> None:
        self._phase, self._since, self._message = phase, time.time(), message
        if phase is not Phase.FAILED:  # whoever catches the error tells it
            self._on_progress("stack", message)
        self._tell()

    def _tell(self) -> None:
        """Say and write down what has changed since the last time."""
        seen = Status(
            str(self._home.path),
            self._phase,
            os.getpid(),
            self._since,
            self._message,
            (*self._outside_services, *(unit.status() for unit in self._units)),
            self._endpoints if self._phase in (Phase.STARTING, Phase.READY) else None,
        )
        if seen == self._seen:
            return
        before = {(service.name, service.message) for service in self._seen.services} if self._seen else set()
        for service in seen.services:
            if service.message and (service.name, service.message) not in before:
                self._on_progress(service.name, service.message)
        state.write(self._home, seen)
        self._seen = seen


def _as_it_is(service: Service, report: Report) -> Service:
    """For what needs nothing done before it starts."""
    return service
