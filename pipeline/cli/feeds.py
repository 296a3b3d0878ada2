"""`racewire feeds`: the registry and how its feeds answer."""

import sys
from datetime import UTC, datetime

import click
import yaml

from pipeline import settings as configuration
from pipeline.cli.common import as_json, fail, plain_errors, print_json, print_table, reading
from pipeline.feeds import registry
from pipeline.feeds.explain import explain
from pipeline.feeds.health import complaint
from pipeline.feeds.values import Feed
from pipeline.settings import Settings
from pipeline.store import queries
from pipeline.workers.poller import limits, registry_path


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
        (
            "id",
            "lang",
            "kind",
            "rank",
            "status",
            "last success",
            "next poll",
            "silent since",
            "articles",
            "core",
            "detail",
        ),
        [
            (
                f.feed.id,
                f.feed.language,
                f.feed.kind,
                f.feed.rank,
                "removed" if f.removed_at else f.state.status,
                f.state.last_success_at and f"{f.state.last_success_at:%m-%d %H:%M}",
                f.state.next_poll_at and f"{f.state.next_poll_at:%m-%d %H:%M}",
                f.state.silent_since and f"{f.state.silent_since:%m-%d %H:%M}",
                f.articles,
                f.core,
                f.state.detail,
            )
            for f in found
        ],
        "No feeds yet: the first poll reads the registry.",
    )


@feeds.command(name="check")
@as_json
@plain_errors
def check(as_json: bool) -> None:
    """Tell which feeds are dead, blocked, no feed, silent or useless; exit code 1 if any is."""
    with reading() as tx:
        found = [
            wrong
            for f in queries.feeds(tx)
            if f.removed_at is None
            and (wrong := complaint(f.state, articles=f.articles, core=f.core)) is not None
        ]
    if as_json:
        print_json(found)
    for wrong in () if as_json else found:
        shown = "".join(filter(str.isprintable, wrong.why))  # servers have a hand in it
        click.echo(f"{wrong.feed_id} is {wrong.trouble}: {shown}")
    if not found and not as_json:
        click.echo("No feed needs attention.")
    sys.exit(1 if found else 0)


@feeds.command(name="try")
@click.argument("target")
@as_json
@plain_errors
def try_feed(target: str, as_json: bool) -> None:
    """Explain what an address, a file or a registered feed gives, and what becomes of each entry."""
    settings = configuration.load()
    explained = explain(target, _registry(settings), limits(settings), now=datetime.now(UTC))
    if as_json:
        print_json(explained)
    else:
        for step in explained.steps:
            click.echo(f"{'ok ' if step.ok else 'NO '} {step.name}: {step.result}")
        print_table(
            ("entry", "becomes", "published", "lang", "title", "why"),
            [(r.position, r.outcome, r.published, r.language, r.title, r.why) for r in explained.rows],
            "No entries.",
        )
    sys.exit(0 if explained.ok else 1)


@feeds.command(name="add")
@click.argument("url")
@click.option("--id", "feed_id", required=True, help="a name in lower case and hyphens; keep it for good")
@click.option("--title", help="for people; default: the id")
@click.option("--language", required=True, help="ISO 639-1, e.g. en")
@click.option("--kind", type=click.Choice(["press", "lab", "research", "community"]), default="press")
@click.option("--rank", type=click.IntRange(1, 9), default=5, help="1 is the best")
@plain_errors
def add(url: str, feed_id: str, title: str | None, language: str, kind: str, rank: int) -> None:
    """Add a feed to the registry, if it is one.

    The packaged registry is copied to the data folder first, so that it is yours to edit.
    """
    settings = configuration.load()
    path = registry_path(settings)
    explained = explain(url, _registry(settings), limits(settings), now=datetime.now(UTC))
    if not explained.ok:
        fail(f"{url} gives no feed: {explained.steps[-1].result}")
    entry = {
        "id": feed_id,
        "url": url,
        "title": title or feed_id,
        "language": language,
        "kind": kind,
        "rank": rank,
    }
    added = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
    grown = path.read_text("utf-8").rstrip("\n") + "\n" + added
    if path == registry.DEFAULT:
        path = settings.home / "feeds.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate = path.with_suffix(".new")
    candidate.write_text(grown, "utf-8")
    try:
        registry.load(candidate)
    except registry.RegistryError as error:
        candidate.unlink()
        raise click.ClickException(str(error).replace(candidate.name, path.name)) from error
    candidate.replace(path)
    click.echo(f"{feed_id} is in {path}; the next poll reads it")


def _registry(settings: Settings) -> tuple[Feed, ...]:
    try:
        return registry.load(registry_path(settings))
    except registry.RegistryError as error:
        raise click.ClickException(str(error)) from error
