"""The poll flow: what is due, in batches, a task a batch.

It may run late, twice or at once with another: feeds are leased in Postgres, so no concurrency limit of
Prefect is needed, and a run that was orphaned blocks nobody for longer than a lease.
"""

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from pipeline.store.feeds import Poll
from pipeline.workers import polling
from pipeline.workers.summary import summary, totals


@flow(name="poll", task_runner=ThreadPoolTaskRunner(max_workers=2))  # type: ignore[arg-type]  # their variance
def poll(feeds: list[str] | None = None) -> dict[str, int]:
    """Poll the feeds that are due, or `feeds` whether due or not."""
    with polling.from_settings() as one:

        @task(name="poll-batch", retries=2, retry_delay_seconds=[2, 10], cache_policy=NO_CACHE)
        def poll_batch(only: list[str] | None) -> list[Poll]:
            """Lease one batch of feeds and poll it."""
            return one.poll_batch(only)

        futures = [poll_batch.submit(batch) for batch in one.batches(feeds)]
        wait(futures)
    polls = [p for future in futures for p in future.result()]
    create_markdown_artifact(key="polls", markdown=summary(polls), description="What the last poll changed")
    return totals(polls)
