"""The sagas' papers as a web server on loopback: feeds with ETags that grow round by round.

It knows which round each feed was last asked for, so that whoever runs the demo can go on as soon as every
feed has been read. It serves feeds and nothing else.
"""

import hashlib
import threading
from collections.abc import Iterable
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from xml.etree import ElementTree as Xml

import yaml

from pipeline.demo.saga import DemoFeed, Item, Saga

_ATOM = "http://www.w3.org/2005/Atom"
_TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml"}


class Newsroom:
    """Serves the feeds of `sagas`; a context manager. The first round is 1 and is there from the start."""

    def __init__(self, sagas: Iterable[Saga]) -> None:
        self._sagas = list(sagas)
        self._feeds = {feed.id: feed for saga in self._sagas for feed in saga.feeds}
        self.rounds = max(len(saga.rounds) for saga in self._sagas)
        self._round = 1
        self._asked = dict.fromkeys(self._feeds, 0)
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="newsroom", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def round(self) -> int:
        """The round that is shown now."""
        return self._round

    def advance(self) -> None:
        """Show the next round. Raises `ValueError` after the last one."""
        with self._changed:
            if self._round == self.rounds:
                raise ValueError(f"the newsroom has only {self.rounds} rounds")
            self._round += 1

    def url(self, feed_id: str) -> str:
        """Where a feed is served."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{feed_id}.xml"

    def waiting(self, timeout: float) -> list[str]:
        """The feeds not yet read in this round; waits up to `timeout` seconds for there to be none."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unread(), timeout)
            return self._unread()

    def shown(self) -> list[Item]:
        """Every item that a feed has shown up to this round, also those that were corrected later."""
        return [item for saga in self._sagas for carried in saga.rounds[: self._round] for item in carried]

    def feeds_yaml(self) -> str:
        """The feeds as a registry: the form of the pipeline's own `feeds.yaml`."""
        feeds = [
            {
                "id": feed.id,
                "url": self.url(feed.id),
                "title": feed.title,
                "language": feed.language,
                "kind": feed.kind,
                "rank": feed.rank,
                "allow_hosts": ["127.0.0.1"],
            }
            for feed in self._feeds.values()
        ]
        return yaml.safe_dump(feeds, allow_unicode=True, sort_keys=False)

    def document(self, feed_id: str) -> bytes:
        """A feed as it stands in this round, newest item first."""
        current = {item.slug: item for item in self.shown() if item.feed == feed_id}
        items = sorted(current.values(), key=lambda i: i.published, reverse=True)
        feed = self._feeds[feed_id]
        root = _rss(feed, items) if feed.format == "rss" else _atom(feed, items)
        document: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
        return document

    def _unread(self) -> list[str]:
        return [feed for feed, number in self._asked.items() if number < self._round]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        newsroom = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                feed = newsroom._feeds.get(self.path.removeprefix("/").removesuffix(".xml"))
                if feed is None:
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                with newsroom._changed:
                    number, body = newsroom._round, newsroom.document(feed.id)
                tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                same = self.headers.get("If-None-Match") == tag
                self.send_response(HTTPStatus.NOT_MODIFIED if same else HTTPStatus.OK)
                self.send_header("ETag", tag)
                if not same:
                    self.send_header("Content-Type", f"{_TYPES[feed.format]}; charset=utf-8")
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not same:
                    self.wfile.write(body)
                with newsroom._changed:
                    newsroom._asked[feed.id] = number
                    newsroom._changed.notify_all()

            def log_message(self, format: str, *args: object) -> None:
                """The poll's own records say what was fetched."""

        return Handler


def _rss(feed: DemoFeed, items: list[Item]) -> Xml.Element:
    root = Xml.Element("rss", version="2.0")
    channel = Xml.SubElement(root, "channel")
    _add(channel, "title", feed.title)
    _add(channel, "link", f"https://{feed.id}.example/")
    _add(channel, "description", feed.title)
    _add(channel, "language", feed.language)
    for item in items:
        entry = Xml.SubElement(channel, "item")
        _add(entry, "title", item.title)
        _add(entry, "link", item.link)
        _add(entry, "guid", item.link)
        _add(entry, "pubDate", format_datetime(item.published))
        _add(entry, "description", item.text)
    return root


def _atom(feed: DemoFeed, items: list[Item]) -> Xml.Element:
    root = Xml.Element("feed", {"xmlns": _ATOM, "xml:lang": feed.language})
    _add(root, "title", feed.title)
    _add(root, "id", f"https://{feed.id}.example/")
    _add(root, "updated", max(i.published for i in items).isoformat() if items else "1970-01-01T00:00:00Z")
    for item in items:
        entry = Xml.SubElement(root, "entry")
        _add(entry, "title", item.title)
        Xml.SubElement(entry, "link", href=item.link)
        _add(entry, "id", item.link)
        _add(entry, "published", item.published.isoformat())
        _add(entry, "updated", item.published.isoformat())
        _add(entry, "content", item.text).set("type", "html")
    return root


def _add(parent: Xml.Element, tag: str, text: str) -> Xml.Element:
    element = Xml.SubElement(parent, tag)
    element.text = text
    return element
