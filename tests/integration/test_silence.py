"""Silence and disguise on real servers: what is wrong with a feed is noticed, named, and shown."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from pipeline.feeds.rhythm import learn
from pipeline.feeds.values import Feed, FeedState, Rhythm
from pipeline.store import feeds as memory
from pipeline.store import queries
from pipeline.store.feeds import Poll
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_poll import feed, poller
from tests.unit.feeds.lying_server import LyingServer, http

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer().serving() as found:
        yield found


@pytest.fixture
def liar() -> Iterator[LyingServer]:
    with LyingServer() as found:
        yield found


def poll(world: World, *feeds: Feed) -> dict[str, Poll]:
    """One poll of each, due or not."""
    one = poller(world, list(feeds))
    try:
        one.batches([])
        return {p.feed_id: p for p in one.poll_batch([f.id for f in feeds])}
    finally:
        one.close()


def state(world: World, feed_id: str) -> FeedState:
    with world.engine.connect() as tx:
        return next(f.state for f in queries.feeds(tx) if f.feed.id == feed_id)


def taught(world: World, feed_id: str, *, last: datetime) -> None:
    """As if the feed had posted every day for a month, the last time at `last`."""
    rhythm = learn(Rhythm(), [last - day * DAY for day in range(30)])
    with world.engine.begin() as tx:
        memory.remember(tx, [], [replace(state(world, feed_id), rhythm=rhythm)], [])


def racewire_says(world: World, *command: str) -> tuple[int, str]:
    result = world.invoke(*command)
    return result.exit_code, result.output


def test_a_feed_that_answers_and_posts_no_more_is_silent_until_it_posts(
    world: World, server: FeedServer
) -> None:
    now = datetime.now(UTC)
    paper = feed(server, "paper", "/a")
    server.documents["/a"] = (rss(("/1", "One", "t"), published=now - 20 * DAY), "text/xml")
    assert poll(world, paper)["paper"].change == ""
    taught(world, "paper", last=now - 2 * DAY)
    assert poll(world, paper)["paper"].change == ""  # two days are nothing for a daily feed
    taught(world, "paper", last=now - 20 * DAY)
    assert poll(world, paper)["paper"].change.startswith("has gone silent: nothing since")
    assert state(world, "paper").status == "ok"
    code, said = racewire_says(world, "feeds", "check")
    assert (code, said.startswith("paper is silent: it answers, and has posted nothing since")) == (1, True)
    assert "silent" in racewire_says(world, "feeds", "list")[1]
    assert poll(world, paper)["paper"].change == ""  # said once
    server.documents["/a"] = (rss(("/2", "Two", "t"), ("/1", "One", "t"), published=now), "text/xml")
    assert poll(world, paper)["paper"].change == "posts again"
    assert racewire_says(world, "feeds", "check") == (0, "No feed needs attention.\n")


def test_a_document_that_does_not_reach_back_is_marked_as_a_gap(world: World, server: FeedServer) -> None:
    now = datetime.now(UTC)
    paper = feed(server, "paper", "/a")
    server.documents["/a"] = (rss(("/1", "One", "t"), published=now - 2 * DAY), "text/xml")
    poll(world, paper)
    news = [("/2", "Two", "t"), ("/3", "Three", "t")]
    server.documents["/a"] = (rss(*news, published=now - timedelta(hours=1)), "text/xml")
    found = poll(world, paper)["paper"]
    assert found.change.startswith("may have lost entries: ")
    assert "may have been lost" in found.detail
    assert (state(world, "paper").gaps, state(world, "paper").status) == (1, "ok")
    kept = world.scalar("SELECT count(*) FROM polls WHERE detail LIKE '%may have been lost%'")
    assert kept == 1


def test_empty_is_not_no_feed_is_not_blocked_is_not_unchanged(
    world: World, server: FeedServer, liar: LyingServer
) -> None:
    server.documents |= {
        "/empty": (rss(), "text/xml"),
        "/html": (b"<!doctype html><html><title>Welcome</title></html>", "application/rss+xml"),
        "/wall": (b"<html><title>Just a moment...</title></html>", "text/html"),
        "/same": (rss(("/1", "One", "t")), "text/xml"),
    }
    liar.answers = {"/login": http(403), "/gone": http(410), "/down": http(500)}
    feeds = [feed(server, name, f"/{name}") for name in ("empty", "html", "wall", "same")]
    feeds += [replace(feeds[0], id=name, url=liar.url(f"/{name}")) for name in ("login", "gone", "down")]
    poll(world, *feeds)
    again = poll(world, *feeds)
    assert {f.id: state(world, f.id).status for f in feeds} == {
        "empty": "empty",
        "html": "not-a-feed",
        "wall": "blocked",
        "same": "ok",
        "login": "blocked",
        "gone": "gone",
        "down": "failing",
    }
    assert {name: p.fetch for name, p in again.items()} == {
        "empty": "not-modified",
        "html": "html",
        "wall": "challenge",
        "same": "not-modified",
        "login": "http-403",
        "gone": "gone",
        "down": "http-500",
    }
    code, said = racewire_says(world, "feeds", "check")
    names = [line.partition(": ")[0] for line in said.splitlines()]
    assert code == 1
    assert names == ["gone is dead", "html is not-a-feed", "login is blocked", "wall is blocked"]


def test_an_answer_without_a_body_makes_no_failed_feed_healthy(world: World, liar: LyingServer) -> None:
    document = http(200, rss(("/1", "One", "t")), ETag='"1"', Content_Type="text/xml")
    paper = Feed(
        id="paper",
        url=liar.url("/a"),
        title="Paper",
        language="en",
        kind="press",
        rank=5,
        allow_hosts=frozenset({"127.0.0.1"}),
    )
    found = []
    for answer in (document, http(500), http(304, ETag='"1"'), http(304), document):
        liar.answers["/a"] = answer
        change = poll(world, paper)["paper"].change
        found.append((state(world, "paper").status, state(world, "paper").failures, change.partition(":")[0]))
    assert found == [
        ("ok", 0, ""),
        ("failing", 1, "is failing now"),
        ("failing", 2, ""),
        ("failing", 3, ""),
        ("ok", 0, "answers again, after 3 failed polls"),
    ]
    assert b"If-None-Match" not in liar.asked[2]  # after a failure it is asked for the whole
