"""What the commands share: settings, the store, tables, JSON, and errors that say what to do."""

import gzip
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, ParamSpec, TypeVar, cast

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pipeline import settings as configuration
from pipeline.bus.connection import UnavailableError
from pipeline.settings import Servers, Settings, SettingsError
from pipeline.stack import StackError
from pipeline.store.database import connect
from pipeline.store.migrating import MigrationError
from pipeline.telemetry import set_up_logging

P = ParamSpec("P")
R = TypeVar("R")

AGES = {"m": "minutes", "h": "hours", "d": "days"}

as_json = click.option("--json", "as_json", is_flag=True, help="for machines: JSON on standard output")


class Moment(click.ParamType[datetime]):
    """A moment: an age such as `90m`, `6h` or `2d`, or a date and time, in UTC where it says nothing else."""

    name = "AGE|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if found := re.fullmatch(r"(\d{1,5})([mhd])", str(value)):
            return datetime.now(UTC) - timedelta(**{AGES[found[2]]: int(found[1])})
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no age such as 6h and no time such as 2026-11-25T08:00", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """What an operator can mend is told in a line, without a traceback."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (SettingsError, UnavailableError, StackError, MigrationError) as error:
            raise click.ClickException(str(error)) from error
        except DBAPIError as error:
            raise click.ClickException(f"Postgres: {' '.join(str(error.orig).split())}") from error

    return told


def settings_and_servers() -> tuple[Settings, Servers]:
    """The settings, and the servers they or the stack name. Sets up logging as well."""
    settings = configuration.load()
    set_up_logging(settings.log_level)
    return settings, configuration.servers(settings)


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection to read the store by."""
    with store_engine() as engine, engine.connect() as tx:
        yield tx


@contextmanager
def store_engine(*, as_owner: bool = False) -> Iterator[Engine]:
    """The store, for what needs more than one transaction, or the rights of its owner."""
    settings = configuration.load()
    servers = configuration.servers(settings)
    as_worker = servers.database_url.get_secret_value()
    engine = connect(configuration.owner_url(settings, servers) if as_owner else as_worker, pool=1)
    try:
        yield engine
    finally:
        engine.dispose()


def opened(path: Path) -> BinaryIO:
    """A file of lines, packed if its name ends in `.gz`."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def print_json(value: Any) -> None:
    """A value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Rows as a table; `empty` is what to do when there are none.

    Cells are text, never markup, nor what moves a cursor.
    """
    if not rows:
        click.echo(empty)
        return
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else _lines(str(cell)) for cell in row))
    # Wide in a pipe, so that nothing is folded that another program reads.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _lines(words: str) -> Text:
    return Text("\n".join(map(printable, words.split("\n"))))


def printable(words: str) -> str:
    """Words in which servers have a hand, as a terminal may show them."""
    return "".join(filter(str.isprintable, words))


def fail(message: str) -> NoReturn:
    """End the command with a line on standard error and exit code 1."""
    raise click.ClickException(message)
