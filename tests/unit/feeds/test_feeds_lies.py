"""Every way in which a server can lie, and what must come of each: the outcome, and the feed's next state.

Lies about where a name leads are in `test_feeds_fetch.py` and, behind a proxy, in `test_feeds_proxy.py`.
"""

import gzip
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import brotli
import pytest
from msgspec import Struct
from msgspec.structs import replace

from pipeline.feeds import fetch
from pipeline.feeds.cadence import LONGEST_PATIENCE, Bounds, next_state
from pipeline.feeds.decide import decide
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.outcomes import Decision
from pipeline.feeds.parse import parse
from pipeline.feeds.values import FeedState, Fetched, Validators
from tests.unit.feeds.feed_factory import NOW, a_feed, an_item, identified, rss
from tests.unit.feeds.lying_server import Answer, LyingServer, chunked, dripping, endless, http, reset

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HOST = "127.0.0.1"
LIMITS = Limits(user_agent="racewire-test", total=5, body=100_000, redirects=3)
BOUNDS = Bounds()
FEED = rss(an_item("https://paper.example/a", "Lab ships a model"))
OLD = rss(an_item("https://paper.example/b", "Lab is about to ship a model"))
HOURS = timedelta(hours=1)


class Outcome(Struct, frozen=True):
    """How a poll ended: the fetch, what was decided of its document, and the state after it."""

    fetched: Fetched
    reason: str | None
    decision: Decision | None
    state: FeedState


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as server:
        server.answers["/old"] = http(body=OLD, ETag='"1"')
        yield server


def poll(url: str, state: FeedState, limits: Limits = LIMITS) -> Outcome:
    """One poll, as the poller makes it, with an empty memory."""
    feed = replace(a_feed(url=url), allow_hosts=frozenset({HOST}))
    (fetched,) = fetch_all([(feed, state.conditions(NOW))], limits)
    parsed = decision = None
    if fetched.kind == "ok":
        parsed = parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
        entries = identified(feed, parsed.entries)
        decision = decide(feed, entries, {})
    reason = fetched.reason or (parsed.problem if parsed else None)
    after = next_state(state, fetched, parsed, decision, now=NOW, bounds=BOUNDS)
    return Outcome(fetched, reason, decision, after)


def healthy(server: LyingServer, ago: timedelta = HOURS) -> FeedState:
    """A feed whose last document was had so long ago, with an ETag."""
    state = poll(server.url("/old"), FeedState(feed_id="paper")).state
    server.asked.clear()
    return replace(state, last_body_at=NOW - ago)


def to(location: str, status: int = 302) -> bytes:
    return http(status, Location=location)


def page(text: str) -> bytes:
    return f"<!doctype html><html><head><title>{text}</title></head><body>{text}</body></html>".encode()


def xml(doctype: str, title: str) -> bytes:
    return f"<!DOCTYPE rss [{doctype}]>{rss(f'<title>{title}</title>').decode().partition('?>')[2]}".encode()


BOMB = b"\0" * 50_000_000
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "br": brotli.compress,
    "zstd": zstd.compress,
}
NOISE = secrets.token_bytes(5_000)
LAUGHS = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)
DEEP_JSON = b'{"version": "https://jsonfeed.org/version/1.1", "items": ' + b"[" * 100_000
CLOUDFLARE = page("Just a moment...") + b"<script src='/cdn-cgi/challenge-platform/x'></script>"

# name: (answer, the reason that is given, the feed's status afterwards). A healthy feed was asked for /feed.
Lies = dict[str, tuple[bytes | Answer, str | None, str]]

