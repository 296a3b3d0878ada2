"""`racewire import`: archives into the pipeline, as history."""

import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from pipeline.cli.common import as_json, fail, plain_errors, print_json, print_table, settings_and_servers
from pipeline.cli.registering import registered
from pipeline.feeds.archive import Archive, Item, files
from pipeline.feeds.outcomes import Reject
from pipeline.store.database import connect
from pipeline.workers.importer import Importer, Tally
from schemas.topics import topics

log = logging.getLogger(__name__)

_FEEDS = 20  # in the table; all of them with --json


@click.command(name="import")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--rate", type=click.IntRange(min=1), help="articles a second; default: RACEWIRE_BACKFILL_RATE")
@click.option("--feed", help="id of the registered feed that all of it is of")
@click.option("--dry-run", is_flag=True, help="say what would come, publish nothing")
@as_json
@plain_errors
def import_(
    paths: tuple[Path, ...], rate: int | None, feed: str | None, dry_run: bool, as_json: bool
) -> None:
    """Import articles of the past: files or folders of lines of JSON and of saved feed documents.

    \b
    FILE.jsonl, FILE.ndjson  a JSON object a line: url, title, text (or content, summary),
                             published_at (or published), language (or lang), feed (or source)
    any other file           a feed document; its own name or its folder's may be a feed's id

    Any of them may be packed (.gz). They are stored and classified, and are no news. What is known already
    is left as it is, so a run that was interrupted is started again and continues. What is refused is told
    on standard error with its line. Exit code 1 where something was refused, 130 after Ctrl-C.
    """
    settings, servers = settings_and_servers()
    feeds = registered(settings)
    of = next((f for f in feeds if f.id == feed), None)
    if feed is not None and of is None:
        fail(f"no such feed: {feed}; `racewire feeds list` shows them all")
    archive = Archive(feeds, datetime.now(UTC), of)
    importer = Importer(
        connect(servers.database_url.get_secret_value(), pool=1),
        servers.broker,
        topics(settings.topic_prefix),
        rate or settings.backfill_rate,
        dry_run=dry_run,
    )
    interrupted = False
    console = Console(stderr=True)
    try:
        with console.status("reading") as status:

            def seen(item: Item) -> None:
                if isinstance(item.entry, Reject):
                    why = "".join(filter(str.isprintable, item.entry.detail))
                    click.echo(f"{item.place}: {item.entry.reason}: {why}", err=True)
                status.update(f"{importer.tally.read:,} read, {importer.tally.added:,} new")

            importer.run(_items(archive, paths), seen)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        importer.close()
    _show(importer.tally, dry_run, as_json)
    if interrupted:
        click.echo("Interrupted: the same command continues where it was.", err=True)
        sys.exit(130)
    sys.exit(1 if importer.tally.rejected else 0)


def _items(archive: Archive, paths: tuple[Path, ...]) -> Iterator[Item]:
    for path in files(paths):
        log.info("import: %s", path)
        yield from archive.items(path)


def _show(tally: Tally, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"dry_run": dry_run, **vars(tally)})
        return
    span = f", of {tally.oldest:%Y-%m-%d} to {tally.newest:%Y-%m-%d}" if tally.oldest else ""
    rows = [
        ("would be imported" if dry_run else "imported", f"{tally.added}{span}"),
        ("known already", tally.known),
        *((f"refused: {reason}", n) for reason, n in tally.rejected.most_common()),
        ("read", tally.read),
    ]
    print_table(("what", "how many"), rows, "")
    print_table(("feed", "new articles"), tally.feeds.most_common(_FEEDS), "Nothing is new.")
    if len(tally.feeds) > _FEEDS:
        click.echo(f"and {len(tally.feeds) - _FEEDS} more feeds; --json has them all")
