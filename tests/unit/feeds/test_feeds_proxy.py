"""Fetching through a proxy: what goes to it, what it may lead to, and who is to blame when it fails."""

import logging
import shutil
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from pipeline.feeds import fetch as fetching
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.guard import RefusedAddressError, refuse_inside
from pipeline.feeds.proxy import place
from pipeline.feeds.values import Fetched, Validators
from tests.unit.feeds.feed_factory import a_feed
from tests.unit.feeds.lying_server import Answer, LyingServer, http

BODY = b"<rss/>" * 50
LIMITS = Limits(user_agent="racewire-test", connect=0.5, total=5, body=100_000)
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture
def proxy() -> Iterator[LyingServer]:
    with LyingServer() as server:
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for `paper.example` and loopback, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    crt, key = folder / "crt.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    names = [
        "-addext",
        "subjectAltName=DNS:paper.example,IP:127.0.0.1",
        "-out",
        str(crt),
        "-keyout",
        str(key),
    ]
    subprocess.run([*command.split(), *names], check=True, capture_output=True, timeout=30)
    return crt, key


@pytest.fixture
def tls(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What servers speak TLS with; the fetch trusts its certificate."""
    trusting = ssl.create_default_context(cafile=certificate[0])
    monkeypatch.setattr(fetching, "_ssl_context", lambda: trusting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def fetch(url: str, proxy: str, *, allow: str = "") -> Fetched:
    feed = replace(a_feed(url=url), allow_hosts=frozenset({allow} - {""}))
    (fetched,) = fetch_all([(feed, Validators())], replace(LIMITS, proxy=SecretStr(proxy)))
    return fetched


def test_a_request_goes_to_the_proxy_whole_and_with_credentials_that_nobody_sees(
    proxy: LyingServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    proxy.answers["http://paper.example/feed"] = http(301, Location="http://news.example/feed")
    proxy.answers["http://news.example/feed"] = http(body=BODY)
    address = proxy.url("/").replace("//", "//me:to%70secret@")
    fetched = fetch("http://paper.example/feed", address)
    assert (fetched.kind, fetched.body, fetched.url) == ("ok", BODY, "http://news.example/feed")
    credentials = b64encode(b"me:topsecret")
    assert [b"Proxy-Authorization: Basic " + credentials in request for request in proxy.asked] == [True] * 2
    assert b"Host: news.example\r\n" in proxy.asked[1]
    assert not any(word in caplog.text for word in ("topsecret", "to%70secret", credentials.decode()))


def test_https_goes_through_a_tunnel_that_the_proxy_cannot_look_into(
    proxy: LyingServer, tls: ssl.SSLContext
) -> None:
    proxy.tunnel = tls
    proxy.answers |= {"paper.example:443": ESTABLISHED, "/feed": http(body=BODY)}
    fetched = fetch("https://paper.example/feed", proxy.url("/").replace("//", "//me:x@"))
    assert (fetched.kind, fetched.body) == ("ok", BODY)
    tunnel, request = proxy.asked
    assert b"Proxy-Authorization" in tunnel
    assert b"Proxy-Authorization" not in request


def test_the_proxy_itself_may_speak_tls(tls: ssl.SSLContext) -> None:
    with LyingServer(tls) as proxy:
        proxy.answers["http://paper.example/feed"] = http(body=BODY)
        fetched = fetch("http://paper.example/feed", proxy.url("/").replace("http:", "https:"))
        assert (fetched.kind, fetched.body) == ("ok", BODY)


INSIDE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "010.8.8.8",  # 8.8.8.8 to some, 10.8.8.8 to others
    "8.8.8.08",
    "0",
    "10.0.0.1",
    "169.254.169.254",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::a00:1]",
    "localhost",
    "LocalHost.",
    "feeds.localhost",
    "printer.local",
    "metadata.google.internal",
    "intranet",
    "１２７.０.０.１",  # IDNA makes 127.0.0.1 of it
]


@pytest.mark.parametrize("host", INSIDE)
def test_the_proxy_is_not_asked_for_what_is_inside(proxy: LyingServer, host: str) -> None:
    assert fetch(f"http://{host}/feed", proxy.url("/")).reason == "refused-address"
    assert fetch(f"https://{host}/feed", proxy.url("/")).reason == "refused-address"
    proxy.answers["http://paper.example/feed"] = http(302, Location=f"http://{host}/feed")
    assert fetch("http://paper.example/feed", proxy.url("/")).reason == "refused-address"
    assert len(proxy.asked) == 1


def test_what_is_inside_is_asked_for_where_the_feed_allows_it(proxy: LyingServer) -> None:
    proxy.answers["http://intranet/feed"] = http(body=BODY)
    assert fetch("http://intranet/feed", proxy.url("/"), allow="intranet").kind == "ok"


@pytest.mark.parametrize(
    "host", ["paper.example", "93.184.216.34", "2606:2800:220:1::1", "7.example", "x0.io"]
)
def test_what_is_public_passes(host: str) -> None:
    refuse_inside(host, frozenset())
    with pytest.raises(RefusedAddressError, match="allow_hosts"):
        refuse_inside("127.0.0.1", frozenset({host}))


def _hang_up(request: bytes, send: object) -> None: ...


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (http(407), "proxy", "407"),
        (http(403), "proxy", "refuses to connect: 403"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "proxy", "is no HTTP"),
        (_hang_up, "proxy", "broke off"),
        (http(502), "connect", "the proxy had none either: 502"),
        (http(504), "connect", "the proxy had none either: 504"),
        (ESTABLISHED + b"no TLS at all", "connect", "no connection"),
    ],
)
def test_who_is_to_blame_when_there_is_no_tunnel(
    proxy: LyingServer, answer: bytes | Answer, reason: str, words: str
) -> None:
    proxy.answers["paper.example:443"] = answer
    fetched = fetch("https://paper.example/feed", proxy.url("/"))
    assert (fetched.kind, fetched.reason) == ("failed", reason)
    assert words in str(fetched.detail)


def test_after_the_tunnel_stands_a_broken_answer_is_the_servers(
    proxy: LyingServer, tls: ssl.SSLContext
) -> None:
    proxy.tunnel = tls
    proxy.answers |= {"paper.example:443": ESTABLISHED, "/feed": b"no HTTP\r\n"}
    assert fetch("https://paper.example/feed", proxy.url("/")).reason == "broken-answer"


def test_a_proxy_that_wants_other_credentials_or_is_away_says_so(proxy: LyingServer) -> None:
    proxy.answers["http://paper.example/feed"] = http(407)
    fetched = fetch("http://paper.example/feed", proxy.url("/"))
    assert (fetched.reason, fetched.detail) == ("proxy", "the proxy wants other credentials (407)")
    for address in ("http://me:topsecret@127.0.0.1:1", proxy.url("/").replace("http:", "https:")):
        fetched = fetch("http://paper.example/feed", address)
        assert fetched.reason == "proxy"
        assert "no connection to the proxy at 127.0.0.1:" in str(fetched.detail)
        assert "topsecret" not in str(fetched.detail)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://proxy.example:3128", ("proxy.example", 3128)),
        ("https://me:x@proxy.example/", ("proxy.example", 443)),
        ("http://[::1]", ("::1", 80)),
    ],
)
def test_where_a_proxy_is(address: str, expected: tuple[str, int]) -> None:
    assert place(address) == expected
