"""Fetching: a batch of feeds at once, each ending in one `Fetched`, whatever the servers do.

Only http and https; the address is checked after DNS and that very address is connected to, at every
redirect; time, redirects, headers and unpacked bytes are bounded. httpcore rather than httpx: there the
guard has a public place, and bodies are unpacked here, where their size can be bounded.
"""

import asyncio
import sys
import zlib
from collections.abc import AsyncIterable, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from ssl import SSLContext
from typing import Protocol

import brotli
import httpcore
from msgspec import Struct

from pipeline.feeds import hints
from pipeline.feeds.address import BadAddressError, absolute
from pipeline.feeds.guard import GuardedBackend, RefusedAddressError
from pipeline.feeds.turns import Turns
from pipeline.feeds.values import Feed, Fetched, Validators

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
# What is kept of a validator: servers have sent cookies and whole pages in these headers.
_MAX_VALIDATOR = 1_000


class Limits(Struct, frozen=True, kw_only=True):
    """How servers are spoken to. Times in seconds, sizes in bytes.

    `user_agent` names a contact. `total` is the time of one feed with DNS and all redirects. `body` bounds
    what is unpacked: news feeds are below 1 MB, archives of a whole blog reach 5. `concurrency` feeds are
    fetched at once, of them `host_concurrency` from one host, `host_interval` between their starts.
    """

    user_agent: str
    connect: float = 10.0
    read: float = 20.0
    total: float = 45.0
    body: int = 10_000_000
    redirects: int = 5
    concurrency: int = 20
    host_concurrency: int = 2
    host_interval: float = 0.0


