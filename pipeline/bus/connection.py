"""How to reach the brokers: one frozen value, given to every client this room builds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from pipeline.bus import lenient
from pipeline.bus.rejoining import RejoiningConsumer

lenient.install()


class UnavailableError(Exception):
    """A server cannot be reached or cannot answer now. Wait and try again; nothing is wrong with the data."""


@dataclass(frozen=True)
class Broker:
    """Bootstrap servers (`host:port,host:port`) and the client's security settings, e.g. SASL and TLS."""

    bootstrap: str
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def options(self, client: str) -> dict[str, Any]:
        """Settings every client shares; `client` shows in the broker's logs and metrics."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "client_id": f"racewire-{client}",
            "bootstrap_timeout_ms": 5000,
            "reconnect_backoff_max_ms": 5000,
            **self.security,
        }

    def admin(self) -> Any:
        """An admin client. Raises kafka.errors.KafkaError when no broker answers."""
        return KafkaAdminClient(**self.options("admin"))

    def producer(self, client: str, delivery: float = 30.0) -> Any:
        """An idempotent producer that waits for all in-sync replicas.

        Lingering 5 ms fills batches; a record that is not acknowledged within `delivery` seconds has failed,
        which is the caller's to handle: nothing here retries for ever.
        """
        third = int(delivery * 1000 / 3)
        return KafkaProducer(
            **self.options(client),
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            delivery_timeout_ms=3 * third,
            request_timeout_ms=third,
            max_block_ms=third,
            max_request_size=8 * 1024 * 1024,
        )

    def consumer(self, client: str, **settings: Any) -> Any:
        """A consumer that commits nothing by itself, and of bytes: a deserialiser that raises wedges it."""
        return RejoiningConsumer(
            **self.options(client),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            # Who joins before its broker knows a new topic is given no partitions until it asks again, by
            # default after five minutes.
            metadata_max_age_ms=15_000,
            **settings,
        )
