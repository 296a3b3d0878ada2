"""A web server on loopback that serves documents by path, with ETags, and counts what was asked for."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RECENT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)  # news, also on a first import


class FeedServer:
    """`documents` maps a path to a body and its content type; it may be changed while the server runs."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.documents: dict[str, tuple[bytes, str]] = {}
        self.requests: Counter[str] = Counter()
        self._server = ThreadingHTTPServer((host, 0), self._handler())

    def url(self, path: str) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}{path}"

    @contextmanager
    def serving(self) -> Iterator["FeedServer"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.requests[self.path] += 1
                found = served.documents.get(self.path)
                if found is None:
                    self.send_error(404)
                    return
                body, kind = found
                tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                same = self.headers.get("If-None-Match") == tag
                self.send_response(304 if same else 200)
                self.send_header("ETag", tag)
                if not same:
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if not same:
                    self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Tests look at `requests` instead."""

        return Handler


def rss(
    *entries: tuple[str, str, str], link: str = "https://paper.example", published: datetime = RECENT
) -> bytes:
    """An RSS document of (path, title, text), each published an hour before the tests began or as given."""
    items = "".join(
        f"<item><title>{title}</title><link>{link}{path}</link><description>{text}</description>"
        f"<pubDate>{format_datetime(published)}</pubDate></item>"
        for path, title, text in entries
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Paper</title>'
        f"<link>{link}</link><description>d</description>{items}</channel></rss>"
    ).encode()
