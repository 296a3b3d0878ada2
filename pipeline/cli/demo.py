"""`racewire demo`: the real thing on a small press of its own, served on loopback.

Only this module and `pipeline.demo` know that it is a demo: the pipeline is given a registry of feeds and
shorter intervals, by settings, like any other.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from pipeline import settings as configuration
from pipeline import stack
from pipeline.bus.admin import depth
from pipeline.cli import processes
from pipeline.cli.common import plain_errors
from pipeline.cli.status import lags
from pipeline.demo import report
from pipeline.demo.newsroom import Newsroom
from pipeline.demo.saga import SAGAS, Saga, SagaError, load
from pipeline.demo.summary import Observed, Summary, TopicState, summarise
from pipeline.settings import Servers, Settings
from pipeline.stack import Endpoints
from pipeline.store import queries
from pipeline.store.database import connect
from schemas.topics import topics

POLL_EVERY = "5"  # seconds between the scheduled flow's runs
PATIENCE = 90.0  # seconds to wait for a round to be read, and for the last verdicts


@click.command()
@click.option("--once", is_flag=True, help="end after the summary: 0 when nothing is missing, else 1")
@click.option(
    "--sagas",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SAGAS,
    help="a folder of sagas of your own",
)
@plain_errors
def demo(once: bool, sagas: Path) -> None:
    """Run everything on a small press that tells the Qwen 3 saga, and say what came out."""
    try:
        told = load(sagas)
    except SagaError as error:
        raise click.ClickException(str(error)) from error
    with Newsroom(told) as newsroom:
        settings = _settings(newsroom)

        def main(found: Endpoints) -> int:
            missing = _run(newsroom, told, settings, found)
            return int(missing) if once else processes.serve(settings)(found)

        sys.exit(processes.supervisor(settings).run(main))


def _settings(newsroom: Newsroom) -> Settings:
    """Settings for a demo on its own, freshly made servers, in a folder of its own."""
    home = configuration.load().home / "demo"
    stack.reset(home)
    home.mkdir(parents=True, exist_ok=True)
    registry = home / "feeds.yaml"
    registry.write_text(newsroom.feeds_yaml(), encoding="utf-8")
    outside = ("RACEWIRE_DATABASE_URL", "RACEWIRE_KAFKA_BOOTSTRAP", "RACEWIRE_SECRETS_DIR", "RACEWIRE_PROXY")
    for name in (*outside, "PREFECT_API_URL", "RACEWIRE_PREFECT_API_URL"):
        os.environ.pop(name, None)
    # The environment, since the worker's flow runs read their settings from there.
    os.environ.update(
        RACEWIRE_HOME=str(home),
        RACEWIRE_FEEDS_FILE=str(registry),
        RACEWIRE_POLL_EVERY=POLL_EVERY,
        RACEWIRE_FEED_INTERVAL_MIN="1",
        RACEWIRE_FEED_INTERVAL_MAX="1",
        RACEWIRE_HOST_INTERVAL="0",  # the newsroom is one host
        RACEWIRE_SEEN_DAYS="36500",  # its news is of 2025, and news all the same
        RACEWIRE_FIRST_IMPORT_HOURS="876000",
    )
    return processes.with_web_port(configuration.load())


def _run(newsroom: Newsroom, sagas: list[Saga], settings: Settings, found: Endpoints) -> bool:
    """Let the saga unfold, then print the summary; whether something is missing."""
    servers = configuration.servers(settings)
    engine = connect(found.database_url, pool=1)
    while True:
        stack.print_progress("newsroom", f"round {newsroom.round} of {newsroom.rounds} is out")
        if late := newsroom.waiting(PATIENCE):
            stack.print_progress("newsroom", f"not read in {PATIENCE:.0f} s: {', '.join(late)}")
        if newsroom.round == newsroom.rounds:
            break
        newsroom.advance()

    def observe() -> Summary:
        with engine.connect() as tx:
            observed = Observed(
                **queries.polled(tx),
                assessments=[one.assessment for one in queries.newest(tx, 1000, None)],
                stories=queries.stories(tx, 1000),
                releases=queries.releases(tx, 1000),
                topics=_topics(settings, servers),
                delays=queries.delays(tx),
            )
        return summarise(sagas, newsroom.shown(), observed)

    stack.print_progress("newsroom", "waiting for the last verdicts and stories")
    summary = _settled(observe)
    report.show(summary, Console(width=None if sys.stdout.isatty() else 160))
    return bool(summary.missing)


def _settled(observe: Callable[[], Summary]) -> Summary:
    """The first summary in which nothing is missing, else the last one before patience ends."""
    end = time.monotonic() + PATIENCE / 3
    while True:
        summary = observe()
        if not summary.missing or time.monotonic() > end:
            return summary
        time.sleep(0.5)


def _topics(settings: Settings, servers: Servers) -> list[TopicState]:
    behind = {name: (group, sum(x.lag for x in found)) for name, group, found in lags(settings, servers)}
    records = depth(servers.broker, [t.name for t in topics(settings.topic_prefix).values()])
    return [
        TopicState(
            name=name,
            records=records[topic.name],
            group=behind.get(name, ("", 0))[0],
            lag=behind.get(name, ("", 0))[1],
        )
        for name, topic in topics(settings.topic_prefix).items()
    ]
