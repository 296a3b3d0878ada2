"""`articles`, `stories`, `show`, `topics tail`: looking at what came out."""

import json
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from pipeline.bus.reading import tail as tail_topic
from pipeline.classify.wording import in_words
from pipeline.cli.common import (
    as_json,
    fail,
    plain_errors,
    print_json,
    print_table,
    reading,
    settings_and_servers,
)
from pipeline.store import queries
from pipeline.store.aggregates import AGGREGATES
from pipeline.store.database import connect
from pipeline.store.queries import Judged
from pipeline.workers import upkeep
from schemas.messages import Span
from schemas.topics import topics as all_topics


@click.command()
@click.option("-n", "--limit", default=20, show_default=True)
@click.option("--label", type=click.Choice(["core", "peripheral", "none", "all"]), default="core")
@as_json
@plain_errors
def articles(limit: int, label: str, as_json: bool) -> None:
    """List the newest articles and the verdicts on them."""
    with reading() as tx:
        found = queries.newest(tx, limit, None if label == "all" else label)
    if as_json:
        print_json([one.assessment for one in found])
        return
    print_table(
        ("id", "published", "lang", "title", "relevance", "actors", "events", "status", "expected"),
        [_line(one) for one in found],
        "No articles yet. `racewire poll` polls the feeds that are due.",
    )


@click.command()
@click.option("-n", "--limit", default=20, show_default=True)
@as_json
@plain_errors
def stories(limit: int, as_json: bool) -> None:
    """List the stories with the newest articles."""
    with reading() as tx:
        found = queries.stories(tx, limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "last", "articles", "languages", "title", "actors", "status"),
        [
            (
                s.story_id,
                f"{s.last_published_at:%Y-%m-%d %H:%M}",
                len(s.articles),
                " ".join(s.languages),
                s.title,
                ", ".join(s.actors),
                s.status,
            )
            for s in found
        ],
        "No stories yet: they are made of core articles.",
    )


@click.command()
@click.argument("article")
@as_json
@plain_errors
def show(article: str, as_json: bool) -> None:
    """Show one article by id or address: its text, the verdict, and the words that carry it."""
    with reading() as tx:
        found = queries.article(tx, article)
    if found is None:
        fail(f"no article {article!r}; `racewire articles --label all` lists them with their ids")
    if as_json:
        print_json({"article": found.article, "assessment": found.assessment, "story_id": found.story_id})
        return
    console = Console()
    for line in _page(found):
        console.print(line)


@click.group()
def topics() -> None:
    """Look into the topics."""


@topics.command()
@click.argument("name", type=click.Choice(sorted(all_topics())))
@click.option("-n", "--last", default=1, show_default=True, help="of each partition")
@click.option("-f", "--follow", is_flag=True, help="go on with what comes, until Ctrl-C")
@plain_errors
def tail(name: str, last: int, follow: bool) -> None:
    """Print records of a topic: place, key, headers and value, a JSON object a line."""
    settings, servers = settings_and_servers()
    topic = all_topics(settings.topic_prefix)[name]
    for record in tail_topic(servers.broker, topic.name, last, follow):
        click.echo(json.dumps(_shown(record), ensure_ascii=False))


@topics.command()
@click.argument("names", type=click.Choice(sorted(AGGREGATES)), nargs=-1)
@plain_errors
def rebuild(names: tuple[str, ...]) -> None:
    """Announce every verdict, story and release that is stored again: for topics that were lost.

    With the ids and versions of the first time. A relay has to run.
    """
    settings, servers = settings_and_servers()
    engine = connect(servers.database_url.get_secret_value(), pool=1)
    for name in names or sorted(AGGREGATES):
        queued = upkeep.rebuild(engine, name, all_topics(settings.topic_prefix)[name])
        click.echo(f"{name}: {queued} queued for the relay")


def _line(one: Judged) -> tuple[object, ...]:
    a = one.assessment
    return (
        a.article_id[:10],
        f"{a.published_at:%Y-%m-%d %H:%M}",
        a.language,
        a.title,
        f"{a.relevance.label} {a.relevance.score:.2f}",
        ", ".join(x.id for x in a.actors),
        ", ".join(e.id for e in a.events),
        a.status,
        a.expected.value if a.expected else "",
    )


def _page(one: Judged) -> Iterator[Text]:
    article, a = one.article, one.assessment
    yield Text(article.title, style="bold")
    yield Text(f"{article.url}\n{article.feed.id} · {a.language} · {article.published_at:%Y-%m-%d %H:%M} UTC")
    yield Text(f"id {article.article_id} · revision {article.revision} · verdict {a.version}, {a.classifier}")
    if one.story_id:
        yield Text(f"story {one.story_id}")
    yield Text("")
    facts = [("relevance", f"{a.relevance.label} ({a.relevance.score:.2f})", a.relevance.spans)]
    facts += [("actor", f"{x.id} ({x.role})", x.spans) for x in a.actors]
    facts += [("product", f"{p.name} ({p.actor or 'owner unknown'})", p.spans) for p in a.products]
    facts += [("event", f"{e.id} ({e.score:.2f})", e.spans) for e in a.events]
    facts.append(("status", a.status, a.status_spans))
    if a.expected:
        facts.append(("expected", a.expected.value, a.expected.spans))
    facts += [("amount", in_words(amount), amount.spans) for amount in a.amounts]
    for kind, value, spans in facts:
        yield Text.assemble((f"{kind:10}", "cyan"), f"{value:32} ", _proof(spans))
    for sighting in a.sightings:
        yield Text.assemble(("also in   ", "cyan"), f"{sighting.feed} {sighting.url}")
    yield Text(f"\n{article.text}")


def _proof(spans: list[Span]) -> Text:
    words = list(dict.fromkeys(span.text for span in spans))
    return Text(" · ".join(f"“{w}”" for w in words[:6]), style="italic")


def _shown(record: Any) -> dict[str, Any]:
    def text(data: bytes | None) -> str | None:
        return None if data is None else data.decode(errors="replace")

    try:
        value = json.loads(record.value) if record.value is not None else None
    except ValueError:
        value = text(record.value)
    return {
        "partition": record.partition,
        "offset": record.offset,
        "key": text(record.key),
        "headers": {name: text(data) for name, data in record.headers},
        "value": value,
    }
