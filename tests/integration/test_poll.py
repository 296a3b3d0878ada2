"""Polling real servers into real topics: exact balance, two polls at once, a broker that is away."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from pipeline.assets import classifier as real_classifier
from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.consumer import ConsumerLoop
from pipeline.feeds.cadence import Bounds
from pipeline.feeds.decide import Horizon
from pipeline.feeds.fetch import Limits
from pipeline.feeds.registry import Registry
from pipeline.feeds.values import Feed
from pipeline.store import feeds as memory
from pipeline.store import queries
from pipeline.store.database import connect
from pipeline.store.registry import revive, sync_registry
from pipeline.workers import classifier
from pipeline.workers.poller import Poller
from pipeline.workers.relay import event_id_of
from pipeline.workers.summary import totals
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


AGES = timedelta(days=36_500)
ALL_NEWS = Horizon(first_import=AGES, seen=AGES)


def poller(
    world: World,
    feeds: list[Feed],
    broker: Broker | None = None,
    batch: int = 20,
    horizon: Horizon = ALL_NEWS,
) -> Poller:
    """A poller for whom a feed is not due again while a test lasts, and everything is news."""
    return Poller(
        connect(world.servers.database_url.get_secret_value()),
        broker or world.broker,
        world.topics,
        Registry.of(feeds),
        limits=Limits(user_agent="racewire-test"),
        bounds=Bounds(floor=HOUR, start=HOUR, ceiling=HOUR),
        batch=batch,
        horizon=horizon,
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


def start_classifier(world: World, source: str = ARTICLES) -> None:
    name = world.settings.topic_prefix + classifier.NAMES[source]
    strategy = classifier.strategy(world.engine, world.topics, name, real_classifier(), source)
    world.start(ConsumerLoop(world.broker, [world.topics[source].name], name, strategy).run)


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
    world: World, server: FeedServer
) -> None:
    for name in ("a", "b"):
        server.documents[f"/{name}"] = (rss((f"/{name}", "One", "t")), "text/xml")
    poll_all(poller(world, [feed(server, name, f"/{name}") for name in ("a", "b")]))
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM assessments") == 2, 60)
    poll_all(poller(world, [feed(server, "b", "/b")]))
    listed = world.invoke("feeds", "list", "--json")
    shown = [(f["feed"]["id"], bool(f["removed_at"])) for f in json.loads(listed.output)]
    assert shown == [("b", False), ("a", True)]
    table = world.invoke("feeds", "list").output
    assert [("removed" in line) for line in table.splitlines() if line.startswith("│")] == [False, True]
    assert world.scalar("SELECT count(*) FROM articles WHERE feed_id = 'a'") == 1
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
        sync_registry(tx, [*here, there], "any")
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
        sums = drain(poller(world, feeds, batch=4))
        asked = len(busy.asked)
        # What is registered later is held as well, and so is who is sent there from elsewhere.
        busy.answers["/away"] = http(302, Location=busy.url("/0"))
        late = replace(feeds[0], id="late", url=busy.url("/late"))
        away = replace(feeds[-1], id="away", url=busy.url("/away", "localhost"))
        drain(poller(world, [*feeds, late, away]))
        assert [r.split()[1] for r in busy.asked[asked:]] == [b"/away"]
    assert (sums["feeds"], sums["articles"]) == (7, 1)
    assert 1 <= asked <= 2  # those that were under way
    assert world.scalar("SELECT count(*) FROM held_hosts") == 1
    for name in (*(f"busy-{number}" for number in range(6)), "late", "away"):
        waits = (
            "SELECT next_poll_at > now() + interval '110 min' AND next_poll_at = "
            "(state->>'next_poll_at')::timestamptz FROM feeds WHERE feed_id = :id"
        )
        assert world.scalar(waits, id=name)
    assert world.scalar("SELECT count(*) FROM feeds WHERE state->>'status' = 'failing'") == asked
    held = "SELECT count(*) FROM polls p WHERE p.fetch = 'held' AND detail LIKE 'not asked: %'"
    assert world.scalar(held) == 8 - asked


def test_a_feed_that_moved_is_asked_there_once_and_by_one_feed_only(world: World, server: FeedServer) -> None:
    server.documents["/new"] = (rss(("/1", "One", "t")), "text/xml")
    with LyingServer() as old:
        old.answers["/old"] = http(301, Location=server.url("/new").replace("127.0.0.1", "localhost"))
        feeds = [replace(feed(server, name, "/"), url=old.url(f"/old?{name}")) for name in ("a", "b")]
        feeds = [replace(f, allow_hosts=frozenset({"127.0.0.1", "localhost"})) for f in feeds]
        old.answers |= {f"/old?{name}": old.answers["/old"] for name in ("a", "b")}
        poll_all(poller(world, feeds))
        with world.engine.begin() as tx:  # as if it had been so for a week
            week = {"since": "2026-11-18T00:00:00Z", "polls": 9}
            tx.execute(
                text("UPDATE feeds SET state = jsonb_set(state, '{moving}', state->'moving' || :week)"),
                {"week": json.dumps(week)},
            )
        poll_all(poller(world, feeds), ["a", "b"])
        assert (len(old.asked), server.requests["/new"]) == (4, 4)
        for _ in range(2):
            with world.engine.begin() as tx:
                tx.execute(text("UPDATE feeds SET next_poll_at = now() WHERE next_poll_at IS NOT NULL"))
            poll_all(poller(world, feeds))
    assert (len(old.asked), server.requests["/new"]) == (4, 4 + 2 + 1)  # `b` found `a` there
    assert world.scalar("SELECT state->>'status' FROM feeds WHERE feed_id = 'b'") == "duplicate"
    there = replace(feed(server, "c", "/new"), url=server.url("/new").replace("127.0.0.1", "localhost"))
    with world.engine.begin() as tx:
        sync_registry(tx, [*feeds, there], "any")
        # The host that counts is the one that is asked.
        assert [f.id for f, _ in memory.claim(tx, "x", 9, HOUR, ["a"])] == ["a"]
    with world.engine.begin() as tx:
        assert memory.claim(tx, "y", 9, HOUR, ["c"]) == []
        memory.give_back(tx, "x")
    checked = world.invoke("feeds", "check").output
    assert f"a is moved: it is asked at {there.url} now; write that into the registry" in checked
    assert "b is moved: it moved to" in checked
    # A duplicate is polled again once it is the only one.
    due = "SELECT next_poll_at IS NOT NULL FROM feeds WHERE feed_id = 'b'"
    for registered, expected in ((feeds, False), (feeds[1:], True)):
        with world.engine.begin() as tx:
            sync_registry(tx, registered, "any")
            revive(tx)
        assert world.scalar(due) is expected
    # Another address in the registry voids what was learned of the old one.
    mended = [there, replace(feeds[0], url=old.url("/else"))]
    with world.engine.begin() as tx:
        sync_registry(tx, mended, "other")
    assert world.scalar("SELECT state->>'moved_to' FROM feeds WHERE feed_id = 'a'") is None


def test_full_text_is_read_once_and_stays_while_the_teaser_does(world: World, server: FeedServer) -> None:
    def page(name: str) -> tuple[bytes, str]:
        words = f"{name} is what the page says of it, at some length and in whole sentences. " * 9
        return f"<html><body><article><p>{words}</p></article></body></html>".encode(), "text/html"

    link = server.url("")
    server.documents |= {f"/{n}": page(f"Title {n}") for n in range(25)}
    server.documents["/robots.txt"] = (b"User-agent: *\nDisallow: /3", "text/plain")
    server.documents["/a"] = (rss(*((f"/{n}", f"Title {n}", "t") for n in range(22)), link=link), "text/xml")
    feeds = [replace(feed(server, "a", "/a"), full_text=True)]
    first = poll_all(poller(world, feeds))
    assert first["articles"] == 22
    counts = "SELECT pages FROM polls ORDER BY id DESC LIMIT 1"
    assert world.scalar(counts) == {"page": 19, "robots": 1, "later": 2}
    second = poll_all(poller(world, feeds), ["a"])  # no validators: what is left has its turn
    assert (second["revisions"], second["unchanged"], world.scalar(counts)) == (2, 20, {"page": 2})
    assert poll_all(poller(world, feeds), ["a"])["entries"] == 0
    server.documents["/a"] = (rss(("/1", "Title 1", "t"), ("/24", "Title 24", "t"), link=link), "text/xml")
    third = poll_all(poller(world, feeds), ["a"])
    assert (third["articles"], third["unchanged"], third["revisions"]) == (1, 1, 0)
    assert server.requests["/robots.txt"] == server.requests["/1"] == 1
    sources = [json.loads(r.value)["text_source"] for r in world.read(ARTICLES)]
    assert (sources.count("page"), sources.count("summary")) == (22, 3)
    start_classifier(world)
    until(lambda: world.scalar("SELECT count(*) FROM articles WHERE text_source = 'page'") == 22, 60)


def test_variants_of_an_address_meet_where_their_page_says(world: World, server: FeedServer) -> None:
    words = "The lab said that its model comes later than it had promised to its customers. " * 5
    for path in ("/a/lab-model", "/b/lab-model"):
        head = "<head><link rel=canonical href=/lab-model></head>"
        server.documents[path] = (f"<html>{head}<body><p>{words}</p></body>".encode(), "text/html")
    link = server.url("")
    for name in ("a", "b", "c"):
        path = "/a/lab-model" if name == "c" else f"/{name}/lab-model"
        server.documents[f"/{name}"] = (rss((path, "Lab model comes later", "t"), link=link), "text/xml")
    feeds = [replace(feed(server, name, f"/{name}"), full_text=name != "c") for name in ("a", "b", "c")]
    one = poller(world, feeds)
    assert [poll_all(poller(world, feeds), [name])["articles"] for name in ("a", "b", "c")] == [1, 0, 0]
    assert poll_all(one, ["a", "b", "c"])["entries"] == 0
    found = [json.loads(r.value) for r in world.read(ARTICLES)]
    assert [(a["kind"], a["feed"]["id"]) for a in found] == [
        ("article", "a"), ("sighting", "b"), ("sighting", "c"),
    ]  # fmt: skip
    assert len({a["article_id"] for a in found}) == 1
    assert [a["url"] for a in found] == [server.url(p) for p in ("/lab-model", "/lab-model", "/a/lab-model")]


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
