"""The Prefect server as a child of ours, and the environment of those who talk to it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.stack.home import Home
from pipeline.stack.probes import prefect_answers
from pipeline.stack.values import Endpoints, Service


def api_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


def server(home: Home, port: int, database_url: str | None) -> Service:
    """The server, keeping its tables in that database (asyncpg URL), or in a file of its own when None."""
    url = api_url(port)
    env = {
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url
        or f"sqlite+aiosqlite:///{home.prefect / 'prefect.db'}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # A deployment's first runs are planned by the loop over recently changed deployments, later ones by
        # the other loop: both often enough for schedules of a few seconds. And few runs ahead, since all that
        # are overdue run at once when the stack comes back.
        "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT10S",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "2",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "5",
    }
    return Service(
        "prefect",
        [sys.executable, "-m", "prefect", "server", "start"],
        env=_own_profile(home) | env,
        cwd=home.work,
        ready=lambda: prefect_answers(url) is None,
        patience=300,  # the first start makes some hundred tables' worth of migrations
        grace=15,
        port=port,
    )


def client_env(path: Path, endpoints: Endpoints) -> dict[str, str]:
    """The environment for whoever talks to the stack's Prefect API: workers, deployments, flows.

    A client of an outside API keeps the credentials that were given for it; a developer's own profile is
    never read.
    """
    env = _own_profile(Home(path)) | {
        "PREFECT_API_URL": endpoints.prefect_api_url,
        # The defaults poll every 7 to 15 s; here every step of the way waits for nothing but itself.
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_WORKER_PREFETCH_SECONDS": "2",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
    }
    if endpoints.prefect_api_url == os.environ.get("PREFECT_API_URL"):
        names = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS")
        env |= {name: os.environ[name] for name in names if name in os.environ}
    return env


def _own_profile(home: Home) -> dict[str, str]:
    return {"PREFECT_HOME": str(home.prefect), "PREFECT_PROFILES_PATH": str(home.prefect / "profiles.toml")}
