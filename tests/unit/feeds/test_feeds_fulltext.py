"""Pages of teasers on a real socket: which are asked for, by whose leave, and what becomes of the entries."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from pipeline.feeds import fulltext, robots
from pipeline.feeds.fetch import Limits
from pipeline.feeds.fulltext import MAX_PAGES, Completed, complete
from pipeline.feeds.outcomes import Candidate, Known
from pipeline.feeds.values import Entry, Feed, Robots
from tests.unit.feeds.feed_factory import DETECTOR, NOW, a_feed, identified
from tests.unit.feeds.lying_server import LyingServer, http

LIMITS = Limits(user_agent="racewire-test", total=5)
TITLE, TEASER = "Lab delays its flagship model", "The flagship model needs more safety tests."
TEXT = (
    "The lab said on Monday that its flagship model will not ship before autumn, since safety tests are late."
)
PAGE = http(
    body=f"<html><body><article><p>{TEXT}</p></article></body></html>".encode(), Content_Type="text/html"
)


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as found:
        found.answers["/robots.txt"] = http(404)
        yield found


def feed(server: LyingServer, name: str = "paper") -> Feed:
    given = a_feed(name, url=server.url("/feed"))
    return replace(given, full_text=True, allow_hosts=frozenset({"127.0.0.1"}))


def teasers(server: LyingServer, of: Feed, *paths: str, text: str = TEASER) -> fulltext.Entries:
    return identified(
        of,
        [
            Entry(link=server.url(path), title=TITLE, text=text, published=NOW - timedelta(hours=n))
            for n, path in enumerate(paths)
        ],
    )


def completed(
    *documents: tuple[Feed, fulltext.Entries],
    known: Mapping[str, Known] | None = None,
    rules: Mapping[str, Robots] | None = None,
) -> Completed:
    return complete(documents, known or {}, rules or {}, LIMITS, DETECTOR, now=NOW)


def asked(server: LyingServer) -> list[str]:
    return sorted(request.split()[1].decode() for request in server.asked)


def texts(entries: fulltext.Entries) -> list[tuple[str, str, bool]]:
    return [
        (e.article.text, e.article.text_source, e.teaser is not None)
        for e in entries
        if isinstance(e, Candidate)
    ]


def test_teasers_get_the_text_of_their_pages_or_stand_with_a_reason(server: LyingServer) -> None:
    paper = feed(server)
    server.answers |= {
        "/1": PAGE,
        "/2": http(404),
        "/3": http(body=b"<html>Welcome", Content_Type="text/html"),
    }
    found = completed((paper, teasers(server, paper, "/1", "/2", "/3")))
    assert texts(found.entries[0]) == [
        (TEXT, "page", True), (TEASER, "summary", True), (TEASER, "summary", True),
    ]  # fmt: skip
    assert found.pages == ({0: "page", 1: "http-404", 2: "no-article"},)
    assert asked(server) == ["/1", "/2", "/3", "/robots.txt"]
    assert all(b"text/html" in request for request in server.asked if b"robots" not in request)


def test_only_teasers_of_marked_feeds_are_asked_for(server: LyingServer) -> None:
    paper = feed(server)
    whole = identified(
        paper, [Entry(link=server.url("/1"), title=TITLE, text=TEXT * 9, text_source="content")]
    )
    unmarked = replace(paper, full_text=False)
    given = (paper, whole), (unmarked, teasers(server, unmarked, "/2"))
    found = completed(*given)
    assert found.entries == tuple(entries for _, entries in given)
    assert found.pages == ({}, {})
    assert asked(server) == []


def test_rules_are_asked_for_once_and_kept_to(server: LyingServer) -> None:
    paper = feed(server)
    server.answers |= {"/robots.txt": http(body=b"User-agent: *\nDisallow: /1"), "/2": PAGE}
    entries = teasers(server, paper, "/1", "/2")
    first = completed((paper, entries))
    assert first.pages == ({0: "robots", 1: "page"},)
    (rules,) = first.robots
    assert rules.origin == robots.origin(server.url("/"))
    second = completed((paper, entries), rules={rules.origin: rules})
    assert (second.pages, second.robots) == (first.pages, ())
    assert asked(server) == ["/2", "/2", "/robots.txt"]


def test_without_an_answer_on_rules_no_page_is_asked_and_none_is_given_up(server: LyingServer) -> None:
    paper = feed(server)
    server.answers["/robots.txt"] = http(503, Retry_After="60")
    found = completed((paper, teasers(server, paper, "/1")))
    assert found.pages == ({0: "robots-unreachable"},)
    assert texts(found.entries[0]) == [(TEASER, "summary", False)]
    assert [answer.holds_host for answer in found.answers] == [True]


def test_a_poll_asks_for_so_many_pages_the_newest_first(server: LyingServer) -> None:
    paper = feed(server)
    paths = [f"/{n}" for n in range(MAX_PAGES + 3)]
    server.answers |= dict.fromkeys(paths, PAGE)
    (found,) = completed((paper, teasers(server, paper, *reversed(paths)))).pages
    assert [position for position, what in found.items() if what == "page"] == list(range(MAX_PAGES))
    assert [found[MAX_PAGES + n] for n in range(3)] == ["later"] * 3


def test_a_host_that_wants_patience_is_left_alone(server: LyingServer) -> None:
    paper = feed(server)
    paths = [f"/{n}" for n in range(9)]
    server.answers |= dict.fromkeys(paths, http(429, Retry_After="60"))
    found = completed((paper, teasers(server, paper, *paths)))
    reasons = list(found.pages[0].values())
    assert set(reasons) == {"http-429", "later"}
    assert reasons.count("http-429") <= 2  # those that were under way


def test_feeds_share_the_page_of_an_article_but_not_the_hosts_they_may_reach(server: LyingServer) -> None:
    one, two, outsider = (feed(server, name) for name in ("one", "two", "outsider"))
    outsider = replace(outsider, allow_hosts=frozenset())
    server.answers["/1"] = PAGE
    found = completed(*((f, teasers(server, f, "/1")) for f in (one, two, outsider)))
    assert found.pages == ({0: "page"}, {0: "page"}, {0: "refused-address"})
    assert asked(server) == ["/1", "/robots.txt"]


def test_rules_at_a_private_address_are_not_asked_for(server: LyingServer) -> None:
    outsider = replace(feed(server), allow_hosts=frozenset())
    found = completed((outsider, teasers(server, outsider, "/1")))
    assert found.pages == ({0: "robots-unreachable"},)
    assert found.robots == ()  # nor is the refusal remembered for feeds that may
    assert asked(server) == []


def test_of_entries_with_one_address_the_richest_has_its_page_read(server: LyingServer) -> None:
    paper = feed(server)
    server.answers["/1"] = PAGE
    short, long = teasers(server, paper, "/1", "/1?utm_source=rss")
    assert isinstance(long, Candidate)
    long = replace(long, article=replace(long.article, text=f"{TEASER} It says."), text_length=60)
    found = completed((paper, (short, long)))
    assert found.pages == ({1: "page"},)
    assert found.entries[0][0] == short
