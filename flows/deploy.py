"""The deployments: which flow runs when, on the work pool `racewire`."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.schedules import Cron, Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from flows.poll import poll
from flows.upkeep import maintain, reassess, reconcile, redrive

POOL = "racewire"


def schedules(poll_every: timedelta) -> dict[str, tuple[Flow[..., Any], Schedule | None]]:
    """Flow and schedule of each deployment; None is started by hand."""
    return {
        "poll": (poll, Interval(poll_every)),
        "maintain": (maintain, Cron("17 3 * * *", timezone="UTC")),
        "reconcile": (reconcile, Cron("41 * * * *", timezone="UTC")),
        "reassess": (reassess, None),
        "redrive": (redrive, None),
    }


def deploy(poll_every: timedelta) -> list[str]:
    """Create or update the work pool and every deployment; their names. Safe to run again and at once.

    Flows are named by module (`flows.poll.poll`), so a worker needs the package installed and no
    working folder.
    """
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    names = []
    for name, (flow, schedule) in schedules(poll_every).items():
        deployment = RunnerDeployment.from_flow(
            flow,
            name=POOL,
            schedule=schedule,
            tags=["racewire"],
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        deployment.apply(work_pool_name=POOL)
        names.append(f"{name}/{POOL}")
    return names
