"""Where a contender runs: embedded servers, a database and topics of its own, processes to be measured."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Engine, create_engine, text

from pipeline.bus.admin import ensure_topics
from pipeline.bus.connection import Broker
from pipeline.bus.publish import publish
from pipeline.stack import Endpoints, StackError, Supervisor
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from schemas.codec import record
from schemas.messages import Article
from schemas.topics import ARTICLES, Topic, topics

PATIENCE = 300.0  # seconds for anything that is waited for
_TEMPLATE = "bench"


@dataclass(frozen=True)
class World:
    """A migrated database and topics that nobody else has."""

    engine: Engine
    broker: Broker
    topics: dict[str, Topic]
    environment: dict[str, str]
    home: Path

    def publish(self, articles: Sequence[Article]) -> None:
        """Put articles on their topic, as a poll does."""
        producer = self.broker.producer("bench")
        try:
            publish(producer, [record(self.topics[ARTICLES], a, time=a.observed_at) for a in articles])
        finally:
            producer.close(timeout=5)

    def wait(self, what: str, query: str, wanted: int, alive: Callable[[], None]) -> None:
        """Until a query's number is as wanted. Raises StackError naming `what` when it takes too long."""
        begin = time.monotonic()
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
            while (found := tx.execute(text(query)).scalar()) != wanted:
                alive()
                if (spent := time.monotonic() - begin) > PATIENCE:
                    raise StackError(f"{what}: {found} of {wanted} after {PATIENCE:.0f} s")
                # To look takes the servers' time, too: the more is still to come, the later again.
                left = spent * (wanted / found - 1) if found else 0.0
                time.sleep(min(max(0.01, left / 8), 1.0))

    @contextmanager
    def running(self, commands: Sequence[Sequence[str]]) -> Iterator["Processes"]:
        """Processes for the length of a block, each a Python module with its arguments."""
        with ExitStack() as cleanup:
            log = cleanup.enter_context((self.home / "bench.log").open("ab"))
            started = []
            for command in commands:
                child = subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env=os.environ | self.environment,
                    stdout=log,
                    stderr=log,
                )
                cleanup.callback(_end, child)
                started.append(child)
            yield Processes(started, [psutil.Process(child.pid) for child in started], Path(log.name))


@dataclass(frozen=True)
class Processes:
    """Processes under measurement."""

    children: list["subprocess.Popen[bytes]"]
    seen: list[psutil.Process]
    log: Path

    def alive(self) -> None:
        """Raises StackError with its last words where one has ended."""
        for child in self.children:
            if (code := child.poll()) is not None:
                words = self.log.read_text(errors="replace").strip()[-2000:]
                raise StackError(f"{child.args!r} ended with {code}:\n{words}")

    def suspend(self) -> None:
        """Let none of them run until `resume`."""
        for process in self.seen:
            process.suspend()

    def resume(self) -> None:
        """Let them run on."""
        for process in self.seen:
            process.resume()

    def cpu(self) -> float:
        """CPU seconds of all of them so far."""
        return sum(t.user + t.system for t in (process.cpu_times() for process in self.seen))

    def peak(self) -> int:
        """Bytes of memory that the largest of them had at its peak."""
        return max(_peak(process) for process in self.seen)


class Stage:
    """The embedded servers, and worlds on them."""

    def __init__(self, endpoints: Endpoints, home: Path) -> None:
        self._endpoints, self._home = endpoints, home
        self._admin = create_engine(endpoints.database_url, isolation_level="AUTOCOMMIT")
        self._execute(f"CREATE DATABASE {_TEMPLATE}")
        engine = connect(self._url(_TEMPLATE), pool=1)
        migrate(engine)
        engine.dispose()

    @classmethod
    @contextmanager
    def embedded(cls) -> Iterator["Stage"]:
        """Servers in a folder of their own for the length of a block. Raises StackError."""
        with tempfile.TemporaryDirectory(prefix="racewire-bench-") as folder:
            home = Path(folder)
            with Supervisor(home, on_progress=lambda *_: None).running() as endpoints:
                yield cls(endpoints, home)

    @contextmanager
    def world(self) -> Iterator[World]:
        """A fresh database and fresh topics for the length of a block."""
        name = f"bench_{secrets.token_hex(4)}"
        prefix = f"{name.replace('_', '-')}."
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        broker, known = Broker(self._endpoints.kafka_bootstrap), topics(prefix)
        ensure_topics(broker, known.values())
        engine = connect(self._url(name), pool=1)
        environment = {
            "RACEWIRE_HOME": str(self._home),
            "RACEWIRE_DATABASE_URL": self._url(name),
            "RACEWIRE_KAFKA_BOOTSTRAP": broker.bootstrap,
            "PREFECT_API_URL": self._endpoints.prefect_api_url,
            "RACEWIRE_TOPIC_PREFIX": prefix,
            "RACEWIRE_LOG_LEVEL": "WARNING",
        }
        try:
            yield World(engine, broker, known, environment, self._home)
        finally:
            engine.dispose()
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")
            with broker.admin() as admin:
                admin.delete_topics([topic.name for topic in known.values()])

    def _url(self, database: str) -> str:
        return self._endpoints.database_url.rsplit("/", 1)[0] + f"/{database}"

    def _execute(self, statement: str) -> None:
        with self._admin.connect() as tx:
            tx.execute(text(statement))


def postgres_cpu() -> float:
    """CPU seconds so far of the Postgres that this process has started, as far as its processes live."""
    found = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # ended meanwhile
            if process.name() == "postgres":
                times = process.cpu_times()
                found += times.user + times.system
    return found


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.send_signal(signal.SIGCONT)
    child.terminate()
    try:
        child.wait(15)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _peak(process: psutil.Process) -> int:
    """The kernel's high-water mark where it keeps one, else what is used now."""
    status = Path(f"/proc/{process.pid}/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return int(process.memory_info().rss)
