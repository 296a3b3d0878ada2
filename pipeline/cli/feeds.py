"""`racewire feeds`: the registry and how its feeds answer."""

import click

from pipeline.cli.common import as_json, plain_errors, print_json, print_table, reading
from pipeline.store import queries


@click.group()
def feeds() -> None:
    """The feeds that are polled."""


@feeds.command(name="list")
@as_json
@plain_errors
def list_feeds(as_json: bool) -> None:
    """List feeds with state, last success, next poll and yield."""
    with reading() as tx:
        found = queries.feeds(tx)
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "lang", "kind", "rank", "status", "last success", "next poll", "articles", "core", "detail"),
        [
            (
                f.feed.id,
                f.feed.language,
                f.feed.kind,
                f.feed.rank,
                "removed" if f.removed_at else f.state.status,
                f.state.last_success_at and f"{f.state.last_success_at:%m-%d %H:%M}",
                f.state.next_poll_at and f"{f.state.next_poll_at:%m-%d %H:%M}",
                f.articles,
                f.core,
                f.state.detail,
            )
            for f in found
        ],
        "No feeds yet: the first poll reads the registry.",
    )
