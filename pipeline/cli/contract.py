"""`schemas`: whether the contract only grew since the last release, and what changed. No servers needed."""

import sys
from pathlib import Path

import click

from schemas import compatibility

HERE = Path(compatibility.__file__).parent
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def schemas() -> None:
    """The contract compared with the last release's."""


@schemas.command()
@click.argument("old", type=FOLDER, default=compatibility.RELEASED)
@click.argument("new", type=FOLDER, default=HERE)
def diff(old: Path, new: Path) -> None:
    """Every change from OLD (the last release) to NEW (this code), folders with `json` and `topics`."""
    changes = _changes(old, new)
    for change in changes:
        click.echo(change)
    click.echo(f"{len(changes)} changes" if changes else "no change")


@schemas.command()
@click.argument("old", type=FOLDER, default=compatibility.RELEASED)
@click.argument("new", type=FOLDER, default=HERE)
def check(old: Path, new: Path) -> None:
    """Exit code 1 when a change from OLD (the last release) to NEW (this code) breaks anybody."""
    broken = [change for change in _changes(old, new) if change.breaks]
    for change in broken:
        click.echo(change)
    if broken:
        click.echo(
            "a published version only grows, by fields with a default; for more, publish a new one beside it"
        )
        sys.exit(1)
    click.echo("the contract only grew since the last release")


def _changes(old: Path, new: Path) -> list[compatibility.Change]:
    try:
        return compatibility.compare(old, new)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
