"""Fixtures of the integration tests: the embedded servers once a session, a fresh world a test."""

import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text

from pipeline.bus.admin import ensure_topics
from pipeline.bus.connection import Broker
from pipeline.bus.publish import publish
from pipeline.bus.reading import read_to_end
from pipeline.cli import racewire
from pipeline.settings import Servers, Settings
from pipeline.stack import Endpoints, Supervisor, endpoints
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from schemas.codec import OutRecord
from schemas.topics import Topic, topics

# Timing is never asserted: a busy machine is no failure.
hypothesis.settings.register_profile("racewire", deadline=None)
hypothesis.settings.load_profile("racewire")

SHARED = Path(os.environ.get("RACEWIRE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real articles and feeds of others, which are not part of the project."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no shared data at {SHARED}; set RACEWIRE_SHARED to the folder that has data/")
    return SHARED


@dataclass
class World:
    """One test's own database and topics on the session's servers."""

    settings: Settings
    servers: Servers
    engine: Engine
    topics: dict[str, Topic]
    _running: list[tuple[threading.Event, threading.Thread]] = field(default_factory=list)

    @property
    def broker(self) -> Broker:
        return self.servers.broker

    def publish(self, records: list[OutRecord]) -> None:
        producer = self.broker.producer("test")
        try:
            publish(producer, records)
        finally:
            producer.close(timeout=5)

    def read(self, name: str) -> list[Any]:
        """Every record on a topic, by the name in its file."""
        return list(read_to_end(self.broker, self.topics[name].name, {}))

    def start(self, run: Callable[[threading.Event], None]) -> threading.Event:
        """Run a worker in a thread until the returned event is set or the test ends."""
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(stop,), daemon=True)
        thread.start()
        self._running.append((stop, thread))
        return stop

    def stop_all(self) -> None:
        for stop, _ in self._running:
            stop.set()
        for _, thread in self._running:
            thread.join(20)
            assert not thread.is_alive(), "a worker did not stop"
        self._running.clear()

    def environment(self) -> dict[str, str]:
        """The variables by which a process of ours finds this world."""
        return {
            "RACEWIRE_HOME": str(self.settings.home),
            "RACEWIRE_DATABASE_URL": self.servers.database_url.get_secret_value(),
            "RACEWIRE_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "RACEWIRE_TOPIC_PREFIX": self.settings.topic_prefix,
            "PREFECT_API_URL": self.servers.prefect_api_url,
        }

    def invoke(self, *arguments: str) -> Result:
        """`racewire` with these arguments, in this process and this world."""
        return CliRunner().invoke(racewire, arguments, env=self.environment())

    def scalar(self, sql: str, **values: Any) -> Any:
        with self.engine.connect() as tx:
            return tx.execute(text(sql), values).scalar()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[tuple[Path, Endpoints]]:
    """The embedded servers and their data folder: the first pytest process starts them, the others attach.

    The locks go with their process, so a killed one blocks nobody.
    """
    root = tmp_path_factory.getbasetemp()
    root = root if worker_id == "master" else root.parent
    home = root / "stack"
    with (root / "start.lock").open("w") as start, (root / "users.lock").open("w") as users:
        fcntl.flock(start, fcntl.LOCK_EX)
        found = endpoints(home)
        if found:
            fcntl.flock(users, fcntl.LOCK_SH)
            fcntl.flock(start, fcntl.LOCK_UN)
            yield home, found
            return
        with Supervisor(home, on_progress=lambda *_: None).running() as found:
            fcntl.flock(start, fcntl.LOCK_UN)
            yield home, found
            fcntl.flock(start, fcntl.LOCK_EX)  # who comes now waits, and starts the servers anew
            fcntl.flock(users, fcntl.LOCK_EX)  # who is here may finish


@pytest.fixture(scope="session")
def servers(stack: tuple[Path, Endpoints]) -> Servers:
    """The session's Kafka, Postgres and Prefect."""
    _, found = stack
    return Servers(SecretStr(found.database_url), Broker(found.kafka_bootstrap), found.prefect_api_url)


@pytest.fixture(scope="session")
def template(servers: Servers, worker_id: str) -> Iterator[str]:
    """A migrated database that each test's own is copied from."""
    name = f"template_{worker_id}_{secrets.token_hex(3)}"
    url = servers.database_url.get_secret_value()
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as tx:
        tx.execute(text(f"CREATE DATABASE {name}"))
    engine = connect(url.rsplit("/", 1)[0] + f"/{name}")
    migrate(engine)
    engine.dispose()
    yield name
    with admin.connect() as tx:
        tx.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def world(servers: Servers, template: str, tmp_path: Path) -> Iterator[World]:
    """A fresh database and fresh topics."""
    name = f"test_{secrets.token_hex(5)}"
    url = servers.database_url.get_secret_value()
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as tx:
        tx.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    mine = Servers(SecretStr(url.rsplit("/", 1)[0] + f"/{name}"), servers.broker, servers.prefect_api_url)
    settings = Settings(
        home=tmp_path,
        database_url=mine.database_url,
        kafka_bootstrap=servers.broker.bootstrap,
        topic_prefix=f"{name.replace('_', '-')}.",
    )
    known = topics(settings.topic_prefix)
    ensure_topics(servers.broker, known.values())
    engine = connect(mine.database_url.get_secret_value())
    found = World(settings, mine, engine, known)
    yield found
    found.stop_all()
    engine.dispose()
    with admin.connect() as tx:
        tx.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
    # A world has a hundred partitions: those of 200 tests are more open files than a broker may have.
    with servers.broker.admin() as kafka:
        left = [topic for topic in kafka.list_topics() if topic.startswith(settings.topic_prefix)]
        kafka.delete_topics(left, raise_errors=False)
