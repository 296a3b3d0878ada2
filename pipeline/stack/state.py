"""What state the stack is in: the one place that says so, for people, programs and the other commands.

The supervisor writes `state.json` at every change; a reader checks it against the lock, for a supervisor
that was killed leaves a file that claims more than is true.
"""

from __future__ import annotations

import enum
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.stack.home import Home, write_private
from pipeline.stack.values import Endpoints, StackError


class Phase(enum.StrEnum):
    """Of the stack as a whole."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    """It stopped by itself; `message` says why."""


class State(enum.StrEnum):
    """Of one service."""

    WAITING = "waiting"
    """For a service that it needs."""
    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    """Its process died; it is started again after a pause."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    OUTSIDE = "outside"
    """Somebody else's server: only looked for at the start."""


@dataclass(frozen=True)
class ServiceStatus:
    """One service as it is now."""

    name: str
    state: State
    message: str = ""
    pid: int | None = None
    port: int | None = None
    log: str | None = None
    restarts: int = 0


@dataclass(frozen=True)
class Status:
    """The stack as it is now."""

    home: str
    phase: Phase
    pid: int | None = None
    """Of the supervisor, while it runs."""
    since: float = 0.0
    """When the phase began, in seconds since 1970."""
    message: str = ""
    services: tuple[ServiceStatus, ...] = ()
    endpoints: Endpoints | None = None
    """Where the servers are, from when they answer until they are told to stop."""

    def to_json(self, *, with_password: bool = False) -> dict[str, Any]:
        """A dict of JSON values. The password of the database is `***` unless asked for."""
        shown = (
            self
            if with_password or self.endpoints is None
            else replace(self, endpoints=self.endpoints.redacted())
        )
        return asdict(shown)

    def without_supervisor(self) -> Status:
        """What is true when nobody holds the lock: a supervisor that could still write has written how it
        ended."""
        if self.phase in (Phase.STOPPED, Phase.FAILED):
            return replace(self, pid=None)
        return replace(
            self,
            phase=Phase.STOPPED,
            pid=None,
            message="its supervisor was killed; `racewire stack down` or the next start ends what it left",
            services=tuple(replace(one, state=State.STOPPED, message="", pid=None) for one in self.services),
            endpoints=None,
        )


def write(home: Home, status: Status) -> None:
    """Only the holder of the lock may."""
    write_private(home.state, json.dumps(status.to_json(with_password=True), indent=1), durable=False)


def read(home: Home) -> Status:
    """What the last supervisor wrote, true or not. Raises StackError for an unreadable file."""
    try:
        data = json.loads(home.state.read_text(encoding="utf-8"))
        services = tuple(ServiceStatus(**one | {"state": State(one["state"])}) for one in data["services"])
        where = data["endpoints"] and Endpoints(**data["endpoints"])
        return Status(**data | {"phase": Phase(data["phase"]), "services": services, "endpoints": where})
    except FileNotFoundError:
        return Status(str(home.path), Phase.STOPPED)
    except (ValueError, TypeError, KeyError) as error:
        raise StackError(
            f"{home.state} cannot be read ({error!r}). Remove it: the next start writes it anew."
        ) from error


def status(path: Path) -> Status:
    """The state of the stack in this data folder, which need not exist. Raises StackError."""
    home = Home(path)
    holder = home.holder()
    seen = read(home)
    if holder is None:
        return seen.without_supervisor()
    if holder != seen.pid:  # it has yet to write its first line
        return Status(str(home.path), Phase.STARTING, holder, time.time())
    return seen


def endpoints(path: Path) -> Endpoints | None:
    """Where the servers of the running stack are, or None while they do not answer."""
    return status(path).endpoints
