"""The way through an HTTP(S) proxy: requests to http go to it whole, those to https through its tunnel.

The proxy resolves names, so that the guard cannot check what they lead to, and trusts it not to lead inside.
What names a place inside by itself is refused all the same. What the proxy does wrong is told apart from what
a feed's server does wrong.
"""

from collections.abc import Iterable
from ssl import SSLContext
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore

from pipeline.feeds.guard import refuse_inside

_REFUSED = 407  # Proxy Authentication Required


class ProxyError(Exception):
    """The proxy cannot be used. Never names its credentials."""

    reason = "proxy"


def place(address: str) -> tuple[str, int]:
    """Host and port of a proxy's address. Raises ValueError, without the address, where it is none."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:  # it may quote the credentials
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
        raise ValueError(
            "it is no address of a proxy, as http://host:port or https://user:password@host:port"
        )
    return host, port or (443 if parts.scheme == "https" else 80)


class ProxyPool(httpcore.AsyncHTTPProxy):
    """Connections of one feed through the proxy at `address`. `allow_hosts` are free to be inside."""

    def __init__(self, address: str, allow_hosts: frozenset[str], ssl_context: SSLContext) -> None:
        host, port = place(address)
        parts = urlsplit(address)
        credentials = unquote(parts.username or "").encode(), unquote(parts.password or "").encode()
        super().__init__(
            # TLS to the proxy, if any, is the backend's, which knows that a failure there is the proxy's.
            httpcore.URL(scheme=b"http", host=host.encode(), port=port, target=b"/"),
            proxy_auth=credentials if any(credentials) else None,
            ssl_context=ssl_context,
            network_backend=_Backend(ssl_context if parts.scheme == "https" else None),
        )
        self._allow_hosts = allow_hosts
        self._tunnelled: set[bytes] = set()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """As every pool does; also raises RefusedAddressError and ProxyError."""
        url = request.url
        refuse_inside(url.host.decode("ascii"), self._allow_hosts)

        async def trace(event: str, _: dict[str, Any]) -> None:
            if event == "proxy.start_tls.started":
                self._tunnelled.add(url.host)

        request.extensions = {**request.extensions, "trace": trace}
        try:
            response = await super().handle_async_request(request)
        except httpcore.ProxyError as error:
            # 5xx: it has tried. Everything else is its own word.
            if str(error).startswith("5"):
                raise httpcore.ConnectError(f"the proxy had none either: {error}") from error
            raise ProxyError(f"the proxy refuses to connect: {error}") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            if url.scheme == b"https" and url.host not in self._tunnelled:
                raise ProxyError(f"the proxy's answer broke off or is no HTTP: {error}") from error
            raise
        if response.status == _REFUSED:
            await response.aclose()
            raise ProxyError("the proxy wants other credentials (407)")
        return response


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to the proxy, and to nothing else; by TLS where there is a context for it."""

    def __init__(self, ssl_context: SSLContext | None) -> None:
        self._ssl_context = ssl_context
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A stream to the proxy. Raises ProxyError."""
        try:
            stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
            if self._ssl_context is None:
                return stream
            return await stream.start_tls(self._ssl_context, host, timeout)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise ProxyError(f"no connection to the proxy at {host}:{port}: {error}") from error

    async def sleep(self, seconds: float) -> None:
        """Part of the interface; used between connection attempts."""
        await self._inner.sleep(seconds)
