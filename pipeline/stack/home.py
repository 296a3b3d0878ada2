"""The data folder of one stack: its layout, its lock, its secrets, its ports.

Everything the stack keeps is below this folder. Who holds the lock is the supervisor: the lock goes with
the process, however it ends, so it is what tells a running stack from one that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

from pipeline.stack.values import AlreadyRunningError, Ports, StackError

# Below the range the kernel takes clients' ports from (32768 up on Linux): there a client that knocks on a
# stopped server's port can be given that very port for itself, and the server could not come back.
PORT_RANGE = (17_000, 32_000)


class Home:
    """The places below one data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.lock = self.path / "lock"
        self.state = self.path / "state.json"
        self.ports = self.path / "ports.json"
        self.logs = self.path / "logs"
        self.postgres = self.path / "postgres"
        self.kafka = self.path / "kafka"
        self.kafka_cluster = self.path / "kafka.cluster"
        self.prefect = self.path / "prefect"
        self.work = self.path / "work"
        # What the environment of each of the stack's processes says, to be found by when its parent is gone.
        self.mark = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def create(self) -> None:
        """Make the folders, for the user alone."""
        for folder in (self.path, self.logs, self.postgres, self.kafka, self.prefect, self.work):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def holder(self) -> int | None:
        """The process id of the running supervisor, or None when none runs."""
        try:
            with self.lock.open() as file:
                # A shared lock, for a moment: two who ask do not take each other for a supervisor.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            while not (text := self.lock.read_text()):
                time.sleep(0.01)  # it has the lock and is about to write its number
            return int(text)
        return None

    @contextlib.contextmanager
    def locked(self, wait: float = 1.0) -> Iterator[None]:
        """Be the supervisor. Tries for `wait` seconds, since `holder` holds the lock for a moment, too.

        Raises AlreadyRunningError, naming the process that is.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        give_up = time.monotonic() + wait
        with self.lock.open("a+") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > give_up:
                        raise self.already_running(self.holder()) from None
                    time.sleep(0.05)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def already_running(self, pid: int | None) -> AlreadyRunningError:
        return AlreadyRunningError(
            f"{self.path} is in use: process {pid} runs this stack. Stop it with `racewire stack down`, or "
            "use another RACEWIRE_HOME."
        )

    def secret(self, folder: Path, name: str) -> str:
        """The random secret of that name, made at the first asking, readable by the user alone."""
        path = folder / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text(encoding="ascii")

    def choose_ports(self, wanted: Ports) -> Ports:
        """The ports to use now, remembered for the next time.

        A port that is wanted must be free; one that is remembered is taken again when it is. Raises
        StackError.
        """
        remembered = self._remembered_ports()
        chosen: dict[str, int] = {}
        for server in (field.name for field in fields(Ports)):
            port = getattr(wanted, server)
            if port and not is_free(port):
                raise StackError(
                    f"port {port}, set for {server}, is taken by another program. Choose another, or let "
                    "racewire choose."
                )
            chosen[server] = port or _free_port(getattr(remembered, server), set(chosen.values()))
        ports = Ports(**chosen)
        write_private(self.ports, json.dumps(asdict(ports)))
        return ports

    def _remembered_ports(self) -> Ports:
        try:
            return Ports(**json.loads(self.ports.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return Ports()  # never started, or not ours to understand: any free port will do


def is_free(port: int) -> bool:
    """Can a server listen there now? Connections of an earlier server that linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(remembered: int, taken: set[int]) -> int:
    # Random and not counted up, so that two stacks that start at once rarely ask for the same.
    candidates = [remembered] if remembered else []
    candidates += random.sample(range(*PORT_RANGE), 1000)
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    raise StackError(f"no free port between {PORT_RANGE[0]} and {PORT_RANGE[1]} on 127.0.0.1")


def write_private(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file for the user alone; a reader sees the old text or the new, never a part.

    If `durable`, that holds after a power cut, too, at the price of waiting for the disk.
    """
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)