VALIDATORS: Lies = {
    "the old tag on a new document": (http(body=FEED, ETag='"1"'), None, "ok"),
    "a new tag on the old document": (http(body=OLD, ETag='"2"'), None, "ok"),
    "a tag that cannot be sent back": (http(body=FEED, ETag="x" * 9_000), None, "ok"),
    "304": (http(304), None, "ok"),
}
LENGTHS: Lies = {
    "a length too long": (http(body=FEED, Content_Length="9999"), "broken-answer", "failing"),
    # The document is cut off, and what is whole in it counts.
    "a length too short": (http(body=FEED, Content_Length=str(len(FEED) - 20)), None, "ok"),
    "two lengths": (
        b"HTTP/1.1 200 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc",
        "broken-answer",
        "failing",
    ),
    "a negative length": (http(body=FEED, Content_Length="-1"), "broken-answer", "failing"),
    "a chunk that is none": (chunked(b"zz\r\n", FEED), "broken-answer", "failing"),
    "a chunk of all there is": (chunked(b"f" * 30 + b"\r\n", FEED), "broken-answer", "failing"),
    "a last chunk that is missing": (chunked(b"5\r\n<rss>\r\n"), "broken-answer", "failing"),
    "a document too large": (http(body=b" " * 100_001), "too-large", "failing"),
    "a document without end": (
        endless(http(Content_Length="999999999"), b" " * 5_000),
        "too-large",
        "failing",
    ),
}
LINES: Lies = {
    "nothing at all": (b"", "broken-answer", "failing"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "broken-answer", "failing"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "broken-answer", "failing"),
    "a protocol that is none": (b"HTTQ/1.1 200 OK\r\n\r\n", "broken-answer", "failing"),
    "a header that is none": (b"HTTP/1.1 200 OK\r\n\0\1: x\r\n\r\n", "broken-answer", "failing"),
    "a header too large": (http(X="x" * 1_000_000), "broken-answer", "failing"),
    "headers without end": (
        endless(b"HTTP/1.1 200 X\r\n", b"X: " + b"x" * 999 + b"\r\n"),
        "broken-answer",
        "failing",
    ),
    "a reset before the answer": (reset(b""), "broken-answer", "failing"),
    "a reset in the headers": (reset(b"HTTP/1.1 200 X\r\nX: "), "broken-answer", "failing"),
    "a reset in the body": (reset(http(Content_Length="999") + b"<rss>"), "broken-answer", "failing"),
}
SLOW: Lies = {
    "no answer": (dripping(b""), "timeout", "failing"),
    "headers that drip": (dripping(b"HTTP/1.1 200 X\r\n", b"X: y\r\n"), "timeout", "failing"),
    "a body that drips": (dripping(http(Content_Length="9999"), b" "), "timeout", "failing"),
    "an error page that drips": (dripping(http(403, Content_Length="9999"), b" "), "timeout", "failing"),
    "continue, and no end": (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout", "failing"),
    "continue without end": (endless(b"", b"HTTP/1.1 103 Hints\r\n\r\n" * 50), "timeout", "failing"),
}
REDIRECTS: Lies = {
    "to itself": (to("/feed", 301), "too-many-redirects", "failing"),
    "to nowhere": (http(302), "http-302", "failing"),
    "to an empty address": (to(""), "too-many-redirects", "failing"),
    "to a file": (to("file:///etc/passwd"), "bad-scheme", "failing"),
    "to data": (to("data:text/xml,<rss/>"), "bad-scheme", "failing"),
    "to a script": (to("javascript:alert(1)"), "bad-scheme", "failing"),
    "to gopher": (to("gopher://127.0.0.1/"), "bad-scheme", "failing"),
    "to no address": (to("http://[::1"), "bad-address", "failing"),
    "to a long address": (to("/" + "x" * 9_000), "long-address", "failing"),
    "to itself by name": (to("http://localhost/"), "refused-address", "failing"),
    "to a number": (to("http://2130706433/"), "refused-address", "failing"),
    "to a hexadecimal number": (to("http://0x7f.1/"), "refused-address", "failing"),
    "to an octal number": (to("http://0177.0.0.1/"), "refused-address", "failing"),
    "to a mapped address": (to("http://[::ffff:7f00:1]/"), "refused-address", "failing"),
    "to the cloud's metadata": (to("http://169.254.169.254/latest/"), "refused-address", "failing"),
    "to a page for consent": (to("/consent", 303), "html", "not-a-feed"),
}
PACKED: Lies = {
    "an encoding nobody asked for": (http(body=FEED, Content_Encoding="exi"), "broken-answer", "failing"),
    "packed twice and said so": (
        http(body=gzip.compress(gzip.compress(FEED)), Content_Encoding="gzip, gzip"),
        "broken-answer",
        "failing",
    ),
    "packed twice and said once": (
        http(body=gzip.compress(gzip.compress(FEED)), Content_Encoding="gzip"),
        "not-a-feed",
        "not-a-feed",
    ),
    "packed as something else": (
        http(body=gzip.compress(FEED), Content_Encoding="br"),
        "broken-answer",
        "failing",
    ),
    "packed and nothing in it": (
        http(body=gzip.compress(b""), Content_Encoding="gzip"),
        "empty-body",
        "not-a-feed",
    ),
    "said to be packed, and empty": (http(Content_Encoding="gzip"), "empty-body", "not-a-feed"),
}
for name, pack in PACKERS.items():
    PACKED |= {
        f"{name}, as said": (http(body=pack(FEED), Content_Encoding=name.upper()), None, "ok"),
        f"a bomb of {name}": (http(body=pack(BOMB), Content_Encoding=name), "too-large", "failing"),
        f"half of {name}": (http(body=pack(NOISE)[:-9], Content_Encoding=name), "broken-answer", "failing"),
        f"no {name} at all": (http(body=b"<rss/>", Content_Encoding=name), "broken-answer", "failing"),
    }
DOCUMENTS: Lies = {
    "an image by its type": (http(body=FEED, Content_Type="image/png; charset=\xff"), None, "ok"),
    "an image": (http(body=b"\x89PNG\r\n\x1a\n\0", Content_Type="text/xml"), "not-a-feed", "not-a-feed"),
    "a page": (http(body=page("News"), Content_Type="application/rss+xml"), "html", "not-a-feed"),
    "a page for consent": (http(body=page("Before you continue: cookies")), "html", "not-a-feed"),
    "a challenge as 200": (http(body=CLOUDFLARE), "challenge", "blocked"),
    "a challenge as 403": (http(403, CLOUDFLARE), "challenge", "blocked"),
    "a challenge as 503": (http(503, CLOUDFLARE), "challenge", "blocked"),
    "a challenge that is packed": (
        http(503, gzip.compress(CLOUDFLARE), Content_Encoding="gzip"),
        "challenge",
        "blocked",
    ),
    "a 503 that breaks off": (http(503, CLOUDFLARE, Content_Length="9999"), "http-503", "failing"),
    "a 403 that is a bomb": (http(403, gzip.compress(BOMB), Content_Encoding="gzip"), "http-403", "blocked"),
    "an empty document": (http(), "empty-body", "not-a-feed"),
    "blank lines": (http(body=b"\r\n\r\n \0"), "empty-body", "not-a-feed"),
    "a feed without entries": (http(body=rss()), None, "empty"),
    "entities that grow": (http(body=xml(LAUGHS, "&j;")), "entities", "failing"),
    "an entity from a file": (
        http(body=xml('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;")),
        "entities",
        "failing",
    ),
    "an entity from elsewhere": (
        http(body=xml('<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;', "t").decode().encode("utf-16")),
        "entities",
        "failing",
    ),
    "deep nesting": (http(body=rss("<title>t</title>" + "<a>" * 20_000)), None, "ok"),
    "deep nesting in JSON": (http(body=DEEP_JSON[:99_000]), "too-complex", "failing"),
}
STATUSES: Lies = {
    "204": (http(204), "http-204", "failing"),
    "401": (http(401), "http-401", "blocked"),
    "404": (http(404), "http-404", "failing"),
    "410": (http(410), None, "gone"),
    "451": (http(451), "http-451", "blocked"),
    "500 with a feed": (http(500, FEED), "http-500", "failing"),
    "599": (http(599), "http-599", "failing"),
}
LIES = VALIDATORS | LENGTHS | LINES | REDIRECTS | PACKED | DOCUMENTS | STATUSES | SLOW


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_has_its_outcome(server: LyingServer, lie: str) -> None:
    answer, reason, status = LIES[lie]
    before = healthy(server)
    server.answers |= {"/feed": answer, "/consent": http(body=page("Before you continue"))}
    limits = replace(LIMITS, total=0.3) if lie in SLOW else LIMITS
    outcome = poll(server.url("/feed"), before, limits)
    assert (outcome.reason, outcome.state.status) == (reason, status)
    if status in ("ok", "empty"):
        assert outcome.state.failures == 0
    else:
        assert outcome.state.detail
        assert outcome.state.reason == (reason or status)
        # What was remembered of the last good document is not taken from a lie.
        assert outcome.state.validators in (before.validators, Validators())
    if status != "gone":
        assert outcome.state.next_poll_at is not None
        assert NOW < outcome.state.next_poll_at <= NOW + BOUNDS.ceiling


def test_a_lie_is_told_in_the_words_of_an_operator(server: LyingServer) -> None:
    server.answers["/feed"] = http(503, CLOUDFLARE, Retry_After="120")
    outcome = poll(server.url("/feed"), healthy(server))
    assert outcome.state.detail == "the server sent a page that wants to see a person, not the feed (503)"
    assert outcome.fetched.holds_host  # and it is heard all the same


def test_an_error_page_without_end_takes_nothing_from_what_the_server_said(
    server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_PAGE_PATIENCE", 0.1)
    server.answers["/feed"] = dripping(http(429, Content_Length="9999", Retry_After="60"), b" ")
    outcome = poll(server.url("/feed"), healthy(server))
    assert (outcome.reason, outcome.fetched.retry_after) == ("http-429", 60)


def test_a_304_is_believed_for_a_day_and_never_without_having_been_asked_for(server: LyingServer) -> None:
    server.answers["/feed"] = http(304)
    day = poll(server.url("/feed"), healthy(server, timedelta(hours=25)))
    assert (day.reason, day.state.status) == ("http-304", "failing")
    again = poll(server.url("/feed"), day.state)
    assert (again.state.status, again.state.failures) == ("failing", 2)
    assert b"If-" not in b"".join(server.asked)
    server.answers["/feed"] = http(body=OLD)
    assert poll(server.url("/feed"), again.state).state.status == "ok"


def test_tls_that_is_none_is_a_failed_connection(server: LyingServer) -> None:
    with socket.create_server((HOST, 0)) as plain, ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: plain.accept()[0].sendall(b"HTTP/1.1 400 no TLS here\r\n\r\n"))
        outcome = poll(f"https://{HOST}:{plain.getsockname()[1]}/feed", healthy(server))
    assert (outcome.reason, outcome.state.status) == ("connect", "failing")


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("36000", 10 * HOURS),
        ("Mon, 01 Jan 2001 00:00:00 GMT", BOUNDS.floor * 2),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PATIENCE),
        ("9" * 400, LONGEST_PATIENCE),
        ("-5", BOUNDS.floor * 2),
        ("1e9", BOUNDS.floor * 2),
        ("NaN", BOUNDS.floor * 2),
        ("soon", BOUNDS.floor * 2),
        ("٣", BOUNDS.floor * 2),
        ("0", BOUNDS.floor * 2),
    ],
)
def test_patience_is_granted_within_bounds(server: LyingServer, asked: str, wait: timedelta) -> None:
    server.answers["/feed"] = http(429, Retry_After=asked)
    state = poll(server.url("/feed"), healthy(server)).state
    assert state.next_poll_at == NOW + wait


