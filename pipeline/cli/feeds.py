"""`racewire feeds`: the registry and how its feeds answer."""

import sys
from datetime import UTC, datetime

import click

from pipeline import settings as configuration
from pipeline.cli.common import as_json, plain_errors, print_json, print_table, printable, reading
from pipeline.cli.registering import add, export, import_feeds, registered
from pipeline.feeds.explain import explain
from pipeline.feeds.health import complaint, in_words, standing
from pipeline.store import queries
from pipeline.workers.polling import limits


@click.group()
def feeds() -> None:
    """The feeds that are polled."""


@feeds.command(name="list")
@as_json
@plain_errors
def list_feeds(as_json: bool) -> None:
    """List feeds: state, last success, next poll, articles a day, share of core ones, what is wrong."""
    with reading() as tx:
        found = queries.feeds(tx)
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "state", "last success", "next poll", "a day", "core"),
        [
            (
                f.feed.id,
                standing(f.state, removed=f.removed_at is not None),
                f.state.last_success_at and f"{f.state.last_success_at:%m-%d %H:%M}",
                f.state.next_poll_at and f.removed_at is None and f"{f.state.next_poll_at:%m-%d %H:%M}",
                f"{f.a_day:.1f}",
                f"{f.core / f.judged:.0%}" if f.judged else "",
            )
            for f in found
        ],
        "No feeds yet: the first poll reads the registry.",
    )
    for f in found:
        words = "" if f.removed_at else in_words(f.state, articles=f.judged, core=f.core)
        if words:
            click.echo(f"{f.feed.id}: {printable(words)}")


@feeds.command(name="check")
@as_json
@plain_errors
def check(as_json: bool) -> None:
    """Tell which feeds are dead, blocked, no feed, silent, moved or useless; exit code 1 if any is."""
    with reading() as tx:
        found = [
            wrong
            for f in queries.feeds(tx)
            if f.removed_at is None
            and (wrong := complaint(f.state, articles=f.judged, core=f.core)) is not None
        ]
    if as_json:
        print_json(found)
    for wrong in () if as_json else found:
        click.echo(f"{wrong.feed_id} is {wrong.trouble}: {printable(wrong.why)}")
    if not found and not as_json:
        click.echo("No feed needs attention.")
    sys.exit(1 if found else 0)


@feeds.command(name="try")
@click.argument("target")
@click.option("--full-text", is_flag=True, help="read pages, as if the feed were marked so")
@as_json
@plain_errors
def try_feed(target: str, full_text: bool, as_json: bool) -> None:
    """Explain what an address, a file or a registered feed gives, and what becomes of each entry."""
    settings = configuration.load()
    now = datetime.now(UTC)
    explained = explain(target, registered(settings), limits(settings), now=now, full_text=full_text)
    if as_json:
        print_json(explained)
    else:
        for step in explained.steps:
            click.echo(f"{'ok ' if step.ok else 'NO '} {step.name}: {step.result}")
        print_table(
            ("entry", "becomes", "published", "lang", "characters", "page", "title", "why"),
            [
                (r.position, r.outcome, r.published, r.language, r.characters, r.page, r.title, r.why)
                for r in explained.rows
            ],
            "No entries.",
        )
    sys.exit(0 if explained.ok else 1)


for command in (add, import_feeds, export):
    feeds.add_command(command)
