"""A server on loopback that answers each path with exactly the bytes it is told to, HTTP or not."""

import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

# Handed what was asked and a function that sends bytes; the connection closes when it returns.
Answer = Callable[[bytes, Callable[[bytes], None]], None]


class Reset(Exception):
    """Raised by an answer that wants its connection reset."""


class LyingServer:
    """Use as a context manager; `answers` maps paths to what is sent there, `asked` has the requests seen.

    It is a proxy as well: what it is asked for is then a whole address or, for a tunnel, a host and port.
    Where `tunnel` is set, it goes on by TLS after CONNECT, as the server at the other end. With `tls` all is
    by TLS.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tunnel: ssl.SSLContext | None = None
        self.answers: dict[str, bytes | Answer] = {}
        self.asked: list[bytes] = []
        # Set on the way out, so that an answer that never ends can wait for it.
        self.over = threading.Event()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return
                    request += line
                outer.asked.append(request)
                answer = outer.answers[request.split()[1].decode()]
                try:
                    if isinstance(answer, bytes):
                        self.wfile.write(answer)
                    else:
                        answer(request, lambda piece: self.wfile.write(piece) and None)
                    if outer.tunnel is not None and request.startswith(b"CONNECT "):
                        self.request = outer.tunnel.wrap_socket(self.request, server_side=True)
                        self.setup()
                        self.handle()
                except Reset:
                    self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                except OSError:
                    pass  # the client has had enough

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def http(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A well-formed answer; underscores in header names stand for dashes."""
    headers.setdefault("Content_Length", str(len(body)))
    lines = [
        f"HTTP/1.1 {status} X",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes, **headers: str) -> bytes:
    """An answer in chunks as they are given, with their sizes or without."""
    head = http(**headers).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return head + b"".join(chunks)


def endless(start: bytes, piece: bytes) -> Answer:
    """An answer that never ends and comes as fast as it is taken."""

    def answer(request: bytes, send: Callable[[bytes], None]) -> None:
        send(start)
        while True:
            send(piece)

    return answer


def dripping(start: bytes, piece: bytes = b"") -> Answer:
    """An answer that never ends, of which each piece comes well within the time for one."""

    def answer(request: bytes, send: Callable[[bytes], None]) -> None:
        send(start)
        while True:
            time.sleep(0.02)
            send(piece)

    return answer


def reset(start: bytes) -> Answer:
    """An answer whose connection is reset midway."""

    def answer(request: bytes, send: Callable[[bytes], None]) -> None:
        send(start)
        time.sleep(0.05)  # so that it arrives before the reset, which overtakes
        raise Reset

    return answer
