"""`feedback`: saying that a verdict is wrong, and what is right. `train --feedback` learns from it."""

import getpass
from collections.abc import Callable, Sequence

import click
import msgspec

from pipeline.classify.labels import Change, Label, LabelError, label_of
from pipeline.classify.lexicon import EVENTS, RELEVANCE, STATUSES
from pipeline.cli.common import as_json, fail, plain_errors, print_json, print_table, reading, store_engine
from pipeline.store import corrections, queries
from pipeline.store.corrections import CorrectionError


@click.group()
def feedback() -> None:
    """Say what is right where a verdict is wrong, and see what others said."""


@feedback.command()
@click.argument("article", metavar="URL|ID")
@click.option("--relevance", type=click.Choice(RELEVANCE))
@click.option("--actor", "actors", multiple=True, metavar="ID:ROLE", help="all of them, one an option")
@click.option("--product", "products", multiple=True, help="all of them, one an option")
@click.option("--event", "events", type=click.Choice(EVENTS), multiple=True, help="the main one first")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--when", metavar="DATE", help="2025, 2025-Q3, 2025-04 or 2025-04-17; `none` for no date")
@click.option("--no-actors", is_flag=True, help="there are none")
@click.option("--no-products", is_flag=True, help="there are none")
@click.option("--by", default=getpass.getuser, show_default="you", help="who says so")
@click.option("--note", default="", help="why")
@plain_errors
def add(
    article: str,
    relevance: str | None,
    actors: Sequence[str],
    products: Sequence[str],
    events: Sequence[str],
    status: str | None,
    when: str | None,
    no_actors: bool,
    no_products: bool,
    by: str,
    note: str,
) -> None:
    """Correct the verdict on an article. What no option names is taken to be right."""
    given = {
        "relevance": relevance,
        "actors": {} if no_actors else _roles(actors) or None,
        "products": [] if no_products else list(products) or None,
        "events": list(events) or None,
        "status": status,
        "when": "" if when == "none" else when,
    }
    try:
        change = msgspec.convert(given, Change)
    except msgspec.ValidationError as error:
        fail(str(error))
    with store_engine() as engine, engine.begin() as tx:
        found = queries.article(tx, article)
        if found is None:
            fail(f"no article {article!r}; `racewire articles --label all` lists them with their ids")
        try:
            who, why = by[: corrections.NAME], note[: corrections.NOTE]
            made = corrections.add(tx, found.article.article_id, change, who, why)
        except (CorrectionError, LabelError) as error:
            fail(str(error))
    print_table(
        ("", "verdict", "now"),
        _beside(label_of(found.assessment), made.label),
        "taken: it says what the verdict says",
    )


@feedback.command("list")
@click.option("-n", "--limit", default=50, show_default=True)
@as_json
@plain_errors
def list_(limit: int, as_json: bool) -> None:
    """What was said, the newest first."""
    with reading() as tx:
        found = corrections.listed(tx, limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "article", "given", "by", "relevance", "events", "status", "when", "note"),
        [
            (
                one.id,
                one.article_id[:10],
                f"{one.given_at:%Y-%m-%d %H:%M}",
                one.given_by,
                one.label.relevance,
                ", ".join(one.label.events),
                one.label.status,
                one.label.when,
                one.note,
            )
            for one in found
        ],
        "Nobody has corrected a verdict yet: `racewire feedback add ID --status rumoured` would.",
    )


@feedback.command()
@plain_errors
def export() -> None:
    """Print labels, a JSON object a line, in the form that `train` and `eval` read; no texts."""
    with reading() as tx:
        for _, label in corrections.labelled(tx):
            click.echo(msgspec.json.encode(label).decode())


def _roles(actors: Sequence[str]) -> dict[str, str]:
    found = {}
    for given in actors:
        actor, colon, role = given.partition(":")
        if not colon:
            fail(f"--actor {given}: its role is missing, as in {given}:mover")
        found[actor] = role
    return found


def _beside(before: Label, after: Label) -> list[tuple[str, str, str]]:
    """What was said and what is right, where they differ."""
    shown: list[tuple[str, Callable[[Label], str]]] = [
        ("relevance", lambda x: x.relevance),
        ("actors", lambda x: ", ".join(f"{a} ({x.roles[a]})" if a in x.roles else a for a in x.actors or ())),
        ("products", lambda x: ", ".join(x.products or ())),
        ("events", lambda x: ", ".join(x.events)),
        ("status", lambda x: x.status),
        ("when", lambda x: x.when),
    ]
    return [(name, old, new) for name, of in shown if (old := of(before)) != (new := of(after))]
