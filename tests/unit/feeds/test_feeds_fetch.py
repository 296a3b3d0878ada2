"""What is asked, at which addresses, and what comes of it. How servers lie is in `test_feeds_lies.py`."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.feeds import fetch as fetching
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.guard import is_public
from pipeline.feeds.values import Fetched, Validators
from tests.unit.feeds.feed_factory import a_feed
from tests.unit.feeds.lying_server import LyingServer, http

BODY = b"<rss/>" * 50
LIMITS = Limits(user_agent="racewire-test (+mailto:desk@paper.example)", total=5, body=100_000)
IMPATIENT = replace(LIMITS, total=0.3)


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as server:
        yield server


def fetch(
    url: str, validators: Validators | None = None, *, limits: Limits = LIMITS, allow: str = "127.0.0.1"
) -> Fetched:
    feed = replace(a_feed(url=url), allow_hosts=frozenset({allow}))
    (fetched,) = fetch_all([(feed, validators or Validators())], limits)
    return fetched


def test_a_document_comes_with_what_tells_it_unchanged(server: LyingServer) -> None:
    server.answers["/feed"] = http(
        body=BODY, ETag='W/"1"', Last_Modified="yesterday", Content_Type="text/xml"
    )
    fetched = fetch(server.url("/feed"))
    assert (fetched.kind, fetched.status, fetched.body, fetched.content_type) == ("ok", 200, BODY, "text/xml")
    assert (fetched.validators.etag, fetched.validators.last_modified) == ('W/"1"', "yesterday")
    (request,) = server.asked
    assert b"User-Agent: racewire-test (+mailto:desk@paper.example)" in request
    assert b"Accept-Encoding: gzip, br, zstd" in request
    assert b"If-" not in request


def test_an_unchanged_document_is_asked_for_conditionally_and_not_read(server: LyingServer) -> None:
    server.answers["/feed"] = http(304)
    known = Validators(etag='"1"', last_modified="Tue, 24 Nov 2026 10:00:00 GMT", body_hash="x")
    fetched = fetch(server.url("/feed"), known)
    assert (fetched.kind, fetched.validators) == ("not-modified", known)
    (request,) = server.asked
    assert b'If-None-Match: "1"' in request
    assert b"If-Modified-Since: Tue, 24 Nov 2026 10:00:00 GMT" in request


def test_the_same_body_is_unchanged_whatever_the_validators_say(server: LyingServer) -> None:
    server.answers["/feed"] = http(body=BODY, ETag='"1"')
    known = fetch(server.url("/feed")).validators
    server.answers["/feed"] = http(body=BODY, ETag='"2"')
    again = fetch(server.url("/feed"), known)
    assert (again.kind, again.body, again.validators.etag) == ("unchanged", b"", '"2"')
    server.answers["/feed"] = http(body=BODY + b"!", ETag='"2"')
    assert fetch(server.url("/feed"), known).kind == "ok"


def test_validators_that_are_none_are_not_kept(server: LyingServer) -> None:
    server.answers["/feed"] = http(body=BODY, ETag='"' + "x" * 2000 + '"', Last_Modified="gestern früh")
    validators = fetch(server.url("/feed")).validators
    assert (validators.etag, validators.last_modified) == (None, None)


def test_an_answer_says_how_long_it_is_fresh_with_a_body_or_without(server: LyingServer) -> None:
    server.answers["/feed"] = http(body=BODY, Cache_Control="max-age=900", ETag='"1"')
    fetched = fetch(server.url("/feed"))
    assert (fetched.kind, fetched.fresh_for) == ("ok", 900)
    server.answers["/feed"] = http(304, Cache_Control="max-age=800")
    assert fetch(server.url("/feed"), fetched.validators).fresh_for == 800


def test_redirects_are_followed_to_where_the_document_is(server: LyingServer) -> None:
    server.answers |= {"/feed": http(301, Location="/moved?a=b#c"), "/moved?a=b": http(body=BODY)}
    fetched = fetch(server.url("/feed"))
    assert (fetched.kind, fetched.url) == ("ok", server.url("/moved?a=b"))


def test_a_redirect_may_be_written_in_utf_8_or_latin_1(server: LyingServer) -> None:
    server.answers["/%C3%BCber"] = http(body=BODY)
    for location in ("/über".encode(), "/über".encode("latin-1")):
        server.answers["/feed"] = (
            b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
        )
        assert fetch(server.url("/feed")).kind == "ok"


@pytest.mark.parametrize(
    ("statuses", "moved_to"),
    [
        ((301, 308), "/2"),
        ((308, 302), "/1"),
        ((301, 307, 301), "/1"),
        ((302, 301), None),
        ((303,), None),
        ((), None),
    ],
)
def test_permanent_redirects_tell_where_a_feed_moved(
    server: LyingServer, statuses: tuple[int, ...], moved_to: str | None
) -> None:
    server.answers = {f"/{n}": http(status, Location=f"/{n + 1}#x") for n, status in enumerate(statuses)}
    server.answers[f"/{len(statuses)}"] = http(body=BODY)
    fetched = fetch(server.url("/0"))
    assert (fetched.kind, fetched.moved_to) == ("ok", moved_to and server.url(moved_to))


def test_a_redirect_waits_for_its_turn_as_every_request_does(
    server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", slept)
    server.answers |= {"/feed": http(302, Location="/b"), "/b": http(body=BODY)}
    feeds = [(replace(a_feed(url=server.url("/feed")), allow_hosts=frozenset({"127.0.0.1"})), Validators())]
    (fetched,) = fetch_all(feeds, replace(LIMITS, host_interval=60.0))
    assert fetched.kind == "ok"
    assert [wait > 50 for wait in waits] == [False, True]


def test_a_redirect_to_a_host_that_is_held_is_not_followed(server: LyingServer) -> None:
    server.answers["/feed"] = http(302, Location="http://localhost/")
    feed = replace(a_feed(url=server.url("/feed")), allow_hosts=frozenset({"127.0.0.1", "localhost"}))
    (fetched,) = fetch_all([(feed, Validators())], LIMITS, {"localhost": 90.0})
    assert (fetched.kind, fetched.url, fetched.retry_after) == ("held", "http://localhost/", 90.0)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(server: LyingServer, host: str) -> None:
    server.answers["/feed"] = http(body=BODY)
    fetched = fetch(server.url("/feed", host), allow="intranet.example")
    assert (fetched.reason, server.asked) == ("refused-address", [])


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104 - refused, not bound
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("no address", False),
    ],
)  # fmt: skip
def test_only_what_the_internet_routes_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def _resolver(*answers: list[str]) -> Callable[..., list[Any]]:
    """A DNS that gives each answer once, in turn."""
    turns = iter(answers)

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(turns)]

    return getaddrinfo


def test_the_address_that_was_checked_is_connected_to(
    server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A second look-up, as a rebinding attack waits for, would end the test: there is only one answer.
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["127.0.0.1"]))
    server.answers["/feed"] = http(body=BODY)
    fetched = fetch(server.url("/feed", "intranet.example"), allow="intranet.example")
    assert fetched.kind == "ok"
    assert f"Host: intranet.example:{server.port}".encode() in server.asked[0]


def test_a_name_that_is_rebound_between_redirects_is_checked_again(
    server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each request connects anew: the first to where the feed may go, the second to where DNS now leads.
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["127.0.0.1"], ["127.0.0.1"]))
    server.answers["/feed"] = http(302, Location=server.url("/in", "rebound.example"), Connection="close")
    fetched = fetch(server.url("/feed", "intranet.example"), allow="intranet.example")
    assert (fetched.reason, fetched.url) == ("refused-address", server.url("/in", "rebound.example"))


def test_a_name_that_leads_to_private_addresses_only_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["10.0.0.1", "192.168.0.1"]))
    fetched = fetch("http://feed.example/")
    assert fetched.reason == "refused-address"
    assert "10.0.0.1, 192.168.0.1" in str(fetched.detail)


def test_an_unknown_name_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    fetched = fetch("http://nowhere.example/")
    assert (fetched.reason, fetched.status) == ("connect", None)
    assert "DNS knows no nowhere.example" in str(fetched.detail)


def test_the_next_address_of_a_host_is_tried(server: LyingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(["127.0.0.2", "127.0.0.1"]))
    server.answers["/feed"] = http(body=BODY)
    assert fetch(server.url("/feed", "two.example"), allow="two.example").kind == "ok"


def test_a_closed_port_is_a_failed_connection() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    fetched = fetch(f"http://127.0.0.1:{port}/")
    assert (fetched.reason, fetched.status) == ("connect", None)


def test_what_nobody_expected_is_shown_with_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(*_: object) -> None:
        raise LookupError("no such thing")

    monkeypatch.setattr(fetching, "_client", pool)
    fetched = fetch("https://paper.example/")
    assert fetched.reason == "unexpected"
    assert fetched.detail == "fetching failed unexpectedly: LookupError: no such thing"


def test_a_batch_keeps_its_order_and_one_bad_feed_spoils_no_other(server: LyingServer) -> None:
    server.answers |= {f"/{n}": http(body=b"%d" % n) for n in range(30)}
    server.answers["/7"] = lambda request, send: server.over.wait() and None
    feeds = [
        replace(a_feed(url=server.url(f"/{n}")), allow_hosts=frozenset({"127.0.0.1"})) for n in range(30)
    ]
    fetched = fetch_all([(feed, Validators()) for feed in feeds], replace(IMPATIENT, concurrency=4))
    assert [value.body for n, value in enumerate(fetched) if n != 7] == [
        b"%d" % n for n in range(30) if n != 7
    ]
    assert fetched[7].reason == "timeout"
