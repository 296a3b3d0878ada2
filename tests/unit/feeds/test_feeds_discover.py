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
        ('<a href="/feed">RSS</a>', ["https://paper.example/feed"]),
        ('<a href="/feed">RSS</a>' + link("/f"), ["https://paper.example/f"]),
        ('<base href="/x/"><a class=b href="rss.xml#top">x</a>', ["https://paper.example/x/rss.xml"]),
        ('<a href="/?feed=rss2">', ["https://paper.example/?feed=rss2"]),
        ('<a href="/feedback"><a href="/news/newsfeeder"><a href="mailto:rss@x"><a href="/about">', []),
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
        below = [f"/blog{path}" for path in USUAL_PATHS]
        server.answers |= dict.fromkeys(below, NOT_FOUND)
        server.answers |= {"/feed": NOT_FOUND, "/rss": http(body=b"<html>Soon</html>"), "/rss.xml": FEED}
        offers, misses = discover(server.url("/blog/"), LIMITS, allow_hosts=HERE)
        assert asked(server) == ["/blog/", *below, "/feed", "/rss", "/rss.xml"]
        assert [offer.url for offer in offers] == [server.url("/rss.xml")]
        assert [miss.why.partition(":")[0] for miss in misses] == ["html", *["http-404"] * 8, "html"]
        server.answers |= {"/blog/post.html": server.answers["/blog/"], "/blog/rss": FEED}
        ((offer,), _) = discover(server.url("/blog/post.html"), LIMITS, allow_hosts=HERE)
        assert offer.url == server.url("/blog/rss")


def test_a_home_page_that_is_kept_from_us_says_nothing_of_the_feeds() -> None:
    with LyingServer() as server:
        server.answers |= {"/": http(403), "/feed": NOT_FOUND, "/rss": FEED}
        ((offer,), (miss, _)) = discover(server.url("/"), LIMITS, allow_hosts=HERE)
    assert offer.url == server.url("/rss")
    assert miss.why.startswith("http-403")


def test_feeds_of_comments_come_last() -> None:
    page = link("/comments/feed") + link("/a") + link("/b")
    with LyingServer() as server:
        server.answers |= {
            "/": http(body=page.encode()),
            **dict.fromkeys(("/comments/feed", "/a", "/b"), FEED),
        }
        offers, _ = discover(server.url("/"), LIMITS, allow_hosts=HERE)
    assert [offer.url for offer in offers] == [server.url(p) for p in ("/a", "/b", "/comments/feed")]


NEWS = (
    b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    b'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://paper.example/a</loc>'
    b"<news:news><news:title>Lab ships</news:title></news:news></url></urlset>"
)


def test_a_news_sitemap_is_found_by_robots_txt() -> None:
    def index(*urls: str) -> bytes:
        listed = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
        return http(body=f'<sitemapindex xmlns="x">{listed}</sitemapindex>'.encode())

    with LyingServer() as server:
        lines = [f"Sitemap: {server.url(p)}" for p in ("/pages.xml", "/index.xml?1", "/news.xml")]
        server.answers |= {"/": http(body=b"<html>"), **dict.fromkeys(USUAL_PATHS, NOT_FOUND)}
        server.answers |= {"/robots.txt": http(body="\n".join(["User-agent: *", *lines]).encode())}
        server.answers |= {"/news.xml": http(body=NEWS)}
        ((offer,), _) = discover(server.url("/"), LIMITS, allow_hosts=HERE)
        assert offer.url == server.url("/news.xml")
        assert "/pages.xml" not in asked(server)
        server.answers |= {"/news.xml": NOT_FOUND, "/pages.xml": NOT_FOUND, "/sitemap-news": http(body=NEWS)}
        server.answers["/index.xml?1"] = index(server.url("/old"), server.url("/sitemap-news"))
        ((offer,), _) = discover(server.url("/"), LIMITS, allow_hosts=HERE)
        assert offer.url == server.url("/sitemap-news")
        # One that lists others without end is followed for a while.
        pages = [f"/news-{n}.xml" for n in range(200)]
        server.answers |= {p: index(*map(server.url, pages[n : n + 9])) for n, p in enumerate(pages)}
        server.answers["/index.xml?1"] = index(*map(server.url, pages[:9]))
        before = len(server.asked)
        assert discover(server.url("/"), LIMITS, allow_hosts=HERE)[0] == ()
        assert len(server.asked) - before < 40


def test_a_site_without_a_feed_says_what_was_asked() -> None:
    with LyingServer() as server:
        server.answers = {"/": http(body=b"<html>"), "/robots.txt": NOT_FOUND}
        server.answers |= dict.fromkeys(USUAL_PATHS, NOT_FOUND)
        offers, misses = discover(server.url("/"), LIMITS, allow_hosts=HERE)
    assert offers == ()
    assert [miss.url for miss in misses] == [server.url(path) for path in ("/", *USUAL_PATHS)]


def test_a_server_that_wants_to_be_left_alone_is_not_asked_for_more() -> None:
    with LyingServer() as server:
        server.answers |= {"/": http(429), "/page.html": http(body=b"<html>"), "/feed": http(503)}
        server.answers |= {"/two": http(body=(link("/a") + link("/b")).encode()), "/a": http(429)}
        for path in ("/", "/page.html", "/two"):
            assert discover(server.url(path), LIMITS, allow_hosts=HERE)[0] == ()
        assert asked(server) == ["/", "/page.html", "/feed", "/two", "/a"]
    with LyingServer() as server:
        server.answers["/"] = b"no HTTP"
        assert discover(server.url("/"), LIMITS, allow_hosts=HERE)[0] == ()
        assert asked(server) == ["/"]


def test_a_page_cannot_lead_to_a_private_address() -> None:
    with LyingServer() as server:
        inside = server.url("/feed", host="localhost")
        server.answers |= {"/": http(body=link(inside).encode()), "/robots.txt": NOT_FOUND}
        server.answers |= dict.fromkeys(USUAL_PATHS, NOT_FOUND)
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
