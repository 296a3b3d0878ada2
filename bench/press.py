"""A press on loopback for benchmarks: many feeds of many long entries, whose next issue is set by request.

Run as a process of its own (`serving`), so that serving costs the contenders a core's time and not their
interpreter's. Documents are made before they are asked for; an answer is a dictionary's look-up.
"""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain
from urllib.request import urlopen

ENTRIES, SIZE = 30, 4_000
HOSTS = 200  # addresses of this machine's own, 127.0.1.1 and on: feeds have hosts of their own
_PROSE = (
    "the startup said its new model answers faster than rivals while prices for developers fall in Europe "
    "and Asia where chips are scarce and regulators look at who trains on what data this spring again"
)
_PARAGRAPH = '<p>{} <a href="https://elsewhere.example/?a={}&amp;b=2">more</a> &amp; so on.</p>\n'


@cache
def _text() -> str:
    """Some 200 kB of paragraphs of which each entry has another part."""
    prose = _PROSE.split()
    digests = (hashlib.sha256(b"%d" % number).digest() for number in range(400))
    words = (" ".join(prose[byte % len(prose)] for byte in chain(digest, digest)) for digest in digests)
    return "".join(_PARAGRAPH.format(line, number) for number, line in enumerate(words))


def document(feed: int, first: int, entries: int = ENTRIES) -> bytes:
    """The issue of a feed whose oldest entry is number `first`."""
    text = _text()

    def item(number: int) -> str:
        start = text.index("<p>", (feed * 7919 + number * 5003) % (len(text) - 2 * SIZE))
        return (
            f"<item><title>Feed {feed} on its story no. {number}</title>"
            f"<link>https://paper-{feed}.example/{number}</link><guid>https://paper-{feed}.example/{number}"
            f"</guid><pubDate>Tue, 01 Apr 2025 {number // 60 % 24:02}:{number % 60:02}:00 GMT</pubDate>"
            f"<description>In short: story no. {number}</description>"
            f"<content:encoded><![CDATA[{text[start : start + SIZE]}]]></content:encoded></item>\n"
        )

    items = "".join(item(number) for number in range(first + entries - 1, first - 1, -1))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>Paper {feed}</title><link>https://paper-{feed}.example/</link><description>d</description>"
        f"<language>en</language>\n{items}</channel></rss>"
    ).encode()


class Press:
    """The running server, from outside."""

    def __init__(self, port: int) -> None:
        self._port = port

    def url(self, feed: int) -> str:
        return f"http://{_host(feed)}:{self._port}/feed/{feed}"

    def publish(self, feeds: int, first: int, *, entries: int = ENTRIES, validators: bool = True) -> None:
        """From now on `feeds` feeds are at the issue of `entries` that begins with entry `first`."""
        self._tell(f"/issue/{feeds}/{first}/{entries}/{int(validators)}")

    def delay(self, milliseconds: int) -> None:
        """From now on feeds answer after so long."""
        self._tell(f"/delay/{milliseconds}")

    def _tell(self, path: str) -> None:
        with urlopen(f"http://{_host(0)}:{self._port}{path}") as answer:
            answer.read()


def _host(feed: int) -> str:
    return f"127.0.1.{1 + feed % HOSTS}"


@contextmanager
def serving() -> Iterator[Press]:
    process = subprocess.Popen([sys.executable, "-m", "bench.press"], stdout=subprocess.PIPE)
    try:
        yield Press(int(process.stdout.readline()))  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.wait()


async def _serve() -> None:
    answers: dict[bytes, tuple[bytes, bytes, bytes]] = {}  # whole answer, unchanged answer, tag
    delay = 0.0

    def issue(feeds: int, first: int, entries: int, validators: int) -> None:
        for feed in range(feeds):
            body = document(feed, first, entries)
            tag = b'"%d-%d"' % (feed, first) if validators else b""
            headers = b"ETag: %b\r\n" % tag if validators else b""
            whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n%bContent-Length: %d\r\n\r\n%b"
            answers[b"/feed/%d" % feed] = (
                whole % (headers, len(body), body),
                b"HTTP/1.1 304 Not Modified\r\n%b\r\n" % headers,
                tag,
            )

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal delay
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                if not path.startswith(b"/feed/"):
                    _, order, *numbers = path.split(b"/")
                    if order == b"delay":
                        delay = int(numbers[0]) / 1000
                    else:
                        issue(*map(int, numbers))
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    continue
                await asyncio.sleep(delay)
                whole, unchanged, tag = answers[path]
                writer.write(unchanged if tag and tag in head else whole)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    first = await asyncio.start_server(talk, _host(0), 0)
    port = first.sockets[0].getsockname()[1]
    others = await asyncio.start_server(talk, [_host(feed) for feed in range(1, HOSTS)], port)
    print(port, flush=True)
    await asyncio.gather(first.serve_forever(), others.serve_forever())


if __name__ == "__main__":
    asyncio.run(_serve())
