"""Finding a site's feeds: what a page names, the usual paths, and pages that mean no good."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.address import BadAddressError
from pipeline.feeds.discover import MAX_LINKS, USUAL_PATHS, discover, language_of, links, spoken
from pipeline.feeds.fetch import Limits
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Entry
from tests.unit.feeds.feed_factory import a_feed, an_item, identified, rss
from tests.unit.feeds.lying_server import LyingServer, http

LIMITS = Limits(user_agent="racewire-test", total=5)
HERE = frozenset({"127.0.0.1"})
PAGE = "https://paper.example/news/index.html"
FEED = http(body=rss(an_item("https://paper.example/a", "Lab ships")))
NOT_FOUND = http(404)


def link(href: str, kind: str = "application/rss+xml", rel: str = "alternate") -> str:
    return f'<link rel="{rel}" type="{kind}" title="Feed" href="{href}">'


def asked(server: LyingServer) -> list[str]:
    return [request.split()[1].decode() for request in server.asked]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (link("/feed"), ["https://paper.example/feed"]),
        (link("feed.xml"), ["https://paper.example/news/feed.xml"]),
        (link("//cdn.example/f", "application/atom+xml"), ["https://cdn.example/f"]),
        (link("/f.json", "application/feed+json; charset=utf-8"), ["https://paper.example/f.json"]),
        ("<LINK HREF='/f' TYPE='Application/RSS+XML' REL='home Alternate'/>", ["https://paper.example/f"]),
        ('<base href="https://other.example/x/">' + link("f"), ["https://other.example/x/f"]),
        (link("/f?a=1&amp;b=2"), ["https://paper.example/f?a=1&b=2"]),
        (link("/f") + link("http://www.paper.example/f/#top"), ["https://paper.example/f"]),
        (link("/b") + link("/a"), ["https://paper.example/b", "https://paper.example/a"]),
        (link("/wp-json", "application/json"), []),
        (link("/de", "text/html"), []),
        (link("/f", rel="stylesheet"), []),
        (link("javascript:alert(1)") + link("file:///etc/passwd") + link("http://[bad"), []),
        ('<a href="/feed">RSS</a>', []),
    ],
)
def test_what_a_page_names(page: str, found: list[str]) -> None:
    assert list(links(f"<html><head>{page}</head>".encode(), PAGE)) == found


def test_a_page_that_names_feeds_without_end_is_believed_a_little() -> None:
    page = "".join(link(f"/{n}") for n in range(10_000)).encode()
    assert len(links(page, PAGE)) == MAX_LINKS


@pytest.mark.parametrize("piece", [b"<link ", b"<link rel='", b"<!--", b"<link a=b>", b'<link =">'])
def test_a_hostile_page_is_read_in_linear_time(piece: bytes) -> None:
    assert links(piece * 1_000_000, PAGE) == ()  # the suite's time-out is what fails


@given(st.binary(max_size=300))
def test_no_page_raises(page: bytes) -> None:
    links(b"<base href='" + page + b"'><link rel=alternate type=text/xml href=" + page + b">" + page, PAGE)


def test_an_address_that_is_a_feed_is_offered_as_it_is() -> None:
    with LyingServer() as server:
        server.answers["/feed"] = FEED
        offers, misses = discover(server.url("/feed"), LIMITS, allow_hosts=HERE)
        assert asked(server) == ["/feed"]
    assert [offer.url for offer in offers] == [server.url("/feed")]
    assert len(offers[0].parsed.entries) == 1
    assert misses == ()


def test_what_a_page_names_is_offered_if_it_is_a_feed() -> None:
    with LyingServer() as server:
        server.answers["/"] = http(body=(link("/all") + link("/gone") + link("/comments")).encode())
        server.answers |= {"/all": FEED, "/gone": NOT_FOUND, "/comments": FEED}
        offers, misses = discover(server.url(""), LIMITS, allow_hosts=HERE)
        assert asked(server) == ["/", "/all", "/gone", "/comments"]
    assert [offer.url for offer in offers] == [server.url("/all"), server.url("/comments")]
    assert any(miss.url.endswith("/gone") and miss.why.startswith("http-404") for miss in misses)


def test_a_feed_that_moved_for_good_is_offered_where_it_is_now() -> None:
    with LyingServer() as server:
        page = (link("/old") + link("/older")).encode()
        server.answers |= {"/": http(body=page), "/new": http(302, Location="/cdn"), "/cdn": FEED}
        server.answers |= dict.fromkeys(("/old", "/older"), http(301, Location="/new"))
        offers, _ = discover(server.url("/"), LIMITS, allow_hosts=HERE)
    assert [offer.url for offer in offers] == [server.url("/new")]


def test_the_usual_paths_are_tried_until_one_is_a_feed() -> None:
    with LyingServer() as server:
        server.answers["/blog/"] = http(body=b"<html><p>Hello</p></html>")
        server.answers |= {"/feed": NOT_FOUND, "/rss": http(body=b"<html>Soon</html>"), "/rss.xml": FEED}
        offers, misses = discover(server.url("/blog/"), LIMITS, allow_hosts=HERE)
        assert asked(server) == ["/blog/", "/feed", "/rss", "/rss.xml"]
    assert [offer.url for offer in offers] == [server.url("/rss.xml")]
    assert [miss.why.partition(":")[0] for miss in misses] == ["html", "http-404", "html"]


def test_a_site_without_a_feed_says_what_was_asked() -> None:
    with LyingServer() as server:
        server.answers = {"/": http(body=b"<html>"), **dict.fromkeys(USUAL_PATHS, NOT_FOUND)}
        offers, misses = discover(server.url("/"), LIMITS, allow_hosts=HERE)
    assert offers == ()
    assert [miss.url for miss in misses] == [server.url(path) for path in ("/", *USUAL_PATHS)]


def test_a_server_that_refuses_is_not_asked_for_more() -> None:
    with LyingServer() as server:
        server.answers |= {"/": http(403), "/page": http(body=b"<html>"), "/feed": http(429)}
        server.answers |= {"/two": http(body=(link("/a") + link("/b")).encode()), "/a": http(429)}
        for path in ("/", "/page", "/two"):
            assert discover(server.url(path), LIMITS, allow_hosts=HERE)[0] == ()
        assert asked(server) == ["/", "/page", "/feed", "/two", "/a"]


def test_a_page_cannot_lead_to_a_private_address() -> None:
    with LyingServer() as server:
        inside = server.url("/feed", host="localhost")
        server.answers |= {"/": http(body=link(inside).encode()), **dict.fromkeys(USUAL_PATHS, NOT_FOUND)}
        offers, misses = discover(server.url("/"), LIMITS, allow_hosts=HERE)
        assert asked(server)[1] == USUAL_PATHS[0]
    assert offers == ()
    assert any(miss.url == inside and miss.why.startswith("refused-address") for miss in misses)
    assert discover(server.url("/"), LIMITS)[1][0].why.startswith("refused-address")


def test_what_is_no_address_is_an_error() -> None:
    with pytest.raises(BadAddressError):
        discover("https://[bad", LIMITS)


@pytest.mark.parametrize(
    ("said", "language"),
    [("en-US", "en"), ("DE", "de"), ("zh_CN", "zh"), ("", "fr"), ("English", "fr"), ("-", "fr")],
)
def test_the_language_a_feed_states(said: str, language: str) -> None:
    assert language_of(said, "fr") == language


def test_most_entries_say_what_a_feed_speaks() -> None:
    german = "Die Bundesregierung hat gestern ein neues Gesetz für künstliche Intelligenz beschlossen."
    entries = [Entry(link=f"https://paper.example/{n}", title=german, text=german) for n in range(3)]
    assert spoken(identified(a_feed(language="en"), entries), "en") == "de"
    assert spoken((), "en") == "en"


def test_real_feeds_state_their_language(shared: Path) -> None:
    stated = [
        language_of(parse(path.read_bytes(), url=PAGE).language, "")
        for path in sorted((shared / "data" / "feeds").glob("*.xml"))[:20]
    ]
    assert sum(map(bool, stated)) > len(stated) // 2


def test_a_json_feed_that_a_page_names_is_offered_with_its_language() -> None:
    feed = b'{"version": "https://jsonfeed.org/version/1.1", "language": "de-DE", "items": [{"id": "1"}]}'
    with LyingServer() as server:
        page = link("/f", "application/feed+json").encode()
        server.answers |= {"/": http(body=page), "/f": http(body=feed)}
        ((offer,), _) = discover(server.url("/"), LIMITS, allow_hosts=HERE)
    assert language_of(offer.parsed.language, "en") == "de"
