"""`racewire feeds add`, `import` and `export`: how feeds come into the registry, and lists out of it."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from pipeline import settings as configuration
from pipeline.assets import classifier
from pipeline.cli.common import fail, plain_errors, print_table
from pipeline.feeds import opml, registry
from pipeline.feeds.address import BadAddressError, canonical
from pipeline.feeds.discover import Offer, discover, language_of, spoken
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Reject
from pipeline.feeds.page import is_teaser
from pipeline.feeds.values import Feed
from pipeline.settings import Settings
from pipeline.workers.polling import limits, registry_path

KINDS = click.Choice(["press", "lab", "research", "community"])
RANKS = click.IntRange(1, 9)
_PREVIEW = 5


@click.command()
@click.argument("url")
@click.option("--pick", type=click.IntRange(1), metavar="N", help="which, where a page names several feeds")
@click.option("--id", "feed_id", help="a name in lower case and hyphens, kept for good; default: the site's")
@click.option("--title", help="for people; default: the feed's own")
@click.option("--language", help="ISO 639-1, e.g. en; default: what most of its entries are in")
@click.option("--kind", type=KINDS, default="press", show_default=True)
@click.option("--rank", type=RANKS, default=5, show_default=True, help="1 is the best")
@click.option("--full-text", is_flag=True, help="read the pages of entries that are mere teasers")
@click.option("--allow-private", is_flag=True, help="its host may be private, now and when polled")
@click.option("--dry-run", is_flag=True, help="show it, write nothing")
@plain_errors
def add(
    url: str,
    pick: int | None,
    feed_id: str | None,
    title: str | None,
    language: str | None,
    kind: str,
    rank: int,
    full_text: bool,
    allow_private: bool,
    dry_run: bool,
) -> None:
    """Find the feed of a site, show what it gives and how that would be classified, and register it.

    URL is the feed's or the site's. The packaged registry is copied to the data folder first, so that it is
    yours to edit.
    """
    settings = configuration.load()
    known = registered(settings)
    address = url if "://" in url else f"https://{url}"
    offer = _one_of(_offers(address, settings, allow_private), known, pick)
    said = language or language_of(offer.parsed.language, "en")
    fields = {
        "id": feed_id or registry.free_id(offer.parsed.site or offer.url, {f.id for f in known}),
        "url": offer.url,
        "title": (title or offer.parsed.title)[:200] or offer.url[:200],
        "language": said,
        "kind": kind,
        "rank": rank,
        "allow_hosts": _hosts(offer.url) if allow_private else [],
        "full_text": full_text,
    }
    feed = checked(fields)
    detector = Detector({f.language for f in known} | {said})
    entries = identify(feed, offer.parsed, now=datetime.now(UTC), detector=detector)
    if language is None:
        feed = checked(fields | {"language": spoken(entries, said)})
    _preview(feed, entries)
    if dry_run:
        click.echo("nothing is written")
        return
    path = write([feed], settings)
    click.echo(f"{feed.id} is in {path}; the next poll reads it")


@click.command(name="import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--language", help="of feeds for which the list says none; default: what their titles are in")
@click.option("--kind", type=KINDS, default="press", show_default=True, help="the same")
@click.option("--rank", type=RANKS, default=5, show_default=True, help="the same")
@click.option("--allow-private", is_flag=True, help="take over which private hosts the list allows")
@click.option("--dry-run", is_flag=True, help="show it, write nothing")
@plain_errors
def import_feeds(
    file: Path, language: str | None, kind: str, rank: int, allow_private: bool, dry_run: bool
) -> None:
    """Register the feeds of an OPML file that are not registered yet. No feed is asked for anything.

    Exit code 1 where an entry is refused; the others are registered all the same.
    """
    settings = configuration.load()
    known = registered(settings)
    try:
        with file.open("rb") as opened:
            outlines = opml.read(opened.read(opml.MAX_SIZE + 1))
    except (OSError, opml.OpmlError) as error:
        raise click.ClickException(f"{file}: {error}") from error
    ids, urls = {f.id for f in known}, {canonical(f.url): f.id for f in known}
    detector = Detector({f.language for f in known} | {"en"})
    new, report, good = list[Feed](), list[tuple[object, ...]](), True
    for outline in outlines:
        try:
            taken = urls.get(canonical(outline.url))
            if taken is not None:
                report.append((outline.line, "registered already", taken, outline.url))
                continue
            said = language_of(outline.language, language or detector.detect(outline.title, "", "en"))
            feed = registry.checked(
                {
                    "id": outline.id or registry.free_id(outline.site or outline.url, ids),
                    "url": outline.url,
                    "title": outline.title[:200] or outline.url[:200],
                    "language": said,
                    "kind": outline.kind or kind,
                    "rank": int(outline.rank or rank),
                    "allow_hosts": outline.allow_hosts if allow_private else (),
                }
            )
            if feed.id in ids:
                raise registry.RegistryError(f"the id {feed.id} is taken")
        except ValueError as error:
            good = False
            report.append((outline.line, f"refused: {error}", "", outline.url))
            continue
        ids.add(feed.id)
        urls[canonical(feed.url)] = feed.id
        new.append(feed)
        report.append((outline.line, f"new: {feed.language}, {feed.kind}, {feed.rank}", feed.id, feed.url))
    print_table(("line", "becomes", "id", "address"), report, "The list names no feeds.")
    if new and not dry_run:
        click.echo(f"{len(new)} feeds are in {write(new, settings)}; the next poll reads it")
    else:
        click.echo("nothing is written")
    sys.exit(0 if good else 1)


@click.command()
@plain_errors
def export() -> None:
    """Write the registry as OPML 2.0 to standard output."""
    sys.stdout.buffer.write(opml.write(registered(configuration.load())))
    sys.stdout.buffer.flush()


def registered(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of the registry in use."""
    try:
        return registry.load(registry_path(settings))
    except registry.RegistryError as error:
        raise click.ClickException(str(error)) from error


