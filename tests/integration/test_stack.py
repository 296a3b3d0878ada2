"""The real servers under the supervisor: they work, keep what they were given, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from pipeline.stack import Endpoints, Phase, State, Supervisor, down, endpoints, logs, status
from pipeline.stack.process import MARK

pytestmark = pytest.mark.integration

PROGRAM = """
import pathlib, sys
from pipeline.stack import Supervisor
sys.exit(Supervisor(pathlib.Path(sys.argv[1])).run())
"""
TOPIC = "stack.test.v1"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("stack")
    yield path
    down(path)


def start(path: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], env=env)


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def is_ready(path: Path, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"the stack ended: {status(path).message}"
    return status(path).phase is Phase.READY


def processes(supervisor: int) -> list[psutil.Process]:
    """Everything the supervisor has started."""
    return psutil.Process(supervisor).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; no zombies: their parent was killed, and who adopted them may take its time."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def connect(where: Endpoints) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(where.database_url.replace("+psycopg", ""), autocommit=True)


def write(where: Endpoints, value: str) -> None:
    """A row, and a record that the broker has acknowledged."""
    with connect(where) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [value])
    admin = KafkaAdminClient(bootstrap_servers=where.kafka_bootstrap)
    if TOPIC not in admin.list_topics():
        admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=where.kafka_bootstrap)
    producer.send(TOPIC, value.encode()).get(30)
    producer.close()


def read(where: Endpoints) -> tuple[list[str], list[str]]:
    """All rows, all records."""
    with connect(where) as connection:
        rows = [str(row[0]) for row in connection.execute("SELECT value FROM kept ORDER BY value")]
    partition, records = TopicPartition(TOPIC, 0), []
    consumer = KafkaConsumer(bootstrap_servers=where.kafka_bootstrap)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    while consumer.position(partition) < consumer.end_offsets([partition])[partition]:
        records += [record.value.decode() for batch in consumer.poll(1000).values() for record in batch]
    consumer.close()
    return rows, records


def test_a_life_with_kills(path: Path) -> None:
    """One test for one story, for each of its starts takes seconds."""
    with start(path) as process:
        until(lambda: is_ready(path, process))
        before = status(path)
        where = before.endpoints
        assert where is not None
        write(where, "first")
        assert httpx.get(f"{where.prefect_api_url}/health", trust_env=False).json() is True
        with connect(where) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        assert row is not None
        assert str(row[0]).startswith("18.")
        children = processes(process.pid)
        assert len(children) > 3
        for port in (service.port for service in before.services):
            addresses = {
                one.laddr.ip for one in psutil.net_connections() if one.laddr and one.laddr.port == port
            }
            assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}
        process.kill()
    assert status(path).phase is Phase.STOPPED

    with start(path) as process:  # at once, while the servers of the killed one are still ending
        until(lambda: is_ready(path, process))
        assert endpoints(path) == where
        assert alive(children) == []
        assert read(where) == (["first"], ["first"])
        write(where, "second")

        def service(name: str) -> tuple[State, int, int | None, int | None]:
            one = next(one for one in status(path).services if one.name == name)
            return one.state, one.restarts, one.pid, one.port

        for name in ("kafka", "postgres"):
            _, _, pid, port = service(name)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            until(lambda name=name: service(name)[:2] == (State.READY, 1))  # type: ignore[misc]
            assert service(name)[3] == port
        assert read(where) == (["first", "second"], ["first", "second"])
        write(where, "third")
        assert any("database system is ready" in line for line in logs(path, "postgres", 200))

        children = processes(process.pid)
        ended = down(path)
        assert {one.service for one in ended} == {"postgres", "kafka", "prefect", "supervisor"}
        assert process.wait(10) == 0
    assert alive(children) == []
    assert marked(path) == []
    assert status(path).phase is Phase.STOPPED

    seen: list[tuple[str, str]] = []
    with Supervisor(path, on_progress=lambda *told: seen.append(told)).running() as where_again:
        assert where_again == where
        assert read(where_again) == (["first", "second", "third"], ["first", "second", "third"])
    assert ("postgres", "creating its data directory") not in seen


def marked(path: Path) -> list[psutil.Process]:
    """Processes that carry this stack's mark, found without our own code."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
        except (psutil.Error, OSError):
            continue
        if mark and process.cwd().startswith(str(path)):
            found.append(process)
    return found


def test_a_stop_while_it_starts_leaves_nothing_and_the_next_start_works(tmp_path: Path) -> None:
    for name, what in (("postgres", "creating"), ("kafka", "formatting"), ("prefect", "starting")):

        def reached(name: str = name, what: str = what) -> bool:
            return any(one.name == name and one.message.startswith(what) for one in status(tmp_path).services)

        with start(tmp_path) as process:
            until(reached)
            children = processes(process.pid)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        assert alive(children) == []
        assert marked(tmp_path) == []
    with Supervisor(tmp_path, on_progress=lambda *told: None).running() as where:
        write(where, "value")
        assert read(where) == (["value"], ["value"])
