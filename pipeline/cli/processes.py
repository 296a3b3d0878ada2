"""What `up` and `demo` run beside the servers: tables, topics and deployments first, then the processes."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress

from pipeline import settings as configuration
from pipeline.bus.admin import ensure_topics
from pipeline.cli.stack import supervisor_arguments
from pipeline.settings import Settings
from pipeline.stack import Endpoints, Service, StackError, Supervisor, client_env
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from pipeline.workers.flood import EXIT_CODE as FLOOD
from schemas.topics import topics

RACEWIRE = (sys.executable, "-m", "pipeline.cli")


def supervisor(settings: Settings) -> Supervisor:
    """The servers, and all that runs beside them."""
    home, outside, ports = supervisor_arguments(settings)
    return Supervisor(
        home,
        outside=outside,
        ports=ports,
        prepare=lambda found: prepare(settings, found),
        apps=lambda found: services(settings, found),
    )


def environment(settings: Settings, endpoints: Endpoints) -> dict[str, str]:
    """The variables by which a process of ours finds the servers."""
    return client_env(settings.home, endpoints) | {
        "RACEWIRE_HOME": str(settings.home),
        "RACEWIRE_DATABASE_URL": endpoints.database_url,
        "RACEWIRE_OWNER_DATABASE_URL": "",  # is of no use to them, and no business of theirs
        "RACEWIRE_KAFKA_BOOTSTRAP": endpoints.kafka_bootstrap,
        "RACEWIRE_WEB_PORT": str(settings.web_port),
    }


def prepare(settings: Settings, endpoints: Endpoints) -> None:
    """Make tables, topics and deployments. Raises StackError when one of them fails."""
    # Prefect takes seconds to import: its part runs in a process of its own while the others are done.
    deploying = subprocess.Popen(
        [*RACEWIRE, "deploy", "--only-flows"],
        env=os.environ | environment(settings, endpoints),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=settings.home,
    )
    owner = settings.owner_database_url
    engine = connect(owner.get_secret_value() if owner else endpoints.database_url, pool=1)
    try:
        migrate(engine)
    finally:
        engine.dispose()
    broker = configuration.broker(settings, endpoints.kafka_bootstrap)
    ensure_topics(broker, topics(settings.topic_prefix).values())
    output, _ = deploying.communicate()
    if deploying.returncode:
        raise StackError(f"the flows could not be deployed:\n{output.strip()[-2000:]}")


def services(settings: Settings, endpoints: Endpoints) -> Sequence[Service]:
    """The workers, the Prefect worker and the web server."""
    env = environment(settings, endpoints)
    address = web_address(settings)
    _check_free(settings)
    workers = [
        Service(
            name,
            (*RACEWIRE, "worker", name, "--instance", "0"),
            env=env,
            grace=15,
            final=frozenset({FLOOD}),
        )
        for name in ("classifier", "classifier-backfill", "storyteller", "relay")
    ]
    prefect = (sys.executable, "-m", "prefect", "worker", "start", "--pool", "racewire", "--type", "process")
    # Two runs at a time: after an outage all the late ones start at once otherwise.
    return (
        *workers,
        Service("prefect-worker", (*prefect, "--name", "racewire", "--limit", "2"), env=env, grace=10),
        Service(
            "web",
            (*RACEWIRE, "web"),
            env=env,
            ready=lambda: _answers(f"{address}/healthz"),
            port=settings.web_port,
        ),
    )


def with_web_port(settings: Settings) -> Settings:
    """The settings with a free port in place of port 0, so that everybody means the same one."""
    if settings.web_port:
        return settings
    with socket.create_server((settings.web_host, 0)) as server:
        return settings.model_copy(update={"web_port": server.getsockname()[1]})


def serve(settings: Settings) -> Callable[[Endpoints], int]:
    """What the foreground does when everything is up: say where the pages are, and wait for Ctrl-C."""

    def wait(endpoints: Endpoints) -> int:
        flows = endpoints.prefect_api_url.removesuffix("/api")
        print(f"Pages: {web_address(settings)} · Flows: {flows} · Ctrl-C stops everything", flush=True)  # noqa: T201
        while True:
            signal.pause()

    return wait


def web_address(settings: Settings) -> str:
    """Where the pages are, as seen from this machine."""
    host = "127.0.0.1" if settings.web_host == "0.0.0.0" else settings.web_host  # noqa: S104
    return f"http://{host}:{settings.web_port}"


def _check_free(settings: Settings) -> None:
    try:
        socket.create_server((settings.web_host, settings.web_port)).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise StackError(
            f"the pages cannot be served on {settings.web_host}:{settings.web_port} ({why}): "
            f"set RACEWIRE_WEB_PORT to another port, or to 0 for a free one"
        ) from error


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310
        return bool(answer.status == 200)
    return False