def checked(fields: dict[str, object]) -> Feed:
    """A feed of these fields, or a line on what is wrong with them."""
    try:
        return registry.checked(fields)
    except registry.RegistryError as error:
        raise click.ClickException(str(error)) from error


def write(feeds: Sequence[Feed], settings: Settings) -> Path:
    """Add feeds to the operator's registry, whose path is returned."""
    source = registry_path(settings)
    path = settings.home / "feeds.yaml" if source == registry.DEFAULT else source
    try:
        registry.grow(path, feeds, source)
    except registry.RegistryError as error:
        raise click.ClickException(str(error)) from error
    return path


def _offers(address: str, settings: Settings, allow_private: bool) -> tuple[Offer, ...]:
    try:
        allowed = _hosts(address) if allow_private else []
        offers, misses = discover(address, limits(settings), allow_hosts=frozenset(allowed))
    except BadAddressError as error:
        raise click.ClickException(str(error)) from error
    if not offers:
        why = "\n".join(f"  {miss.url}: {miss.why}" for miss in misses)
        hint = ""
        if any(miss.why.startswith("refused-address") for miss in misses):
            hint = "\nIf a private address is meant, add --allow-private."
        fail(f"no feed at {address}:\n{why}{hint}")
    return offers


def _one_of(offers: Sequence[Offer], known: Sequence[Feed], pick: int | None) -> Offer:
    """The offer that is meant: the only one, or the one picked."""
    ids = {canonical(feed.url): feed.id for feed in known}
    if pick is None and len(offers) > 1:
        rows = [
            (n, o.url, o.parsed.title, len(o.parsed.entries), ids.get(canonical(o.url)))
            for n, o in enumerate(offers, 1)
        ]
        print_table(("N", "address", "title", "entries", "registered as"), rows, "")
        fail("several feeds: say which by --pick N")
    if pick is not None and pick > len(offers):
        fail(f"--pick {pick}: the number of feeds is {len(offers)}")
    offer = offers[(pick or 1) - 1]
    if (taken := ids.get(canonical(offer.url))) is not None:
        fail(f"{offer.url} is registered already, as {taken}")
    return offer


def _hosts(url: str) -> list[str]:
    return [urlsplit(url).hostname or ""]


def _preview(feed: Feed, entries: Sequence[Candidate | Reject]) -> None:
    """What the feed would be, and the verdicts on its newest articles."""
    articles = [e.article for e in entries if isinstance(e, Candidate)]
    newest = sorted(articles, key=lambda a: a.published_at, reverse=True)[:_PREVIEW]
    click.echo(f"{feed.title}: {len(entries)} entries, {len(articles)} of them articles")
    rows = []
    for article in newest:
        verdict = classifier().assess(article)
        rows.append(
            (
                f"{article.published_at:%Y-%m-%d}",
                article.language,
                verdict.relevance.label,
                ", ".join(actor.id for actor in verdict.actors),
                ", ".join(event.id for event in verdict.events),
                article.title,
            )
        )
    print_table(("published", "lang", "label", "actors", "events", "title"), rows, "No articles now.")
    if articles and not feed.full_text and all(map(is_teaser, articles)):
        click.echo("It gives only teasers: with --full-text the text is taken from its articles' pages.")
    click.echo(registry.as_yaml([feed]), nl=False)
