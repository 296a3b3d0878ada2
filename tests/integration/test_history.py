"""History apart from the news: the first import, the seen-horizon, and that nothing comes back as news."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from pipeline.feeds.decide import Horizon, decide
from pipeline.feeds.values import Feed, FeedState
from pipeline.store import feeds as memory
from pipeline.store.known import forget, load_known
from pipeline.workers.upkeep import maintain
from schemas.topics import ARTICLES, ASSESSMENTS, BACKFILL
from tests.conftest import World
from tests.feedserver import FeedServer
from tests.integration.test_poll import feed, poll_all, poller, start_classifier
from tests.unit.feeds.feed_factory import a_candidate, a_feed
from tests.until import until

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)
HORIZON = Horizon()


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer().serving() as found:
        yield found


def document(**days: float | None) -> tuple[bytes, str]:
    """A feed whose entries, by name, are so many days old, or undated."""
    now = datetime.now(UTC)
    items = "".join(
        f"<item><title>OpenAI releases GPT-{name}</title><link>https://paper.example/{name}</link>"
        + (f"<pubDate>{(now - age * DAY):%a, %d %b %Y %H:%M:%S} GMT</pubDate>" if age is not None else "")
        + "</item>"
        for name, age in days.items()
    )
    return f"<rss version='2.0'><channel><title>Paper</title>{items}</channel></rss>".encode(), "text/xml"


def test_a_first_import_is_split_by_age_and_both_parts_are_stored(world: World, server: FeedServer) -> None:
    one = [feed(server, "a", "/a")]
    ages = {"fresh": 1.9, "old": 2.1, "older": 300, "oldest": 3000, "undated": None}
    server.documents["/a"] = document(**ages)
    first = poll_all(poller(world, one, horizon=HORIZON))
    assert (first["articles"], first["history"], first["entries"]) == (5, 3, 5)
    assert (len(world.read(ARTICLES)), len(world.read(BACKFILL))) == (2, 3)
    assert world.scalar("SELECT history FROM polls") == 3
    # From now on the feed is known: what is new is news up to the horizon. What was seen stays what it was.
    server.documents["/a"] = document(**ages, late=9, ancient=500)
    second = poll_all(poller(world, one, horizon=HORIZON), ["a"])
    assert (second["articles"], second["history"], second["unchanged"]) == (2, 1, 5)
    server.documents["/b"] = document(old=2.1, fresh=1.9)
    both = [*one, feed(server, "b", "/b")]
    third = poll_all(poller(world, both, horizon=HORIZON), ["b"])
    assert (third["sightings"], third["history"]) == (2, 1)
    assert (len(world.read(ARTICLES)), len(world.read(BACKFILL))) == (4, 5)
    start_classifier(world)
    start_classifier(world, BACKFILL)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 7, 60)
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == 9, 60)
    assert world.scalar("SELECT count(DISTINCT key) FROM outbox") == 7
    assert world.scalar("SELECT count(DISTINCT key) FROM outbox WHERE lane = 1") == 4


class Timeline:
    """Polls of one entry over years. Time passes by moving back what the store has noted."""

    def __init__(self, tx: Connection) -> None:
        self.tx, self.now = tx, datetime.now(UTC)

    def wait(self, days: float) -> None:
        self.now += days * DAY
        self.tx.execute(text("UPDATE known_articles SET seen_at = seen_at - :t"), {"t": days * DAY})

    def poll(self, of: Feed, state: FeedState, published: datetime | None) -> tuple[str, bool]:
        candidate = a_candidate(of, published=published, now=self.now)
        known = load_known(self.tx, [candidate.article.article_id])
        decision = decide(of, [candidate], known, HORIZON.news_since(state, self.now))
        memory.remember(self.tx, decision.memory, [], [])
        (outcome,) = decision.outcomes
        return outcome.kind, outcome.history

    def forget(self) -> int:
        return forget(self.tx, HORIZON.seen, 500)


@pytest.mark.parametrize("seed", range(40))
def test_what_was_seen_once_never_comes_back_as_news(world: World, seed: int) -> None:
    """It leaves and returns after any time, dated or not, by feeds old and new, removed and added again."""
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    with world.engine.connect() as tx:
        line = Timeline(tx)
        dated = line.now - chance.choice([0, 1, 100, 390, 3000]) * DAY
        dates = chance.choice([[None], [dated], [dated, dated, dated, None]])
        found = Counter[tuple[str, bool]]()
        for _ in range(25):
            line.wait(chance.choice([0.01, 1, 20, 29, 31, 200, 401, 431, 2000]))
            if chance.random() < 0.5:
                line.forget()
            if chance.random() < 0.6:
                state = FeedState(feed_id="f", last_success_at=chance.choice([None, line.now]))
                found[line.poll(a_feed(chance.choice("abc")), state, chance.choice(dates))] += 1
        tx.rollback()
    assert found["article", False] <= 1
    assert sum(found.values()) > 1


def test_the_memory_of_what_nobody_carries_ends_with_the_horizon(world: World) -> None:
    state = FeedState(feed_id="f", last_success_at=datetime.now(UTC))
    with world.engine.connect() as tx:
        line = Timeline(tx)
        begun = line.now
        assert line.poll(a_feed(), state, begun) == ("article", False)
        for _ in range(20):  # carried all the time, and noted now and then
            line.wait(29)
            assert line.poll(a_feed(), state, begun) == ("unchanged", False)
            assert line.forget() == 0
        line.wait(429)
        assert line.forget() == 0
        line.wait(32)
        assert line.forget() == 1
        assert line.poll(a_feed(), state, begun) == ("article", True)
        tx.rollback()


def test_the_memory_of_undated_articles_has_no_end(world: World) -> None:
    state = FeedState(feed_id="f", last_success_at=datetime.now(UTC))
    with world.engine.begin() as tx:
        line = Timeline(tx)
        line.poll(a_feed(), state, None)
        line.wait(5000)
    day = timedelta(days=1)
    topic = world.topics[ASSESSMENTS]
    removed = maintain(world.engine, topic, polls=day, letters=day, seen=HORIZON.seen)
    assert removed["known_articles"] == 0
    assert world.scalar("SELECT count(*) FROM known_articles") == 1
