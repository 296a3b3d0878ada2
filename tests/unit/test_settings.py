"""Settings: from the environment and from files, errors by name, secrets kept."""

import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline import settings as configuration
from pipeline.bus.connection import Broker
from pipeline.cli import processes
from pipeline.settings import Servers, SettingsError
from pipeline.stack import Endpoints
from pipeline.workers.polling import limits


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(("RACEWIRE_", "PREFECT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RACEWIRE_HOME", str(tmp_path))


def test_a_wrong_value_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACEWIRE_POLL_EVERY", "often")
    with pytest.raises(SettingsError, match="RACEWIRE_POLL_EVERY"):
        configuration.load()


def test_a_secret_may_be_a_file_and_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "racewire_database_url").write_text("postgresql+psycopg://a:topsecret@h/db")
    monkeypatch.setenv("RACEWIRE_SECRETS_DIR", str(tmp_path))
    found = configuration.load()
    assert found.database_url
    assert found.database_url.get_secret_value().endswith("@h/db")
    assert "topsecret" not in repr(found)


def test_the_owners_address_is_no_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    servers = Servers(SecretStr("writer"), Broker("h:1"), "http://h/api")
    assert configuration.owner_url(configuration.load(), servers) == "writer"
    (tmp_path / "racewire_owner_database_url").write_text("owner")
    monkeypatch.setenv("RACEWIRE_SECRETS_DIR", str(tmp_path))
    found = configuration.load()
    assert configuration.owner_url(found, servers) == "owner"
    given = processes.environment(found, Endpoints("writer", "h:1", "http://h/api"))
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert configuration.owner_url(configuration.load(), servers) == "writer"


@pytest.mark.parametrize(
    "address",
    [
        "socks5://me:topsecret@h:1",
        "me:topsecret@h:1",
        "http://me:topsecret@h:x",
        "http://me:topsecret@h/path",
    ],
)
def test_what_is_no_proxy_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("RACEWIRE_PROXY", address)
    with pytest.raises(SettingsError, match=r"RACEWIRE_PROXY: .*no address of a proxy") as caught:
        configuration.load()
    assert "topsecret" not in "".join(traceback.format_exception(caught.value))


def test_a_proxy_is_set_or_not_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACEWIRE_PROXY", "")
    assert configuration.load().proxy is None
    monkeypatch.setenv("RACEWIRE_PROXY", "https://me:topsecret@proxy.example:8443/")
    found = configuration.load()
    assert limits(found).proxy is not None
    assert "topsecret" not in repr((found, limits(found)))


def test_without_servers_it_says_how_to_get_them() -> None:
    with pytest.raises(SettingsError, match=r"racewire up.*RACEWIRE_DATABASE_URL"):
        configuration.servers(configuration.load())


def test_servers_that_are_set_need_no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACEWIRE_DATABASE_URL", "postgresql+psycopg://a:topsecret@h/db")
    monkeypatch.setenv("RACEWIRE_KAFKA_BOOTSTRAP", "one:9092,two:9092")
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect:4200/api")
    monkeypatch.setenv("RACEWIRE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("RACEWIRE_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("RACEWIRE_KAFKA_SASL_USERNAME", "me")
    monkeypatch.setenv("RACEWIRE_KAFKA_SASL_PASSWORD", "topsecret")
    found = configuration.servers(configuration.load())
    options = found.broker.options("test")
    assert options["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_plain_password"] == "topsecret"
    assert "topsecret" not in repr(found)