@pytest.mark.parametrize(
    ("control", "wait"),
    [
        ("max-age=0", None),
        ("max-age=-1", None),
        ("max-age=NaN", None),
        ("no-store, max-age=7200", None),
        ("max-age=7200", 2 * HOURS),
        ("max-age=" + "9" * 400, BOUNDS.ceiling),
        ("max-age=31536000, immutable", BOUNDS.ceiling),
    ],
)
def test_freshness_is_believed_within_bounds(
    server: LyingServer, control: str, wait: timedelta | None
) -> None:
    server.answers["/feed"] = http(body=FEED, Cache_Control=control)
    state = poll(server.url("/feed"), healthy(server)).state
    assert state.interval is not None
    assert state.next_poll_at == NOW + (wait or state.interval)


MARKUP = """<p onclick="steal()">Text<script>steal()</script><img src=x onerror=steal()>
<iframe src="javascript:steal()"></iframe><svg onload=steal()><style>*{background:url(steal)}</style></p>"""


def test_markup_brings_no_script_and_no_handler(server: LyingServer) -> None:
    item = an_item("https://paper.example/a", "<b onload=steal()>Lab</b><script>steal()</script>", MARKUP)
    server.answers["/feed"] = http(body=rss(item))
    decision = poll(server.url("/feed"), healthy(server)).decision
    assert decision is not None
    (article,) = decision.messages
    assert (article.title, article.text) == ("Lab", "Text")


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "data:text/html,<script>", "file:///etc/passwd", "vbscript:x", "java\nscript:x"],
)
def test_links_that_are_no_pages_leave_a_reason(server: LyingServer, link: str) -> None:
    server.answers["/feed"] = http(body=rss(an_item(link, "Lab ships")))
    outcome = poll(server.url("/feed"), healthy(server))
    assert outcome.decision is not None
    assert [o.reason for o in outcome.decision.outcomes] == ["bad-scheme"]
    assert outcome.state.status == "ok"
