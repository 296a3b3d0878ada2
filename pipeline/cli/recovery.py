"""`backup` and `restore`: the store in a file, and an empty or a lost one from it."""

from pathlib import Path

import click

from pipeline import settings as configuration
from pipeline.cli.common import fail, plain_errors, settings_and_servers
from pipeline.stack import StackError
from pipeline.stack.postgres import programs_folder
from pipeline.store import backup as backups
from pipeline.store.database import connect
from pipeline.workers import upkeep
from schemas.topics import topics

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@click.option("--force", is_flag=True, help="write over a file that exists")
@plain_errors
def backup(file: Path, force: bool) -> None:
    """Write the store to FILE, as of one moment, while everything runs on."""
    _, servers = settings_and_servers()
    if file.exists() and not force:
        fail(f"{file} exists; choose another name, or --force")
    engine = connect(servers.database_url.get_secret_value(), pool=1)
    try:
        backups.dump(engine.url, file, _programs())
    except (backups.BackupError, OSError) as error:
        fail(str(error))
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


@click.command()
@click.argument("file", type=FILE)
@click.option("--replace", is_flag=True, help="also where the store holds articles: they are gone then")
@plain_errors
def restore(file: Path, replace: bool) -> None:
    """Fill the store from FILE. The servers have to run, and no worker."""
    settings, servers = settings_and_servers()
    if not file.is_file():
        fail(f"there is no file {file}")
    engine = connect(configuration.owner_url(settings, servers), pool=2)
    known = topics(settings.topic_prefix).values()
    try:
        done = upkeep.restore(
            engine,
            servers.broker,
            known,
            file,
            articles=settings.keep_articles,
            programs=_programs(),
            replace=replace,
        )
    except backups.BackupError as error:
        fail(str(error))
    click.echo(f"restored; {done.articles} articles were published and not stored: polls publish them again")
    if done.offsets:
        click.echo(
            "the topics are not those of the backup: start the workers, then `racewire topics rebuild` "
            "announces everything that is stored"
        )


def _programs() -> Path | None:
    """The folder of the embedded server's tools, which know older servers too; None: those on the path."""
    try:
        return programs_folder()
    except StackError:
        return None
