"""Prefect flows and their deployments: schedules, retries, artifacts. The work itself is in `pipeline`."""
