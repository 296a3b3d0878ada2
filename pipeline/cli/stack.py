"""`racewire stack`: the embedded servers alone, for those who bring their own workers."""

import sys
from pathlib import Path

import click

from pipeline import settings as configuration
from pipeline import stack as servers
from pipeline.cli.common import as_json, plain_errors, print_json, print_table
from pipeline.settings import Settings


def supervisor_arguments(settings: Settings) -> tuple[Path, servers.Outside, servers.Ports]:
    """Data folder, outside servers and ports as set."""
    url = settings.database_url
    return (
        settings.home,
        servers.Outside(
            url.get_secret_value() if url else None, settings.kafka_bootstrap, settings.prefect_api_url
        ),
        servers.Ports(
            postgres=settings.postgres_port, kafka=settings.kafka_port, prefect=settings.prefect_port
        ),
    )


def in_background(home: Path, *command: str) -> None:
    """Run `racewire COMMAND` in the background and return when it is ready."""
    seen = servers.spawn_detached(home, [sys.executable, "-m", "pipeline.cli", *command], click.echo)
    click.echo(f"runs in the background (process {seen.pid}); `racewire stack down` stops it")


@click.group()
def stack() -> None:
    """Postgres, Kafka and Prefect on this machine, without Docker."""


@stack.command()
@click.option("--detach", is_flag=True, help="return when it is ready and leave it running")
@plain_errors
def up(detach: bool) -> None:
    """Start the servers and keep them running until Ctrl-C."""
    settings = configuration.load()
    if detach:
        in_background(settings.home, "stack", "up")
        return
    home, outside, ports = supervisor_arguments(settings)
    sys.exit(servers.Supervisor(home, outside=outside, ports=ports).run())


@stack.command()
@plain_errors
def down() -> None:
    """Stop everything that runs on this data folder, also what a killed run left."""
    ended = servers.down(configuration.load().home)
    for one in ended:
        click.echo(f"ended {one.service} (process {one.pid})")
    if not ended:
        click.echo("nothing was running")


@stack.command()
@as_json
@plain_errors
def status(as_json: bool) -> None:
    """Say what state the servers are in, and on which ports. Exit code 1 when not ready."""
    seen = servers.status(configuration.load().home)
    if as_json:
        print_json(seen.to_json())
    else:
        click.echo(f"{seen.phase}{f': {seen.message}' if seen.message else ''} ({seen.home})")
        print_table(
            ("service", "state", "process", "port", "restarts", "message"),
            [(s.name, s.state, s.pid, s.port, s.restarts, s.message) for s in seen.services],
            "No services. `racewire stack up` starts them.",
        )
    sys.exit(0 if seen.phase is servers.Phase.READY else 1)


@stack.command()
@click.argument("service")
@click.option("-n", "--lines", default=50, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="go on with what comes")
@plain_errors
def logs(service: str, lines: int, follow: bool) -> None:
    """Show the log of a service, e.g. postgres, kafka, prefect, classifier."""
    for line in servers.logs(configuration.load().home, service, lines, follow=follow):
        click.echo(line)


@stack.command()
@click.confirmation_option(prompt="Remove the database, the topics and Prefect's runs?")
@plain_errors
def reset() -> None:
    """Remove all data of the embedded servers."""
    home = configuration.load().home
    servers.reset(home)
    click.echo(f"removed the data in {home}")
