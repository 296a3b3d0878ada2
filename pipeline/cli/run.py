"""`up`, `poll`, `worker`, `web`, `deploy`: what runs."""

import os
import sys
from datetime import timedelta

import click

from pipeline import settings as configuration
from pipeline.bus.admin import ensure_topics
from pipeline.cli import processes
from pipeline.cli.common import (
    as_json,
    plain_errors,
    print_json,
    print_table,
    printable,
    settings_and_servers,
)
from pipeline.cli.stack import in_background
from pipeline.stack import client_env, endpoints
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from schemas.topics import topics


@click.command()
@click.option("--detach", is_flag=True, help="return when everything is ready and leave it running")
@plain_errors
def up(detach: bool) -> None:
    """Start everything: servers, flows, workers and pages. Ctrl-C stops it all."""
    settings = processes.with_web_port(configuration.load())
    if detach:
        in_background(settings.home, "up")
        return
    sys.exit(processes.supervisor(settings).run(processes.serve(settings)))


@click.command()
@click.option("--feed", "feeds", multiple=True, help="this feed, due or not; may be given again")
@as_json
@plain_errors
def poll(feeds: tuple[str, ...], as_json: bool) -> None:
    """Poll the feeds that are due, once, without Prefect."""
    from pipeline.feeds.registry import RegistryError
    from pipeline.workers import polling
    from pipeline.workers.summary import row, totals

    settings_and_servers()
    try:
        with polling.from_settings() as one:
            polls = [p for batch in one.batches(feeds or None) for p in one.poll_batch(batch)]
    except (RegistryError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    rows = [row(p) for p in polls]
    if as_json:
        print_json({"polls": rows, "totals": totals(polls)})
        return
    print_table(list(rows[0]) if rows else (), [list(r.values()) for r in rows], "No feed is due.")
    for p in polls:
        if p.change:
            click.echo(f"{p.feed_id} {printable(p.change)}")
    if rows:
        click.echo(", ".join(f"{n} {name}" for name, n in totals(polls).items()))


@click.command()
@click.argument("name", type=click.Choice(["classifier", "classifier-backfill", "storyteller", "relay"]))
@click.option(
    "--instance", help="a stable number among workers of this kind, where there is one: restarts are quicker"
)
@plain_errors
def worker(name: str, instance: str | None) -> None:
    """Run a worker until SIGTERM. Exit code 3: too many records in a row failed."""
    from pipeline.workers import process

    settings, servers = settings_and_servers()
    sys.exit(process.main(process.build(name, settings, servers, instance)))


@click.command()
@plain_errors
def web() -> None:
    """Serve the pages."""
    import uvicorn

    from pipeline.web import app

    settings, servers = settings_and_servers()
    engine = connect(servers.database_url.get_secret_value())
    uvicorn.run(
        app(engine, settings.republish),
        host=settings.web_host,
        port=settings.web_port,
        log_config=None,
        access_log=False,
    )


@click.command()
@click.option("--only-flows", is_flag=True, help="leave tables and topics as they are")
@plain_errors
def deploy(only_flows: bool) -> None:
    """Create or update tables, topics and Prefect deployments. Safe to run again."""
    settings, servers = settings_and_servers()
    if not only_flows:
        migrate(connect(configuration.owner_url(settings, servers), pool=1))
        report = ensure_topics(servers.broker, topics(settings.topic_prefix).values())
        for name in report.created:
            click.echo(f"topic {name}: created")
        for name in report.changed:
            click.echo(f"topic {name}: settings changed")
        for warning in report.warnings:
            click.echo(f"warning: {warning}", err=True)
    own = endpoints(settings.home)
    os.environ.update(client_env(settings.home, own) if own else {"PREFECT_API_URL": servers.prefect_api_url})
    from flows.deploy import deploy as deploy_flows  # after the environment: Prefect reads it on import

    for name in deploy_flows(timedelta(seconds=settings.poll_every)):
        click.echo(f"flow {name}: deployed")