class _FetchError(Exception):
    """Why a fetch failed: a code, and words for an operator."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def fetch_all(targets: Sequence[tuple[Feed, Validators]], limits: Limits) -> list[Fetched]:
    """Fetch every feed; the outcomes are in the order of `targets`.

    The validators are those to ask with (`FeedState.conditions`). Must not be called from a running event
    loop.
    """

    async def fetch_batch() -> list[Fetched]:
        turns = Turns(limits.concurrency, limits.host_concurrency, limits.host_interval)

        async def fetch_one(feed: Feed, validators: Validators) -> Fetched:
            async with turns.turn(feed.url) as held:
                if held is not None:
                    return held
                fetched = await _fetch(feed, validators, limits)
                turns.heard(fetched)
                return fetched

        return await asyncio.gather(*(fetch_one(*target) for target in targets))

    return asyncio.run(fetch_batch())


async def _fetch(feed: Feed, validators: Validators, limits: Limits) -> Fetched:
    try:
        async with asyncio.timeout(limits.total):
            return await _follow(feed, validators, limits)
    except TimeoutError:
        reason, detail = "timeout", f"no complete answer within {limits.total:g} s"
    except httpcore.TimeoutException as error:
        phase = "connect" if isinstance(error, httpcore.ConnectTimeout) else "answer"
        reason, detail = "timeout", f"the server did not {phase} in time"
    except (_FetchError, RefusedAddressError, BadAddressError) as error:
        reason, detail = error.reason, str(error)
    except httpcore.ConnectError as error:
        reason, detail = "connect", f"no connection: {error}"
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        reason, detail = "broken-answer", f"the server's answer broke off or is no HTTP: {error}"
    except Exception as error:  # one feed's surprise must not cost the batch; it is shown with the feed
        reason, detail = "unexpected", f"fetching failed unexpectedly: {type(error).__name__}: {error}"
    return Fetched(kind="failed", url=feed.url, reason=reason, detail=detail)


async def _follow(feed: Feed, validators: Validators, limits: Limits) -> Fetched:
    """Request a feed and follow its redirects to an outcome."""
    url = feed.url
    for _ in range(limits.redirects + 1):
        url = absolute(url)._replace(fragment="").geturl()
        timeout = {"connect": limits.connect, "read": limits.read, "write": limits.read}
        async with (
            # A connection a request: feeds are asked minutes apart, and one that a feed may have must not be
            # found by another.
            httpcore.AsyncHTTPConnection(
                origin=httpcore.URL(url).origin,
                ssl_context=_ssl_context(),
                network_backend=GuardedBackend(feed.allow_hosts),
            ) as connection,
            connection.stream(
                "GET", url, headers=_headers(validators, limits), extensions={"timeout": timeout}
            ) as response,
        ):
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            if response.status in (301, 302, 303, 307, 308) and "location" in headers:
                url = absolute(headers["location"], url).geturl()
                continue
            if response.status == HTTPStatus.OK:
                body = await _read(response.aiter_stream(), headers.get("content-encoding", ""), limits.body)
                return _body_outcome(url, headers, body, validators)
            return _bodiless_outcome(url, response.status, headers, validators)
    raise _FetchError("too-many-redirects", f"more than {limits.redirects} redirects, the last to {url}")


def _headers(validators: Validators, limits: Limits) -> list[tuple[str, str]]:
    headers = [
        ("User-Agent", limits.user_agent),
        ("Accept", _ACCEPT),
        ("Accept-Encoding", "gzip, br, zstd"),
    ]
    if validators.etag:
        headers.append(("If-None-Match", validators.etag))
    if validators.last_modified:
        headers.append(("If-Modified-Since", validators.last_modified))
    return headers


def _body_outcome(url: str, headers: dict[str, str], body: bytes, asked: Validators) -> Fetched:
    body_hash = sha256(body).hexdigest()[:32]
    unchanged = body_hash == asked.body_hash
    return Fetched(
        kind="unchanged" if unchanged else "ok",
        url=url,
        status=200,
        content_type=headers.get("content-type", ""),
        body=b"" if unchanged else body,
        validators=Validators(
            etag=_validator(headers.get("etag")),
            last_modified=_validator(headers.get("last-modified")),
            body_hash=body_hash,
            entries=asked.entries if unchanged else (),
        ),
        fresh_for=hints.fresh_for(headers, datetime.now(UTC)),
    )


def _bodiless_outcome(url: str, status: int, headers: dict[str, str], asked: Validators) -> Fetched:
    if status == HTTPStatus.NOT_MODIFIED and (asked.etag or asked.last_modified):
        fresh_for = hints.fresh_for(headers, datetime.now(UTC))
        return Fetched(kind="not-modified", url=url, status=status, validators=asked, fresh_for=fresh_for)
    if status == HTTPStatus.GONE:
        return Fetched(
            kind="gone", url=url, status=status, detail=f"{url} is gone for good, says its server (410)"
        )
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    return Fetched(
        kind="failed",
        url=url,
        status=status,
        reason=f"http-{status}",
        detail=f"{url} answered {phrase}",
        retry_after=hints.retry_after(headers.get("retry-after", ""), datetime.now(UTC)),
    )


def _validator(value: str | None) -> str | None:
    """A validator that can be sent back, or None."""
    good = value is not None and len(value) <= _MAX_VALIDATOR and value.isascii() and value.isprintable()
    return value if good else None


async def _read(stream: AsyncIterable[bytes], encoding: str, limit: int) -> bytes:
    """Read and unpack a body of at most `limit` bytes. Raises `_FetchError` where it is longer or broken."""
    body, packed = bytearray(), 0
    unpack = _unpacker(encoding.strip().lower())
    async for chunk in stream:
        packed += len(chunk)
        try:
            body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
        except (zlib.error, zstd.ZstdError, brotli.error, EOFError) as error:
            raise _FetchError("broken-answer", f"the body is no {encoding}: {error}") from error
        if len(body) > limit:
            raise _FetchError("too-large", f"the document is larger than {limit} bytes")
    if unpack and not unpack.eof and packed:
        raise _FetchError("broken-answer", f"the {encoding} body breaks off after {len(body)} bytes")
    return bytes(body)


class _Unpacker(Protocol):
    """What zlib and zstd have in common: at most so many bytes of a piece, and whether that was the end."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Brotli:
    """brotli with the interface of the others."""

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._inner.is_finished())

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return bytes(self._inner.process(data, output_buffer_limit=max_length))


def _unpacker(encoding: str) -> _Unpacker | None:
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with gzip's header
    if encoding == "br":
        return _Brotli()
    if encoding == "zstd":
        # The window that RFC 9659 grants: more is memory that a hostile server would choose.
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23})
    raise _FetchError("broken-answer", f"the body is packed as {encoding!r}, which was not asked for")


@cache
def _ssl_context() -> SSLContext:
    return httpcore.default_ssl_context()
