"""What is decided about each server before it starts, and the outside ones that are only looked for."""

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.stack import kafka, postgres, prefect
from pipeline.stack.home import Home
from pipeline.stack.probes import (
    await_outside,
    kafka_answers,
    kafka_reachable,
    postgres_answers,
    prefect_answers,
)
from pipeline.stack.values import Endpoints, Outside, StackError

WHERE = Endpoints(
    "postgresql+psycopg://racewire:s3cret@127.0.0.1:1/racewire", "127.0.0.1:2", "http://127.0.0.1:3/api"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def http_port() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response({"/api/health": 200, "/locked/health": 401}.get(self.path, 404))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def postgres_data(home: Home, version: str) -> None:
    (home.postgres / "data").mkdir()
    (home.postgres / "data" / "PG_VERSION").write_text(f"{version}\n")


def kafka_data(home: Home, cluster: str) -> None:
    (home.kafka / "data").mkdir()
    (home.kafka / "data" / "meta.properties").write_text(f"#\nversion=1\ncluster.id={cluster}\nnode.id=1\n")


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stack.jars.install", lambda cache, report: cache / "jars")


def build_kafka(home: Home) -> None:
    kafka.build(home, 2, 3, home.path, lambda message: None)


def test_postgres_data_of_another_version_is_left_alone_and_told(home: Home) -> None:
    postgres_data(home, "16")
    with pytest.raises(
        StackError, match=r"written by PostgreSQL 16, and 18 is installed.*racewire stack reset"
    ):
        postgres.build(home, 1, lambda message: None)


def test_postgres_data_of_this_version_is_used(home: Home) -> None:
    postgres_data(home, "18")
    service = postgres.build(home, 1, lambda message: None)
    assert service.command[1:3] == ["-D", str(home.postgres / "data")]
    assert "listen_addresses=127.0.0.1" in service.command


def test_a_folder_without_postgres_data_is_told(home: Home) -> None:
    (home.postgres / "data").mkdir()
    with pytest.raises(StackError, match="holds no PostgreSQL data"):
        postgres.build(home, 1, lambda message: None)


def test_the_databases_password_is_in_no_command_line(home: Home) -> None:
    postgres_data(home, "18")
    password = home.secret(home.postgres, "password")
    assert password in postgres.url(home, 1)
    assert not any(password in word for word in postgres.build(home, 1, lambda message: None).command)


def test_kafka_data_is_remembered_and_another_clusters_refused(home: Home) -> None:
    kafka_data(home, "first")
    build_kafka(home)
    build_kafka(home)
    (home.kafka / "data" / "meta.properties").write_text("cluster.id=second\n")
    with pytest.raises(
        StackError, match=r"belongs to Kafka cluster second, and this stack's is first.*stack reset"
    ):
        build_kafka(home)


def test_kafka_data_that_is_gone_is_not_made_anew_behind_the_databases_back(home: Home) -> None:
    kafka_data(home, "first")
    build_kafka(home)
    (home.kafka / "data" / "meta.properties").unlink()
    (home.kafka / "data").rmdir()
    with pytest.raises(StackError, match=r"no Kafka cluster's data any more.*Put the data back"):
        build_kafka(home)


def test_kafka_listens_on_loopback_only(home: Home) -> None:
    kafka_data(home, "first")
    build_kafka(home)
    lines = (home.kafka / "server.properties").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:3"
    assert settings["log.dirs"] == "data"  # relative: a path may hold a comma or a letter that Java misreads


def test_prefect_uses_sqlite_where_postgres_is_somebody_elses(home: Home) -> None:
    env = prefect.server(home, 3, None).env
    assert env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == f"sqlite+aiosqlite:///{home.prefect}/prefect.db"
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_a_client_of_our_prefect_gets_no_foreign_credentials(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://elsewhere/api")
    monkeypatch.setenv("PREFECT_API_KEY", "key")
    env = prefect.client_env(home.path, WHERE)
    assert env["PREFECT_API_URL"] == "http://127.0.0.1:3/api"
    assert env["PREFECT_HOME"] == str(home.prefect)
    assert "PREFECT_API_KEY" not in env


def test_a_client_of_an_outside_prefect_keeps_its_credentials(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", WHERE.prefect_api_url)
    monkeypatch.setenv("PREFECT_API_KEY", "key")
    assert prefect.client_env(home.path, WHERE)["PREFECT_API_KEY"] == "key"


def test_prefect_is_there_when_it_answers_or_wants_a_key(http_port: int, closed_port: int) -> None:
    assert prefect_answers(f"http://127.0.0.1:{http_port}/api") is None
    assert prefect_answers(f"http://127.0.0.1:{http_port}/locked/") is None
    assert prefect_answers(f"http://127.0.0.1:{http_port}/other") == "HTTP 404"
    assert "refused" in (prefect_answers(f"http://127.0.0.1:{closed_port}/api") or "")


def test_one_of_several_brokers_is_enough(http_port: int, closed_port: int) -> None:
    assert kafka_reachable(f"127.0.0.1:{closed_port}, 127.0.0.1:{http_port}") is None
    assert f"127.0.0.1:{closed_port}: " in (kafka_reachable(f"127.0.0.1:{closed_port}") or "")
    assert "nonsense" in (kafka_reachable("nonsense") or "")


def test_a_broker_that_is_not_there_or_not_one_does_not_answer(closed_port: int) -> None:
    assert not kafka_answers(closed_port)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        assert not kafka_answers(server.getsockname()[1])


def test_an_outside_server_that_is_missing_is_named_with_its_setting(closed_port: int) -> None:
    url = f"postgresql+psycopg://me:s3cret@127.0.0.1:{closed_port}/db"
    assert "refused" in (postgres_answers(url) or "")
    with pytest.raises(StackError, match=r"RACEWIRE_DATABASE_URL \(.*me:\*\*\*@.*refused") as caught:
        await_outside(Outside(database_url=url), lambda: False, patience=0)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(StackError, match="RACEWIRE_KAFKA_BOOTSTRAP"):
        await_outside(Outside(kafka_bootstrap=f"127.0.0.1:{closed_port}"), lambda: False, patience=0)
    with pytest.raises(StackError, match="PREFECT_API_URL"):
        await_outside(
            Outside(prefect_api_url=f"http://127.0.0.1:{closed_port}/api"), lambda: False, patience=0
        )


def test_a_stop_ends_the_waiting_for_an_outside_server(closed_port: int) -> None:
    await_outside(Outside(kafka_bootstrap=f"127.0.0.1:{closed_port}"), lambda: True)
