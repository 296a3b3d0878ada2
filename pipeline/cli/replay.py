"""`reassess`: stored articles assessed again, and what that changes, shown before it is done."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from pipeline.assets import classifier
from pipeline.classify.changes import Changes
from pipeline.cli.common import Moment, as_json, plain_errors, print_json, print_table, settings_and_servers
from pipeline.store import verdicts
from pipeline.store.database import connect
from pipeline.workers import upkeep
from schemas.topics import ASSESSMENTS
from schemas.topics import topics as all_topics


def _windowed(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--until", type=Moment(), help="only of articles published until then"),
        click.option("--since", type=Moment(), help="only of articles published since then, e.g. 30d"),
        click.option("--compare", is_flag=True, help="show what would change, and change nothing"),
    ):
        command = option(command)
    return command


@click.command()
@_windowed
@as_json
@plain_errors
def reassess(compare: bool, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Bring stored verdicts up to the classifier at hand.

    It takes the articles whose verdict is missing or another classifier's, so that it can be stopped and
    started again at any time.
    """
    settings, servers = settings_and_servers()
    engine = connect(servers.database_url.get_secret_value(), pool=1)
    topic = all_topics(settings.topic_prefix)[ASSESSMENTS]
    subject = classifier()
    done = upkeep.reassess(engine, topic, subject, verdicts.window(since, until), compare=compare)
    if as_json:
        print_json(_changes(done))
        return
    click.echo(
        f"{done.articles} articles {'would be' if compare else 'were'} assessed by {subject.version}, "
        f"{done.first} of them for the first time; {done.changed} have other labels: "
        f"{done.core} become core, {done.core_no_more} are core no more"
    )
    print_table(("label", "added", "removed"), [(f"{k} {v}", a, r) for k, v, a, r in done.labels()], "")
    rows = [(x.title, "\n".join(x.before), "\n".join(x.after)) for x in done.examples]
    print_table(("article", "before", "after"), rows, "")


def _changes(done: Changes) -> dict[str, Any]:
    columns = ("label", "value", "added", "removed")
    return {
        "articles": done.articles,
        "first": done.first,
        "changed": done.changed,
        "core": done.core,
        "core_no_more": done.core_no_more,
        "labels": [dict(zip(columns, row, strict=True)) for row in done.labels()],
        "examples": [asdict(example) for example in done.examples],
    }
