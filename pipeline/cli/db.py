"""`racewire db`: what the owner of the database does beside `deploy`: other revisions."""

import click

from pipeline.cli.common import plain_errors, store_engine
from pipeline.store import migrating
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
    with store_engine() as engine:
        migrating.migrate(engine, revision)
    click.echo(f"the tables are at {revision}")
