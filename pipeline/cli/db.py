"""`racewire db`: what the owner of the database does beside `deploy`: rights, other revisions."""

import click

from pipeline.cli.common import fail, plain_errors, store_engine
from pipeline.store import migrating, roles
from pipeline.telemetry import set_up_logging


@click.group()
def db() -> None:
    """Look after the database, as its owner."""


@db.command()
@click.argument("revision", default="head")
@plain_errors
def migrate(revision: str) -> None:
    """Bring the tables to REVISION, by default the newest; an older one drops what came later."""
    set_up_logging("WARNING")
    with store_engine(as_owner=True) as engine:
        migrating.migrate(engine, revision)
    click.echo(f"the tables are at {revision}")


@db.command()
@click.option(
    "--writer", "writers", multiple=True, metavar="NAME", help="a login for workers, pages and flows"
)
@click.option("--reader", "readers", multiple=True, metavar="NAME", help="a login for reports")
@plain_errors
def grant(writers: tuple[str, ...], readers: tuple[str, ...]) -> None:
    """Give logins the rights of their part, on what is there and on what is to come. Safe to run again."""
    with store_engine(as_owner=True) as engine, engine.begin() as tx:
        try:
            done = roles.grant(tx, writers, readers)
        except roles.RoleError as error:
            fail(str(error))
    for line in done:
        click.echo(line)
