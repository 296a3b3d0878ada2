"""One settings object, from the environment (`RACEWIRE_…`) or from files of secrets.

Where `RACEWIRE_SECRETS_DIR` is set, a file `racewire_database_url` in that folder is as good as the
variable of that name. The stack's own addresses are found by `servers` where none are set.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.bus.connection import Broker
from schemas.republish import Words

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


class SettingsError(Exception):
    """A setting is wrong or missing; the message names it and says what to do."""


class Settings(BaseSettings):
    """Everything that can be set. Seconds where a name says nothing else."""

    model_config = SettingsConfigDict(
        env_prefix="RACEWIRE_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    home: Path = Field(default_factory=lambda: platformdirs.user_data_path("racewire"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    database_url: SecretStr | None = None
    owner_database_url: SecretStr | None = Field(default=None, description="for commands that change tables")
    kafka_bootstrap: str | None = None
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    prefect_api_url: str | None = Field(
        default=None, validation_alias=AliasChoices("PREFECT_API_URL", "RACEWIRE_PREFECT_API_URL")
    )

    postgres_port: int = Field(default=0, description="of the embedded server; 0 is a free one")
    kafka_port: int = Field(default=0, description="of the embedded server; 0 is a free one")
    prefect_port: int = Field(default=0, description="of the embedded server; 0 is a free one")
    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8383, ge=0, le=65535, description="0 is a free one")

    topic_prefix: str = Field(default="", pattern=r"^[a-z0-9.-]*$")
    feeds_file: Path | None = Field(default=None, description="the registry; default: the one packaged")
    contact: str = Field(default="", description="address or URL that feeds' owners see in the User-Agent")
    proxy: SecretStr | None = Field(default=None, description="feeds are fetched through it")
    poll_every: float = Field(default=60, ge=1, description="schedule of the poll flow")
    feed_interval_min: float = Field(default=300, ge=1, description="shortest time between polls of a feed")
    feed_interval_max: float = Field(default=21_600, ge=1, description="longest time between polls of a feed")
    host_interval: float = Field(default=1, ge=0, le=10, description="shortest time between polls of a host")
    host_concurrency: int = Field(default=2, ge=1, description="feeds fetched at once from one host")
    poll_batch: int = Field(default=50, ge=1, le=200, description="feeds in one Prefect task")
    # Twice as many are in hand: `workers.caution` does no more than two batches one at a time after a death.
    batch: int = Field(
        default=500, ge=1, le=500, description="records a worker writes at once; as many are judged ahead"
    )
    first_import_hours: float = Field(
        default=48, ge=0, le=1_000_000, description="what is older at a feed's first import is history"
    )
    seen_days: float = Field(
        default=400, ge=1, le=36_500, description="what is new and older is history; memory is kept so long"
    )
    backfill_rate: int = Field(default=50, ge=1, description="articles of history a second and process")
    keep_polls_days: float = Field(default=30, gt=0, description="how long records of polls are kept")
    keep_dead_letters_days: float = Field(default=90, gt=0, description="the same of settled dead letters")
    keep_articles_days: float = Field(default=0, ge=0, le=36_500, description="of articles; 0 is for good")

    republish: Words = Field(default="full", description="how much of publishers' words others get")

    @field_validator("proxy")
    @classmethod
    def _a_proxy(cls, proxy: SecretStr | None) -> SecretStr | None:
        from pipeline.feeds.proxy import place  # the CLI's quick commands do without it

        if not proxy or not proxy.get_secret_value():
            return None
        place(proxy.get_secret_value())
        return proxy

    @property
    def keep_articles(self) -> timedelta | None:
        """How long articles are kept; None is for good."""
        return timedelta(days=self.keep_articles_days) or None

    @property
    def feed_bounds(self) -> tuple[timedelta, timedelta]:
        """Shortest and longest time between two polls of a feed."""
        return timedelta(seconds=self.feed_interval_min), timedelta(seconds=self.feed_interval_max)


@dataclass(frozen=True)
class Servers:
    """Where Postgres, Kafka and Prefect are."""

    database_url: SecretStr
    broker: Broker
    prefect_api_url: str


def load() -> Settings:
    """The settings of this process. Raises SettingsError naming each variable that is wrong."""
    try:
        return Settings(_secrets_dir=os.environ.get("RACEWIRE_SECRETS_DIR"))  # type: ignore[call-arg]
    except ValidationError as error:
        wrong = "; ".join(
            f"RACEWIRE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()
        )
        raise SettingsError(wrong) from error


def servers(settings: Settings) -> Servers:
    """The servers set, and for those that are not the embedded stack's.

    Raises SettingsError when one is neither set nor running.
    """
    from pipeline.stack import endpoints  # the CLI's quick commands do without it

    url, bootstrap, prefect = settings.database_url, settings.kafka_bootstrap, settings.prefect_api_url
    if not (url and bootstrap and prefect):
        own = endpoints(settings.home)
        if own is None:
            missing = ", ".join(
                name
                for name, value in (
                    ("RACEWIRE_DATABASE_URL", url),
                    ("RACEWIRE_KAFKA_BOOTSTRAP", bootstrap),
                    ("PREFECT_API_URL", prefect),
                )
                if not value
            )
            raise SettingsError(
                f"no servers: start them with `racewire up` (or `racewire stack up`), or set {missing}"
            )
        url = url or SecretStr(own.database_url)
        bootstrap, prefect = bootstrap or own.kafka_bootstrap, prefect or own.prefect_api_url
    return Servers(url, broker(settings, bootstrap), prefect)


def owner_url(settings: Settings, servers: Servers) -> str:
    """The database as its owner, who may change tables and rights; as everybody's where none is set."""
    return (settings.owner_database_url or servers.database_url).get_secret_value()


def broker(settings: Settings, bootstrap: str) -> Broker:
    """The brokers with the security settings."""
    password = settings.kafka_sasl_password
    options: dict[str, Any] = {
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_cafile": settings.kafka_ssl_cafile and str(settings.kafka_ssl_cafile),
        "ssl_certfile": settings.kafka_ssl_certfile and str(settings.kafka_ssl_certfile),
        "ssl_keyfile": settings.kafka_ssl_keyfile and str(settings.kafka_ssl_keyfile),
    }
    return Broker(bootstrap, {name: value for name, value in options.items() if value is not None})
