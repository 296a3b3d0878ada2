"""The values of the stack: where its servers are, what a service is, and what can go wrong. No behaviour."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class StackError(Exception):
    """The stack cannot go on; the message names the subject and says what to do."""


class AlreadyRunningError(StackError):
    """Another supervisor holds this data folder."""


@dataclass(frozen=True)
class Endpoints:
    """Where the three servers are. `database_url` holds a password, so it is never printed as it is."""

    database_url: str
    kafka_bootstrap: str
    prefect_api_url: str

    def redacted(self) -> Endpoints:
        """The same without the password, to be shown."""
        return Endpoints(redact(self.database_url), self.kafka_bootstrap, redact(self.prefect_api_url))

    def __repr__(self) -> str:
        shown = self.redacted()
        return f"Endpoints({shown.database_url!r}, {shown.kafka_bootstrap!r}, {shown.prefect_api_url!r})"


@dataclass(frozen=True)
class Outside:
    """The servers that are somebody else's: looked for at the start, never started or stopped. None means
    ours."""

    database_url: str | None = field(default=None, repr=False)
    kafka_bootstrap: str | None = None
    prefect_api_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Ports:
    """Ports on 127.0.0.1; 0 means the one used last time, or a free one."""

    postgres: int = 0
    kafka: int = 0
    kafka_controller: int = 0
    prefect: int = 0


@dataclass(frozen=True)
class Service:
    """One process to be kept running."""

    name: str
    command: Sequence[str]
    """An absolute program and its arguments."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Added to the supervisor's own environment, without what belongs to a developer's other servers."""
    cwd: Path | None = None
    """None means the stack's own empty working folder: Prefect reads `.env` and `pyproject.toml` where it
    stands."""
    ready: Callable[[], bool] | None = None
    """Asked until it says yes; it must return within a second or two. None means ready once started."""
    patience: float = 120.0
    """Seconds to become ready in."""
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    """Seconds between the stop signal and SIGKILL."""
    port: int | None = None
    """Only shown."""
    final: frozenset[int] = frozenset()
    """Exit codes by which it says that it must not be started again before somebody has seen to it."""
    own: Path | None = None
    """The folder of a program that refuses to run as root: as root it runs as `nobody`, who is given this
    folder."""


class Ended(NamedTuple):
    """A process that was ended because it belonged to a stack that is no longer supervised."""

    service: str
    pid: int


def redact(url: str) -> str:
    """The URL with `***` in the place of its password."""
    # Up to the last @: a password may hold one, and hiding too much does no harm.
    url = re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", url)
    return re.sub(r"(?<=\bpassword=)[^&\s]*", "***", url)
