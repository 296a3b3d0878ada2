"""Polling real servers into real topics: exact balance, two polls at once, a broker that is away."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from sqlalchemy import text

from pipeline.assets import classifier as real_classifier
from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.consumer import ConsumerLoop
from pipeline.cli import racewire
from pipeline.feeds.cadence import Bounds
from pipeline.feeds.fetch import Limits
from pipeline.feeds.registry import Registry
from pipeline.feeds.values import Feed
from pipeline.store import feeds as memory
from pipeline.store import queries
from pipeline.store.database import connect
from pipeline.workers import classifier
from pipeline.workers.poller import Poller, totals
from pipeline.workers.relay import event_id_of
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.unit.feeds.lying_server import LyingServer, http
from tests.until import until

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer().serving() as found:
        yield found


def feed(server: FeedServer, name: str, path: str, rank: int = 2) -> Feed:
    return Feed(
        id=name,
        url=server.url(path),
        title=name,
        language="en",
        kind="press",
        rank=rank,
        allow_hosts=frozenset({"127.0.0.1"}),
    )


def poller(world: World, feeds: list[Feed], broker: Broker | None = None, batch: int = 20) -> Poller:
    """A poller for whom a feed is not due again while a test lasts."""
    return Poller(
        connect(world.servers.database_url.get_secret_value()),
        broker or world.broker,
        world.topics[ARTICLES],
        Registry.of(feeds),
        limits=Limits(user_agent="racewire-test"),
        bounds=Bounds(floor=HOUR, start=HOUR, ceiling=HOUR),
        batch=batch,
    )


def poll_all(one: Poller, only: list[str] | None = None) -> dict[str, int]:
    try:
        return totals([p for batch in one.batches(only) for p in one.poll_batch(batch)])
    finally:
        one.close()


def drain(one: Poller) -> dict[str, int]:
    """Poll until nothing is left that another poller does not hold."""
    try:
        polls = []
        while one.batches():
            polls += one.poll_batch()
        return totals(polls)
    finally:
        one.close()


def start_classifier(world: World) -> None:
    strategy = classifier.strategy(world.engine, world.topics, "c", real_classifier())
    name = world.settings.topic_prefix + "c"
    world.start(ConsumerLoop(world.broker, [world.topics[ARTICLES].name], name, strategy).run)


def test_new_seen_corrected_and_gone(world: World, server: FeedServer) -> None:
    server.documents["/a"] = (rss(("/1", "One", "t"), ("/2", "Two", "t")), "application/rss+xml")
    feeds = [feed(server, "a", "/a")]
    assert poll_all(poller(world, feeds), ["a"])["articles"] == 2
    assert poll_all(poller(world, feeds), ["a"])["entries"] == 0  # 304: nothing to parse
    server.documents["/a"] = (rss(("/1", "One, corrected", "t"), ("/2", "Two", "t")), "text/xml")
    third = poll_all(poller(world, feeds), ["a"])
    assert (third["revisions"], third["unchanged"]) == (1, 1)
    del server.documents["/a"]
    poll_all(poller(world, feeds), ["a"])
    assert world.scalar("SELECT state->>'reason' FROM feeds") == "http-404"
    assert len(world.read(ARTICLES)) == 3
    poll_all(poller(world, [feed(server, "b", "/b")]))
    assert world.scalar("SELECT count(*) FROM feeds WHERE removed_at IS NOT NULL") == 1
    assert world.scalar("SELECT count(*) FROM known_articles") == 2


def test_an_edit_taken_back_is_news_again_and_another_address_is_asked_afresh(
    world: World, server: FeedServer
) -> None:
    for title in ("One", "Two", "One"):
        server.documents["/a"] = (rss(("/1", title, "t")), "text/xml")
        poll_all(poller(world, [feed(server, "a", "/a")]), ["a"])
    ids = [event_id_of(r.headers) for r in world.read(ARTICLES)]
    assert len(set(ids)) == len(ids) == 3
    server.documents["/b"] = server.documents["/a"]
    assert poll_all(poller(world, [feed(server, "a", "/b")]))["unchanged"] == 1  # due at once, no validators


def test_a_feed_taken_out_is_shown_as_removed_and_keeps_its_articles(
    world: World, server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        server.documents[f"/{name}"] = (rss((f"/{name}", "One", "t")), "text/xml")
    poll_all(poller(world, [feed(server, name, f"/{name}") for name in ("a", "b")]))
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 2, 60)
    poll_all(poller(world, [feed(server, "b", "/b")]))
    for name, value in world.environment().items():
        monkeypatch.setenv(name, value)
    listed = CliRunner().invoke(racewire, ["feeds", "list", "--json"])
    shown = [(f["feed"]["id"], bool(f["removed_at"]), f["articles"]) for f in json.loads(listed.output)]
    assert shown == [("b", False, 1), ("a", True, 1)]
    table = CliRunner().invoke(racewire, ["feeds", "list"]).output
    assert [("removed" in line) for line in table.splitlines() if "│ en" in line] == [False, True]
    assert poll_all(poller(world, [feed(server, n, f"/{n}") for n in ("a", "b")]), ["a"])["entries"] == 0


def test_a_renamed_feed_keeps_its_history(world: World, server: FeedServer) -> None:
    server.documents["/a"] = (rss(("/1", "One", "t"), ("/2", "Two", "t")), "text/xml")
    server.documents["/c"] = (rss(("/1", "One", "t")), "text/xml")
    other = feed(server, "other", "/c", rank=9)
    poll_all(poller(world, [feed(server, "zebra", "/a"), other]))
    # An id that would lose a tie, so that only the memory can make it the owner.
    renamed = [feed(server, "ant", "/a"), other]
    assert poll_all(poller(world, renamed))["feeds"] == 0  # not due: nothing is asked again
    assert world.scalar("SELECT string_agg(feed_id, ' ' ORDER BY feed_id) FROM feeds") == "ant other"
    assert world.scalar("SELECT count(*) FROM feeds WHERE removed_at IS NOT NULL") == 0
    assert poll_all(poller(world, renamed), ["ant"])["entries"] == 0  # its validators hold: 304
    server.documents["/a"] = (rss(("/1", "Uno", "t"), ("/2", "Two", "t")), "text/xml")
    after = poll_all(poller(world, renamed), ["ant"])
    assert (after["articles"], after["sightings"], after["revisions"], after["unchanged"]) == (0, 0, 1, 1)
    assert world.scalar("SELECT count(*) FROM polls WHERE feed_id = 'zebra'") == 0
    assert world.scalar("SELECT count(*) FROM known_articles WHERE known->>'owner' = 'ant'") == 2
    carriers = (
        "SELECT string_agg(c, ' ' ORDER BY c) "
        "FROM known_articles, jsonb_array_elements_text(known->'carriers') c"
    )
    assert world.scalar(carriers) == "ant ant other"
    back = poll_all(poller(world, [feed(server, "zebra", "/a"), other]), ["zebra"])
    assert back["entries"] == 0  # and back again


def test_two_polls_at_once_publish_nothing_twice(world: World, server: FeedServer) -> None:
    same = tuple((f"/{n}", f"Title {n}", "text") for n in range(40))
    server.documents["/x"] = (rss(*same), "text/xml")
    feeds = [feed(server, f"feed-{n}", f"/x?{n}") for n in range(8)]
    for n in range(8):
        server.documents[f"/x?{n}"] = server.documents["/x"]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: drain(poller(world, feeds, batch=2)), range(3)))
    assert sum(f["articles"] for f in found) == 40
    assert sum(f["sightings"] for f in found) == 40 * 7
    assert len(world.read(ARTICLES)) == 40 * 8
    assert {server.requests[f"/x?{n}"] for n in range(8)} == {1}


def test_feeds_that_nobody_polls_are_overdue(world: World, server: FeedServer) -> None:
    one = poller(world, [feed(server, "a", "/a"), feed(server, "b", "/b")])
    one.batches()
    with world.engine.begin() as tx:
        tx.execute(text("UPDATE feeds SET next_poll_at = now() - interval '5 minutes' WHERE feed_id = 'a'"))
        assert queries.overview(tx).overdue == 1
        assert queries.overview(tx, timedelta(minutes=6)).overdue == 0
    server.documents["/a"] = server.documents["/b"] = (rss(("/1", "One", "t")), "text/xml")
    poll_all(one)
    with world.engine.connect() as tx:
        figures = queries.overview(tx)
    assert figures.overdue == 0
    assert figures.last_success_at == figures.last_poll_at


def test_a_host_is_in_one_polls_hands_at_a_time(world: World, server: FeedServer) -> None:
    here = [feed(server, f"here-{n}", f"/{n}") for n in range(3)]
    there = replace(here[0], id="there", url="http://LOCALHOST:1/feed")
    with world.engine.begin() as tx:
        memory.sync_registry(tx, [*here, there], "any")
    with world.engine.begin() as first, ThreadPoolExecutor(1) as threads:
        assert [f.id for f, _ in memory.claim(first, "a", 1, HOUR)] == ["here-0"]

        def claim() -> list[str]:
            with world.engine.begin() as tx:
                return [f.id for f, _ in memory.claim(tx, "b", 9, HOUR)]

        # It waits for the first one's commit: until then the lease is not to be seen.
        second = threads.submit(claim)
        until(lambda: world.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") == 1, 20)
        first.commit()
        assert second.result(20) == ["there"]
    with world.engine.begin() as tx:
        assert memory.claim(tx, "b", 9, HOUR, ["here-1"]) == []
        memory.give_back(tx, "a")
        assert [f.id for f, _ in memory.claim(tx, "c", 9, HOUR)] == ["here-0", "here-1", "here-2"]


def test_a_host_that_wants_patience_is_left_alone_with_all_its_feeds(world: World) -> None:
    with LyingServer() as busy, FeedServer().serving() as other:
        feeds = [replace(feed(other, f"busy-{n}", "/"), url=busy.url(f"/{n}")) for n in range(6)]
        feeds.append(
            replace(feed(other, "other", "/x"), url=other.url("/x").replace("127.0.0.1", "localhost"))
        )
        feeds[-1] = replace(feeds[-1], allow_hosts=frozenset({"localhost"}))
        other.documents["/x"] = (rss(("/1", "One", "t")), "text/xml")
        busy.answers = {f"/{n}": http(429, Retry_After="7200") for n in range(6)}
        one = poller(world, feeds, batch=4)
        sums = drain(one)
    assert (sums["feeds"], sums["articles"]) == (5, 1)  # four of the first batch, and the one elsewhere
    assert 1 <= len(busy.asked) <= 2  # those that were under way
    for number in range(6):
        waits = (
            "SELECT next_poll_at > now() + interval '110 min' AND next_poll_at = "
            "(state->>'next_poll_at')::timestamptz FROM feeds WHERE feed_id = :id"
        )
        assert world.scalar(waits, id=f"busy-{number}")
    assert world.scalar("SELECT count(*) FROM feeds WHERE state->>'status' = 'failing'") == len(busy.asked)
    held = "SELECT count(*) FROM polls p WHERE p.fetch = 'held' AND detail LIKE '%429%'"
    assert world.scalar(held) == 4 - len(busy.asked)


def test_without_a_broker_nothing_is_remembered(world: World, server: FeedServer) -> None:
    server.documents["/a"] = (rss(("/1", "One", "t")), "text/xml")
    feeds = [feed(server, "a", "/a")]
    with pytest.raises(UnavailableError):
        poll_all(poller(world, feeds, Broker("127.0.0.1:1")))
    assert world.scalar("SELECT count(*) FROM known_articles") == 0
    assert world.scalar("SELECT count(*) FROM polls") == 0
    assert world.scalar("SELECT leased_by FROM feeds") is None
    assert poll_all(poller(world, feeds))["articles"] == 1  # no validator hides it


def test_real_feeds_balance_to_the_entry(world: World, server: FeedServer, shared: Path) -> None:
    feeds = []
    for number, path in enumerate(sorted((shared / "data" / "feeds").glob("*.xml"))):
        server.documents[f"/{number}"] = (path.read_bytes(), "application/xml")
        feeds.append(feed(server, f"real-{number}", f"/{number}", rank=1 + number % 5))
    sums = poll_all(poller(world, feeds))
    assert sums["feeds"] == len(feeds)
    parts = ("articles", "revisions", "sightings", "unchanged", "rejected")
    assert sums["entries"] == sum(sums[p] for p in parts)
    assert sums["unchanged"] == 0
    published = sums["articles"] + sums["revisions"] + sums["sightings"]
    assert len(world.read(ARTICLES)) == published
    addresses = {json.loads(r.value)["article_id"] for r in world.read(ARTICLES)}

    start_classifier(world)
    until(lambda: world.scalar("SELECT sum(next_offset) FROM consumer_offsets") == published, 120)
    assert world.scalar("SELECT count(*) FROM dead_letters") == 0
    assert world.scalar("SELECT count(*) FROM articles") == sums["articles"] == len(addresses)
    lacking = (
        "SELECT count(*) FROM articles a LEFT JOIN assessments v USING (article_id) "
        "WHERE v.revision IS DISTINCT FROM a.revision"
    )
    assert world.scalar(lacking) == 0
    reasons = world.scalar(
        "SELECT count(*) FROM polls, jsonb_array_elements(rejects) r WHERE r->>0 <> '' AND r->>1 <> ''"
    )
    assert reasons == sums["rejected"]
