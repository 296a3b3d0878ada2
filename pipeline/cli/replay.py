"""`reassess` and `retell`: verdicts and stories made anew from the store, and what changes shown first."""

from collections.abc import Callable
from datetime import datetime

import click

from pipeline.assets import classifier
from pipeline.cli.common import (
    Moment,
    as_json,
    fail,
    plain_errors,
    print_json,
    print_table,
    settings_and_servers,
)
from pipeline.cli.differences import changes_json, print_changes
from pipeline.store import verdicts
from pipeline.store.database import connect
from pipeline.store.leases import LeaseLostError
from pipeline.workers import retell as stories
from pipeline.workers import storyteller, upkeep
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
        print_json(changes_json(done))
        return
    click.echo(
        f"{done.articles} articles {'would be' if compare else 'were'} assessed by {subject.version}, "
        f"{done.first} of them for the first time; {done.changed} have other labels: "
        f"{done.core} become core, {done.core_no_more} are core no more"
    )
    print_changes(done)


@click.command()
@_windowed
@as_json
@plain_errors
def retell(compare: bool, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Tell stories and release lines anew from the stored verdicts, then switch to them at once.

    Ids go on where a story is much the same. Until the switch the storyteller stands by.
    """
    settings, servers = settings_and_servers()
    engine = connect(servers.database_url.get_secret_value(), pool=2)
    window, known = verdicts.window(since, until), all_topics(settings.topic_prefix)
    leader = f"{settings.topic_prefix}{storyteller.NAME}"
    try:
        done = stories.retell(engine, known, leader, window, compare=compare)
    except LeaseLostError as error:
        fail(f"nothing was written: {error}; start the command again")
    if as_json:
        print_json(done)
        return
    how = done.agreement
    click.echo(
        f"{done.verdicts} verdicts told anew: {how.moved} articles {'would be' if compare else 'are'} in "
        f"another story, {how.joined} stories joined, {how.split} fell apart, B³ {how.b_cubed:.3f}"
    )
    kinds = ("new", "changed", "gone")
    counts = (("stories", done.stories), ("release lines", done.releases))
    print_table(("", *kinds), [(what, *(found[k] for k in kinds)) for what, found in counts], "")
    rows = [(x.what, x.id, x.before, x.after) for x in done.examples]
    print_table(("", "id", "before", "after"), rows, "")
