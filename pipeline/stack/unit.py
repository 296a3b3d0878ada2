"""One supervised service: the small state machine that brings it up, keeps it up and takes it down.

It never waits: the supervisor calls `step` again and again from the one thread that owns all children, and
each call does what can be done now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future

from pipeline.stack.background import background
from pipeline.stack.home import Home
from pipeline.stack.policy import WINDOW, Deaths
from pipeline.stack.process import Child, sweep
from pipeline.stack.state import ServiceStatus, State
from pipeline.stack.values import Service, StackError

Report = Callable[[str], None]
"""Takes what is being waited for, in a few words."""
Build = Callable[[Report], Service]
"""Does what must be done before the first start, which may take a while, and returns the service."""


class Unit:
    """A service on its way through the states."""

    def __init__(self, home: Home, name: str, build: Build, needs: frozenset[str] = frozenset()) -> None:
        """`needs` names the services that must be ready before this one is built, and outlive it."""
        self.name = name
        self.needs = needs
        self.state = State.WAITING
        self._home = home
        self._build = build
        self._message = f"waiting for {', '.join(sorted(needs))}" if needs else ""
        self._future: Future[Service] | None = None
        self._service: Service | None = None
        self._child: Child | None = None
        self._deaths = Deaths()
        self._restarts = 0
        self._since = 0.0
        self._start_at = 0.0

    def status(self) -> ServiceStatus:
        return ServiceStatus(
            self.name,
            self.state,
            self._message,
            pid=self._child.pid if self._child and self._child.ended() is None else None,
            port=self._service.port if self._service else None,
            log=str(self._home.log(self.name)),
            restarts=self._restarts,
        )

    def step(self, ready: frozenset[str]) -> None:
        """Go on towards READY, given the names of the services that are. Raises StackError when it is
        hopeless."""
        if self.state is State.WAITING and self.needs <= ready:
            self.state, self._message = State.PREPARING, ""
            self._future = background(lambda: self._build(self._report))
        elif self.state is State.PREPARING and self._future and self._future.done():
            self._service = self._future.result()
            self._start(self._service)
        elif self.state is State.RESTARTING and self._service and time.monotonic() >= self._start_at:
            self._start(self._service)
        elif self.state in (State.STARTING, State.READY) and self._child:
            self._watch(self._child)

    def stop(self) -> bool:
        """Go on towards STOPPED; True when there."""
        if self.state in (State.STOPPED, State.WAITING, State.PREPARING, State.RESTARTING):
            self._settle("stopped")
        elif self.state is not State.STOPPING and self._child:
            self.state, self._message, self._since = State.STOPPING, "stopping", time.monotonic()
            self._child.stop()
        elif self._child and self._child.stopped():
            self._settle(f"stopped in {time.monotonic() - self._since:.1f} s")
        return self.state is State.STOPPED

    def _settle(self, message: str) -> None:
        if self.state is not State.STOPPED:
            self.state, self._message = State.STOPPED, message

    def _report(self, message: str) -> None:
        """Called from the thread that prepares, before each of its steps."""
        if self.state is not State.PREPARING:
            raise StackError(f"{self.name} was stopped while it was being prepared")
        self._message = message

    def _start(self, service: Service) -> None:
        self._child = Child(self._home, service)
        self.state, self._message, self._since = State.STARTING, "starting", time.monotonic()

    def _watch(self, child: Child) -> None:
        waited = time.monotonic() - self._since
        if (code := child.ended()) is not None and code in child.service.final:
            self._settle(f"stopped itself (exit code {code}) and is not started again: {child.tail(1)}")
        elif code is not None:
            self._died(child, f"ended with {code}")
        elif self.state is State.STARTING:
            if child.service.ready is None or child.service.ready():
                self.state, self._message = State.READY, f"ready in {waited:.1f} s"
            elif waited > child.service.patience:
                self._died(child, f"not ready after {waited:.0f} s")

    def _died(self, child: Child, how: str) -> None:
        """It is dead, or as good as that: start another one after a pause, or give up."""
        tail = child.tail()
        # What it left, and itself if it hangs: they hold its port and its files.
        sweep(self._home, self.name)
        self._deaths = self._deaths.another(time.monotonic())
        pause = self._deaths.pause()
        if pause is None:
            raise StackError(
                f"{self.name} {how}, the {len(self._deaths.times)}th time within {WINDOW:.0f} s. "
                f"Its log, {child.log}, ends:\n{tail}"
            )
        self._restarts += 1
        self._start_at = time.monotonic() + pause
        self.state = State.RESTARTING
        self._message = f"{how}; starting again in {pause:.2g} s (log: {child.log})"
