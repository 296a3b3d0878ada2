"""`reconcile`: the loss proof, as a table, in names, and as an exit code."""

import sys
from datetime import UTC, datetime, timedelta

import click

from pipeline.cli.common import Moment, as_json, plain_errors, print_json, print_table, settings_and_servers
from pipeline.store.balance import Balance
from pipeline.store.database import connect
from pipeline.workers import reconcile as proof
from schemas.topics import topics

EXIT_CODE = 4  # not 1, which says that nothing could be checked


@click.command()
@click.option("--since", type=Moment(), help="what happened since then; a day ago where nothing is said")
@click.option("--full", is_flag=True, help="all that can be checked: the topics from their beginnings")
@as_json
@plain_errors
def reconcile(since: datetime | None, full: bool, as_json: bool) -> None:
    """Draw the balance of feeds, topics and store, while everything runs: is anything lost or too many?

    Exit code 4 when something is, and its names; 1 when it could not be checked.
    """
    settings, servers = settings_and_servers()
    engine = connect(servers.database_url.get_secret_value(), pool=2)
    known = topics(settings.topic_prefix)
    begin = None if full else since or datetime.now(UTC) - proof.WINDOW
    letters = timedelta(days=settings.keep_dead_letters_days)
    articles = settings.keep_articles
    found = proof.reconcile(engine, servers.broker, known, settings.topic_prefix, begin, letters, articles)
    if as_json:
        print_json(found)
    else:
        _show(found)
    sys.exit(EXIT_CODE if found.found else 0)


def _show(found: Balance) -> None:
    rows = [(x.what, x.count, x.accounted, -x.missing, x.surplus) for x in found.lines]
    print_table(("what", "how many", "accounted for", "missing", "too many"), rows, "")
    for topic, count in found.doubles.items():
        click.echo(f"{count} records of {topic} repeat an event: readers tell by its id")
    print_table(
        ("problem", "of", "where", "found"),
        [(f.problem, f.subject, f.where, f.detail) for f in found.findings],
        "balanced: nothing is missing, nothing is too many",
    )
    if found.found > len(found.findings):
        click.echo(f"and {found.found - len(found.findings)} more")
    for problem in dict.fromkeys(f.problem for f in found.findings):
        click.echo(f"{problem}: {proof.ADVICE[problem]}", err=True)
