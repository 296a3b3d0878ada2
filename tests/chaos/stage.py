"""The processes of a course: the stack of `racewire up`, a crew of workers beside it, a press to poll.

The product is run by its commands, as an operator does. The crew stands for workers on other machines: it
goes on when the supervisor is killed, and starts what was killed again as any process manager would.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import yaml

from pipeline.bus.admin import ensure_topics
from pipeline.bus.connection import Broker
from pipeline.stack import Endpoints, Phase, StackError, Status, status
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from schemas.topics import topics
from tests.chaos.load import Input
from tests.chaos.reading import World
from tests.feedserver import FeedServer, rss

RACEWIRE = (sys.executable, "-m", "pipeline.cli")
ROOT = Path(__file__).resolve().parents[2]
LEASED = ("storyteller", "relay")


def clean_environment() -> dict[str, str]:
    """What the harness inherits, without settings of a developer's own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RACEWIRE_", "PREFECT_"))}
    return kept | {"PYTHONPATH": str(ROOT)}


def world_of(endpoints: Endpoints, prefix: str = "") -> World:
    """The stack's own world."""
    return World(endpoints.database_url.replace("+psycopg", ""), endpoints.kafka_bootstrap, prefix)


@contextmanager
def new_world(beside: World, name: str) -> Iterator[World]:
    """Another database and other topics on the same servers; the database is dropped at the end."""
    with psycopg.connect(beside.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    made = World(beside.url.rsplit("/", 1)[0] + f"/{name}", beside.bootstrap, f"{name.replace('_', '-')}.")
    try:
        engine = connect(_sqlalchemy(made.url), pool=1)
        migrate(engine)
        engine.dispose()
        ensure_topics(Broker(made.bootstrap), topics(made.prefix).values())
        yield made
    finally:
        with psycopg.connect(beside.url, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def settings_of(world: World, home: Path) -> dict[str, str]:
    """The variables by which a command finds a world."""
    return clean_environment() | {
        "RACEWIRE_HOME": str(home),
        "RACEWIRE_DATABASE_URL": _sqlalchemy(world.url),
        "RACEWIRE_KAFKA_BOOTSTRAP": world.bootstrap,
        "RACEWIRE_TOPIC_PREFIX": world.prefix,
        "PREFECT_API_URL": "http://127.0.0.1:9/api",  # workers never ask for it
    }


class Crew:
    """Workers beside the stack. A thread sees to it that there are as many of each as are wanted."""

    def __init__(self, world: World, home: Path, **wanted: int) -> None:
        self._env, self._logs = settings_of(world, home), home / "crew"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._wanted = dict(wanted)
        self._running: dict[str, list[subprocess.Popen[bytes]]] = {name: [] for name in wanted}
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._tend, daemon=True)
        self.ends: Counter[str] = Counter()  # how workers ended that nobody had killed

    @contextmanager
    def working(self) -> Iterator["Crew"]:
        """Workers for the length of a block; afterwards all must end cleanly."""
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()
            for name in self._wanted:
                self._wanted[name] = 0
            self._adjust()
            self._drain(20)

    def want(self, name: str, count: int) -> None:
        """Have so many workers of a kind from now on; who is too many is asked to end."""
        self._wanted[name] = count

    def pids(self, name: str) -> list[int]:
        """The workers of a kind that run now, oldest first."""
        with self._lock:
            return [p.pid for p in self._running.get(name, ()) if p.poll() is None]

    def _tend(self) -> None:
        while not self._end.wait(0.2):
            self._adjust()
            self._drain(0)

    def _adjust(self) -> None:
        with self._lock:
            for name, count in self._wanted.items():
                running = self._running[name]
                for process in [p for p in running if p.poll() is not None]:
                    running.remove(process)
                    if process.returncode != -signal.SIGKILL:
                        self.ends[f"{name} ended with {process.returncode}"] += 1
                while len(running) < count:
                    running.append(self._start(name))
                while len(running) > count:
                    leaver = running.pop()
                    leaver.send_signal(signal.SIGCONT)  # one that was stopped would never hear of its end
                    leaver.terminate()
                    self._leaving.append(leaver)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with (self._logs / f"{name}.log").open("ab") as log:
            command = [*RACEWIRE, "worker", name]
            return subprocess.Popen(command, env=self._env, cwd=self._logs, stdout=log, stderr=log)

    def _drain(self, patience: float) -> None:
        give_up = time.monotonic() + patience
        for process in list(self._leaving):
            try:
                code = process.wait(max(0.0, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                if not patience:
                    continue
                process.kill()
                code = process.wait()
            self._leaving.remove(process)
            if code:
                self.ends[f"leaving worker ended with {code}"] += 1


class Site:
    """`racewire up` in a folder of its own."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self.home = home
        self._env = clean_environment() | {"RACEWIRE_HOME": str(home), "RACEWIRE_WEB_PORT": "0", **env}
        self.gave_up = 0

    def up(self, tries: int = 3) -> None:
        """Start everything and return when it is ready. Raises AssertionError."""
        for _ in range(tries):
            done = subprocess.run(
                [*RACEWIRE, "up", "--detach"], env=self._env, capture_output=True, text=True, check=False
            )
            if done.returncode == 0 or self.status().phase is Phase.READY:
                return
        raise AssertionError(f"`racewire up` fails:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    def down(self) -> None:
        subprocess.run([*RACEWIRE, "stack", "down"], env=self._env, capture_output=True, check=False)

    def status(self) -> Status:
        while True:
            with suppress(StackError):
                return status(self.home)

    def revive(self) -> None:
        """Start it again where its supervisor has given up."""
        if self.status().phase in (Phase.FAILED, Phase.STOPPED):
            self.gave_up += 1
            self.up()

    def pid(self, service: str) -> int | None:
        seen = self.status()
        return (
            seen.pid
            if service == "supervisor"
            else next((s.pid for s in seen.services if s.name == service), None)
        )

    def left(self) -> list[str]:
        """The command lines of processes that know this folder."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                own = process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE
                if not own and process.environ().get("RACEWIRE_HOME") == str(self.home):
                    found.append(" ".join(process.cmdline()))
        return found


class Press:
    """Papers with a host each on loopback, whose feeds grow in the course."""

    def __init__(self, home: Path, papers: int = 16) -> None:
        self._servers = [FeedServer(f"127.0.0.{number + 2}") for number in range(papers)]
        self._entries: list[list[tuple[str, str, str]]] = [[] for _ in range(papers)]
        self.registry = home / "feeds.yaml"
        self.addresses: list[str] = []

    @contextmanager
    def printing(self) -> Iterator["Press"]:
        with ExitStack() as stack:
            for number, server in enumerate(self._servers):
                stack.enter_context(server.serving())
                self._print(number)
            papers = [
                {
                    "id": f"press-{number}",
                    "url": server.url("/feed"),
                    "title": f"Press {number}",
                    "language": "en",
                    "kind": "press",
                    "rank": 2,
                    "allow_hosts": [f"127.0.0.{number + 2}"],
                }
                for number, server in enumerate(self._servers)
            ]
            self.registry.write_text(yaml.safe_dump(papers))
            yield self

    def add(self, number: int, title: str, text: str) -> None:
        """One more article, in the paper whose turn it is."""
        paper = number % len(self._servers)
        self._entries[paper].append((f"/{number}", title, text))
        self.addresses.append(f"https://press-{paper}.example/{number}")
        self._print(paper)

    def _print(self, paper: int) -> None:
        document = rss(*self._entries[paper], link=f"https://press-{paper}.example")
        self._servers[paper].documents["/feed"] = (document, "text/xml")


class Stage:
    """Where a course plays: a world, its crew and, where the servers are its own, their site."""

    def __init__(self, world: World, crew: Crew, site: Site | None = None) -> None:
        self.world, self.crew, self.site = world, crew, site

    def processes(self, whom: str) -> list[psutil.Process]:
        """The processes that are meant by a name; of the relay and the storyteller the leader comes first."""
        pids = self.crew.pids(whom)
        if self.site:
            pid = self.site.pid("prefect-worker" if whom == "poll" else whom)
            pids = [pid, *pids] if pid else pids
        if whom in LEASED and (leader := self._leader(whom)) in pids:
            pids.sort(key=lambda pid: pid != leader)
        found = []
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        if whom == "poll":  # what the flow runs in, and not the worker that starts it
            return [child for worker in found for child in worker.children(recursive=True)]
        return found

    def _leader(self, whom: str) -> int | None:
        name = self.world.topic(whom)
        with suppress(psycopg.Error):
            for (owner,) in self.world.rows("SELECT owner FROM leases WHERE name = %s", name):
                return int(owner.split(":")[1])
        return None


def poll_once(world: World, home: Path, press: Press) -> None:
    """Poll every paper once, without Prefect."""
    env = settings_of(world, home) | {"RACEWIRE_FEEDS_FILE": str(press.registry)}
    done = subprocess.run([*RACEWIRE, "poll"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def ids(canaries: Sequence[Input]) -> Collection[str]:
    """The article ids of good records."""
    return [one.article["article_id"] for one in canaries if one.article]


def _sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
