"""`racewire dead-letters`: what could not be processed, by fault, and what is to become of it."""

from collections.abc import Callable
from typing import Any

import click

from pipeline import settings as configuration
from pipeline.cli.common import (
    Since,
    as_json,
    fail,
    plain_errors,
    print_json,
    print_table,
    reading,
    store_engine,
)
from pipeline.store import dead_letters as store
from pipeline.store.dead_letters import STATES, Selection
from pipeline.workers import upkeep
from schemas.messages import DeadLetter
from schemas.topics import topics

SHOWN = 2000  # characters of a record's value


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--since", type=Since(), help="that failed since then, e.g. 6h"),
        click.option("--fingerprint", help="with this fault; the beginning is enough"),
        click.option("--reason", help="decode, process, write or killed-worker"),
        click.option("--topic", help="of this topic"),
    ):
        command = option(command)
    return command


def _selection(ids: tuple[int, ...] = (), state: str = "open", **conditions: Any) -> Selection:
    name = conditions["topic"]
    if name is not None:
        known = topics(configuration.load().topic_prefix)
        conditions["topic"] = known[name].name if name in known else name
    return Selection(ids=ids, state=state, **conditions)


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Records that could not be processed."""


@dead_letters.command(name="list")
@_filters
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True)
@click.option("--each", is_flag=True, help="a line a letter instead of a line a fault")
@as_json
@plain_errors
def list_letters(state: str, each: bool, as_json: bool, **conditions: Any) -> None:
    """List dead letters by fault, the most frequent first."""
    chosen = _selection(state=state, **conditions)
    with reading() as tx:
        groups = [] if each else store.groups(tx, chosen)
        found = store.letters(tx, chosen) if each else []
    if as_json:
        print_json([{"id": i, "dead_letter": letter} for i, letter in found] if each else groups)
    elif each:
        print_table(
            ("id", "fingerprint", "topic", "partition", "offset", "reason", "attempts", "error"),
            [
                (i, d.fingerprint, d.topic, d.partition, d.offset, d.reason, d.attempts, d.errors[0])
                for i, d in found
            ],
            f"No dead letters are {state}.",
        )
    else:
        print_table(
            ("fingerprint", "letters", "topic", "reason", "attempts", "first", "last", "e.g.", "error"),
            [
                (
                    g.fingerprint,
                    g.count,
                    g.topic,
                    g.reason,
                    g.attempts,
                    f"{g.first_at:%Y-%m-%d %H:%M}",
                    f"{g.last_at:%Y-%m-%d %H:%M}",
                    g.example,
                    g.error,
                )
                for g in groups
            ],
            f"No dead letters are {state}.",
        )


@dead_letters.command()
@click.argument("number", type=int)
@as_json
@plain_errors
def show(number: int, as_json: bool) -> None:
    """Show all that is known of one dead letter: why, where from, headers and bytes."""
    with reading() as tx:
        found = store.letter(tx, number)
    if found is None:
        fail(f"no dead letter {number}; `racewire dead-letters list --each` has their numbers")
    state, letter = found
    if as_json:
        print_json({"id": number, "state": state, "dead_letter": letter})
        return
    for name, value in _facts(state, letter):
        click.echo(f"{name:12} {value}")


@dead_letters.command()
@click.argument("ids", type=int, nargs=-1)
@_filters
@click.option("--dry-run", is_flag=True, help="say what would be sent, and change nothing")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="letters a second at most")
@click.option("--force", is_flag=True, help="also where the store has newer data")
@plain_errors
def redrive(ids: tuple[int, ...], dry_run: bool, rate: float | None, force: bool, **conditions: Any) -> None:
    """Send open dead letters to their topics again: these, those that the options name, or all.

    Exit code 1 when some were refused.
    """
    known = topics(configuration.load().topic_prefix)
    chosen = _selection(ids, **conditions)
    with store_engine() as engine:
        outcome = upkeep.redrive(engine, known, chosen, force=force, dry_run=dry_run, rate=rate)
    for number, why in outcome.refused.items():
        click.echo(f"{number} refused: {why}", err=True)
    click.echo(f"{len(outcome.done)} {'would be queued' if dry_run else 'queued'} for the relay")
    if outcome.refused:
        fail(f"{len(outcome.refused)} refused; --force sends what is older than the store, discard settles")


@dead_letters.command()
@click.argument("ids", type=int, nargs=-1)
@_filters
@click.option("--dry-run", is_flag=True, help="say how many would be, and change nothing")
@plain_errors
def discard(ids: tuple[int, ...], dry_run: bool, **conditions: Any) -> None:
    """Settle open dead letters, these or those that the options name, without sending them again."""
    if not ids and not any(conditions.values()):
        raise click.UsageError("name letters, or an option that does")
    with store_engine() as engine, engine.connect() as tx:
        count = store.discard(tx, _selection(ids, **conditions))
        if not dry_run:
            tx.commit()
    click.echo(f"{count} {'would be discarded' if dry_run else 'discarded'}")


def _facts(state: str, letter: DeadLetter) -> list[tuple[str, object]]:
    def text(data: bytes | None) -> str:
        return "none" if data is None else ascii(data[:SHOWN])[1:] + (" …" if len(data) > SHOWN else "")

    return [
        ("state", f"{state}, attempt {letter.attempts}"),
        ("place", f"{letter.topic}, partition {letter.partition}, offset {letter.offset}"),
        ("made", f"{letter.timestamp:%Y-%m-%d %H:%M:%S} UTC"),
        ("failed", f"{letter.failed_at:%Y-%m-%d %H:%M:%S} UTC, {letter.worker} {letter.worker_version}"),
        ("reason", f"{letter.reason}, fingerprint {letter.fingerprint}"),
        *(("error" if n == 0 else "  caused by", ascii(e)[1:-1]) for n, e in enumerate(letter.errors)),
        *(("header", f"{ascii(h.key)[1:-1]}: {text(h.value)}") for h in letter.headers),
        ("key", text(letter.key)),
        ("value", f"{len(letter.value or b'')} bytes: {text(letter.value)}"),
    ]
