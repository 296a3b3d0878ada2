"""`forget`: articles taken down, by address or by feed."""

import click

from pipeline.cli.common import fail, plain_errors, settings_and_servers
from pipeline.feeds.address import BadAddressError, clean
from pipeline.feeds.identify import article_id
from pipeline.store import queries, takedown
from pipeline.store.database import connect
from pipeline.workers import upkeep
from schemas.topics import ARTICLES, ASSESSMENTS
from schemas.topics import topics as all_topics


@click.command()
@click.argument("target", metavar="URL|FEED")
@click.option("--dry-run", is_flag=True, help="say what would be taken down, and change nothing")
@click.option("--yes", is_flag=True, help="do not ask")
@plain_errors
def forget(target: str, dry_run: bool, yes: bool) -> None:
    """Take down an article by its address or id, or all whose text is a FEED's.

    Their text goes from the store, from stories and release lines, and from the topics that keep the newest
    state. They do not return, whoever carries them.
    """
    settings, servers = settings_and_servers()
    known = all_topics(settings.topic_prefix)
    engine = connect(servers.database_url.get_secret_value(), pool=1)
    with engine.connect() as tx:
        found = queries.article(tx, target)
        is_feed = found is None and any(view.feed.id == target for view in queries.feeds(tx))
        count = takedown.count_of_feed(tx, target) if is_feed else 1
    feed = target if is_feed else ""
    article = found.article.article_id if found else "" if is_feed else _id(target)
    if found:
        click.echo(f"{found.article.title} ({found.article.feed.id}, {found.article.published_at:%Y-%m-%d})")
    elif not is_feed:
        click.echo("not stored: it is marked, so that it never comes")
    if dry_run:
        click.echo(f"{count} articles would be taken down")
        return
    if not yes:
        click.confirm(f"Take down {count} articles for good?", abort=True)
    done = upkeep.forget(engine, known[ASSESSMENTS], [article] if article else [], feed)
    click.echo(", ".join(f"{n} {what}" for what, n in done.items()) + " removed")
    click.echo(
        f"stories and release lines follow as the storyteller reads of it; {known[ARTICLES].name} holds what "
        "it held until its retention lets it go (30 days)"
    )
    if feed:
        click.echo(f"new articles of {feed} still come: take it out of feeds.yaml to stop that")


def _id(target: str) -> str:
    try:
        return article_id(clean(target))
    except BadAddressError:
        fail(f"{target!r} is no address, no article's id and no feed; `racewire feeds list` shows the feeds")
