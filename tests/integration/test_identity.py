"""Two articles, one address: the fixture through servers, Kafka and classifier, to the rows in Postgres."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from schemas.topics import ARTICLES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.identity import Case, cases
from tests.integration.test_poll import feed, poll_all, poller, start_classifier
from tests.until import until

pytestmark = pytest.mark.integration

# Deleted in this order, as a cleaning up would: the poller's memory stays.
TABLES = ("assessments", "sightings", "revisions", "articles")
OF_HOST = "article_id IN (SELECT article_id FROM articles WHERE url LIKE '%' || :host || '/%')"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer().serving() as found:
        yield found


def in_order(world: World) -> None:
    """Wait until everything that was published has been stored."""
    published = len(world.read(ARTICLES))
    until(
        lambda: world.scalar("SELECT coalesce(sum(next_offset), 0) FROM consumer_offsets") == published, 120
    )


def test_the_fixture_end_to_end(world: World, server: FeedServer) -> None:
    everything = cases()
    feeds = [
        case.feed(name, server.url(f"/{case.feed_id(name)}")) for case in everything for name in case.ranks
    ]
    one = poller(world, feeds)
    one.batches([])
    start_classifier(world)
    published = 0
    for case in everything:
        for number, (step, document) in enumerate(case.steps()):
            if step.cleaned_up:
                in_order(world)
                with world.engine.begin() as tx:
                    for table in TABLES:
                        delete = text(f"DELETE FROM {table} WHERE {OF_HOST}")  # noqa: S608 - our own words
                        tx.execute(delete, {"host": case.host})
            feed_id = case.feed_id(step.feed)
            server.documents[f"/{feed_id}"] = (document, "text/xml")
            (done,) = one.poll_batch([feed_id])
            counts = {
                "article": done.articles,
                "revision": done.revisions,
                "sighting": done.sightings,
                "unchanged": done.unchanged,
                "reject": len(done.rejects),
            }
            assert counts == step.counts, f"{case.case}: poll {number} of {step.feed}"
            published += done.articles + done.revisions + done.sightings
    one.close()
    in_order(world)
    assert len(world.read(ARTICLES)) == published
    assert {case.case: rows(world, case) for case in everything} == {
        case.case: (case.rows.articles, case.rows.revisions, case.rows.sightings) for case in everything
    }
    for case in everything:
        for column, value in case.current.items():
            name, wanted = ("feed_id", case.feed_id(value)) if column == "feed" else (column, value)
            query = f"SELECT min({name}) FROM articles WHERE {OF_HOST}"  # noqa: S608 - our own words
            found = world.scalar(query, host=case.host)
            assert found == wanted, f"{case.case}: {column}"
    assert world.scalar("SELECT count(*) FROM dead_letters") == 0


def rows(world: World, case: Case) -> tuple[int, ...]:
    """How many articles, contents and carriers there are of a case."""
    return tuple(
        world.scalar(f"SELECT count(*) FROM {table} WHERE {OF_HOST}", host=case.host)  # noqa: S608 - the same
        for table in ("articles", "revisions", "sightings")
    )


def test_of_two_feeds_polled_at_once_the_richer_text_is_current(world: World, server: FeedServer) -> None:
    links = [f"/{n}" for n in range(12)]  # by chance alone half of them would come out right
    server.documents["/a"] = (rss(*((n, f"Model {n}", "A teaser.") for n in links)), "text/xml")
    server.documents["/b"] = (rss(*((n, f"Model {n}", "The full text.") for n in links)), "text/xml")
    sums = poll_all(poller(world, [feed(server, "a", "/a"), feed(server, "b", "/b")]))
    assert (sums["articles"], sums["revisions"]) == (12, 12)
    start_classifier(world)
    in_order(world)
    assert world.scalar("SELECT count(*) FROM articles WHERE feed_id = 'b' AND text = 'The full text.'") == 12
    assert (
        world.scalar("SELECT count(*) FROM articles a JOIN assessments v USING (article_id, revision)") == 12
    )
