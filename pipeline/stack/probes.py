"""Is a server there and answering? Asked of our own while they start, of outside ones before anything
starts."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

import httpx
import psycopg

from pipeline.stack.values import Outside, StackError, redact


def postgres_answers(database_url: str) -> str | None:
    """None when the database can be used, else why not."""
    try:
        with psycopg.connect(
            database_url.replace("postgresql+psycopg://", "postgresql://", 1), connect_timeout=3
        ):
            return None
    except psycopg.Error as error:
        return str(error).strip()


def kafka_answers(port: int) -> bool:
    """Does our broker on this port answer a request? It listens some time before it does."""
    body = struct.pack(">hhih", 18, 0, 1, 2) + b"rw"  # ApiVersions v0, correlation 1, client "rw"
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(struct.pack(">i", len(body)) + body)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def kafka_reachable(bootstrap: str) -> str | None:
    """None when any of the comma-separated brokers accepts a connection, else why not. Whether it accepts
    us is found out by whoever has the credentials."""
    reasons = []
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), 3):
                return None
        except (OSError, ValueError) as error:
            reasons.append(f"{address.strip()}: {error}")
    return "; ".join(reasons)


def prefect_answers(api_url: str) -> str | None:
    """None when the API is there, else why not. One that wants a key is there."""
    try:
        # Loopback is never asked for through a proxy.
        response = httpx.get(f"{api_url.rstrip('/')}/health", timeout=3, trust_env="127.0.0.1" not in api_url)
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    return (
        None if response.is_success or response.status_code in (401, 403) else f"HTTP {response.status_code}"
    )


def await_outside(outside: Outside, stopping: Callable[[], bool], patience: float = 15.0) -> None:
    """Wait for the servers that are not ours. Raises StackError naming one that is not there, and its
    setting."""
    checks: list[tuple[str, str | None, Callable[[str], str | None]]] = [
        ("RACEWIRE_DATABASE_URL", outside.database_url, postgres_answers),
        ("RACEWIRE_KAFKA_BOOTSTRAP", outside.kafka_bootstrap, kafka_reachable),
        ("PREFECT_API_URL", outside.prefect_api_url, prefect_answers),
    ]
    give_up = time.monotonic() + patience
    for setting, address, check in checks:
        while address and (reason := check(address)) and not stopping():
            if time.monotonic() > give_up:
                raise StackError(
                    f"the server named by {setting} ({redact(address)}) cannot be reached: {reason}. Start "
                    "it, correct the setting, or unset it to have racewire start a server of its own."
                )
            time.sleep(0.5)
