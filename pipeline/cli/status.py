"""`racewire status`: is everything running, how much came in, is anybody behind."""

import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from pipeline import settings as configuration
from pipeline import stack
from pipeline.bus.admin import Lag, lag
from pipeline.cli.common import as_json, plain_errors, print_json, print_table, reading
from pipeline.settings import Servers, Settings
from pipeline.store import balance, queries
from pipeline.store.claims import claims
from pipeline.workers.health import troubles
from schemas.topics import ARTICLES, ASSESSMENTS, BACKFILL, topics

SECOND_LOOK = 3.0  # seconds: records that came a moment ago, or a worker that just started, are no trouble
READERS = {ARTICLES: "classifier", BACKFILL: "classifier-backfill", ASSESSMENTS: "storyteller"}


def lags(settings: Settings, servers: Servers) -> list[tuple[str, str, list[Lag]]]:
    """Per topic that a worker of ours reads: its name in the files, the group, every partition's lag."""
    known = topics(settings.topic_prefix)
    return [
        (name, group, lag(servers.broker, settings.topic_prefix + group, [known[name].name]))
        for name, group in READERS.items()
    ]


@click.command()
@as_json
@plain_errors
def status(as_json: bool) -> None:
    """Show servers, workers, figures and lag in one view.

    Exit code 1 when the stack is not ready, a worker has stopped or is stuck, feeds are due and nobody polls
    them, or the last `racewire reconcile` found a loss.
    """
    settings = configuration.load()
    patience = timedelta(seconds=max(60, 2 * settings.poll_every))
    seen = stack.status(settings.home)
    servers = configuration.servers(settings)
    with reading() as tx:
        figures = queries.overview(tx, patience)
        proof = balance.last(tx)
    behind, stuck = _look(settings, servers)
    stopped = [s.name for s in seen.services if s.state is stack.State.STOPPED]
    up = not seen.services or (seen.phase is stack.Phase.READY and not stopped)
    good = up and not stuck and not figures.overdue and not (proof and proof.found)
    if as_json:
        lag_by_topic: dict[str, Any] = {name: sum(x.lag for x in found) for name, _, found in behind}
        told = {"stack": seen.to_json(), "store": figures, "lag": lag_by_topic, "stuck": stuck}
        print_json(told | {"reconciled": proof})
        sys.exit(0 if good else 1)
    if seen.services:
        print_table(
            ("service", "state", "port", "restarts", "message"),
            [(s.name, s.state, s.port, s.restarts, s.message) for s in seen.services],
            "",
        )
    print_table(
        ("what", "how many"),
        [
            ("articles", queries.said(figures.articles)),
            *((f"  called {label}", queries.said(n)) for label, n in sorted(figures.labels.items())),
            ("stories", queries.said(figures.stories)),
            ("releases", queries.said(figures.releases)),
            ("waiting for the relay", figures.outbox),
            ("  of it history", figures.outbox_history),
            *((f"dead letters {state}", n) for state, n in sorted(figures.dead_letters.items())),
            ("last poll", _moment(figures.last_poll_at)),
            ("last poll that got an answer", _moment(figures.last_success_at)),
            ("feeds overdue", figures.overdue),
            ("last reconciled", _moment(proof.at if proof else None)),
            ("  lost or too many", proof.found if proof else ""),
        ],
        "",
    )
    if figures.overdue:
        click.echo(
            f"No poll for {patience.total_seconds():.0f} s although feeds are due: is the Prefect worker "
            f"running, and the schedule of `poll` not paused? `racewire poll` polls without Prefect.",
            err=True,
        )
    if proof and proof.found:
        click.echo("Something is lost or too many: `racewire reconcile` names it.", err=True)
    rows = [(name, group, sum(x.end for x in of), sum(x.lag for x in of)) for name, group, of in behind]
    print_table(("topic", "read by", "records", "lag"), rows, "")
    for line in stuck:
        click.echo(line, err=True)
    sys.exit(0 if good else 1)


def _look(settings: Settings, servers: Servers) -> tuple[Sequence[tuple[str, str, list[Lag]]], list[str]]:
    """The lags, and in words what keeps the workers from their work. What has a reason is looked at twice."""
    for patience in (SECOND_LOOK, 0):
        with reading() as tx:
            held = {group: claims(tx, settings.topic_prefix + group) for group in READERS.values()}
        behind = lags(settings, servers)
        stuck = [
            line
            for _, group, parts in behind
            for line in troubles(group, parts, {(c.topic, c.partition): c for c in held[group]})
        ]
        if not stuck:
            break
        time.sleep(patience)
    return behind, stuck


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "never"
