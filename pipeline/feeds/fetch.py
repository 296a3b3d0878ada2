"""Fetching: a batch of feeds at once, each ending in one `Fetched`, whatever the servers do.

Only http and https; the address is checked after DNS and that very address is connected to, at every
redirect; time, redirects, headers and unpacked bytes are bounded. httpcore rather than httpx: there the
guard has a public place, and bodies are unpacked in `unpack`, where their size can be bounded.
"""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from ssl import SSLContext
from types import MappingProxyType

import httpcore
import uvloop
from msgspec import Struct
from msgspec.structs import replace
from pydantic import SecretStr

from pipeline.feeds import hints
from pipeline.feeds.address import BadAddressError, absolute
from pipeline.feeds.guard import GuardedBackend, RefusedAddressError
from pipeline.feeds.proxy import ProxyError, ProxyPool
from pipeline.feeds.turns import Turns
from pipeline.feeds.unpack import BodyError, read
from pipeline.feeds.values import Feed, Fetched, Validators
from pipeline.feeds.walls import CHALLENGE, is_challenge

_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
# The statuses that walls send their pages with; how much of such a page is looked at, and waited for.
_WALLED = (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_MAX_PAGE = 200_000
_PAGE_PATIENCE = 5.0
# What is kept of a validator: servers have sent cookies and whole pages in these headers.
_MAX_VALIDATOR = 1_000


class Limits(Struct, frozen=True, kw_only=True):
    """How servers are spoken to. Times in seconds, sizes in bytes.

    `user_agent` names a contact. `total` is the time of one feed with DNS and all redirects, without waiting
    for turns. `body` bounds what is unpacked: news feeds are below 1 MB, archives of a whole blog reach 5.
    `concurrency` feeds are fetched at once, of them `host_concurrency` from one host, `host_interval` between
    their starts. `proxy` is the address of a proxy to go through, with its credentials. `accept` says which
    kinds of document are wanted.
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
    proxy: SecretStr | None = None
    accept: str = _ACCEPT


class _Redirect(Struct, frozen=True):
    """An answer that names another address, for good or not."""

    to: str
    permanent: bool


def fetch_all(
    targets: Sequence[tuple[Feed, Validators]],
    limits: Limits,
    held: Mapping[str, float] = MappingProxyType({}),
    *,
    intervals: Mapping[str, float] = MappingProxyType({}),
    patience: float = math.inf,
) -> list[Fetched]:
    """Fetch every feed; the outcomes are in the order of `targets`.

    A feed is asked at its `url`, with these validators (`FeedState.conditions`). `held` hosts are not asked:
    they want to be left alone for so many seconds. `intervals` and `patience` are those of `Turns`. Must not
    be called from a running event loop.
    """

    async def fetch_batch() -> list[Fetched]:
        turns = Turns(
            limits.concurrency,
            limits.host_concurrency,
            limits.host_interval,
            held,
            intervals=intervals,
            patience=patience,
        )
        return await asyncio.gather(*(_fetch(*target, limits, turns) for target in targets))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(fetch_batch())


async def _fetch(feed: Feed, validators: Validators, limits: Limits, turns: Turns) -> Fetched:
    try:
        return await _follow(feed, validators, limits, turns)
    except Exception as error:  # one feed's surprise must not cost the batch; it is shown with the feed
        detail = f"fetching failed unexpectedly: {type(error).__name__}: {error}"
        return Fetched(kind="failed", url=feed.url, reason="unexpected", detail=detail)


async def _follow(feed: Feed, validators: Validators, limits: Limits, turns: Turns) -> Fetched:
    """Request a feed and follow its redirects to an outcome, each in a turn of its own at its host."""
    url, left = feed.url, limits.total
    moved_to, all_permanent = None, True
    for _ in range(limits.redirects + 1):
        # No turn is held while another is waited for, so that two hosts never wait for each other.
        async with turns.turn(url) as held:
            if held is not None:
                return held
            started = time.monotonic()
            answer = await _ask(feed, url, validators, limits, left)
            left -= time.monotonic() - started
            if isinstance(answer, Fetched):
                turns.heard(answer)
                return replace(answer, moved_to=moved_to)
        url = answer.to
        all_permanent = all_permanent and answer.permanent
        moved_to = url if all_permanent else moved_to
    detail = f"more than {limits.redirects} redirects, the last to {url}"
    return Fetched(kind="failed", url=url, reason="too-many-redirects", detail=detail)


def _client(
    url: str, feed: Feed, limits: Limits
) -> httpcore.AsyncConnectionPool | httpcore.AsyncHTTPConnection:
    """A connection a request: feeds are asked minutes apart, and what one may have no other must find."""
    if limits.proxy is not None:
        return ProxyPool(limits.proxy.get_secret_value(), feed.allow_hosts, _ssl_context())
    return httpcore.AsyncHTTPConnection(
        origin=httpcore.URL(url).origin,
        ssl_context=_ssl_context(),
        network_backend=GuardedBackend(feed.allow_hosts),
    )


async def _ask(
    feed: Feed, url: str, validators: Validators, limits: Limits, left: float
) -> Fetched | _Redirect:
    """Make one request, whose failures are outcomes. `left` is the time of the feed that is not used up."""
    try:
        async with asyncio.timeout(left):
            return await _answer(feed, absolute(url)._replace(fragment="").geturl(), validators, limits)
    except TimeoutError:
        reason, detail = "timeout", f"no complete answer within {limits.total:g} s"
    except httpcore.TimeoutException as error:
        phase = "connect" if isinstance(error, httpcore.ConnectTimeout) else "answer"
        reason, detail = "timeout", f"the server did not {phase} in time"
    except (BodyError, RefusedAddressError, BadAddressError, ProxyError) as error:
        reason, detail = error.reason, str(error)
    except httpcore.ConnectError as error:
        reason, detail = "connect", f"no connection: {error}"
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        reason, detail = "broken-answer", f"the server's answer broke off or is no HTTP: {error}"
    return Fetched(kind="failed", url=url, reason=reason, detail=detail)


async def _answer(feed: Feed, url: str, validators: Validators, limits: Limits) -> Fetched | _Redirect:
    timeout = {"connect": limits.connect, "read": limits.read, "write": limits.read}
    async with (
        _client(url, feed, limits) as client,
        client.stream(
            "GET", url, headers=_headers(validators, limits), extensions={"timeout": timeout}
        ) as response,
    ):
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
        }
        if response.status in (301, 302, 303, 307, 308) and "location" in headers:
            to = absolute(_location(headers["location"]), url)._replace(fragment="").geturl()
            return _Redirect(to, permanent=response.status in (301, 308))
        if response.status == HTTPStatus.OK:
            body = await read(response.aiter_stream(), headers.get("content-encoding", ""), limits.body)
            return _body_outcome(url, headers, body, validators)
        outcome = _bodiless_outcome(url, response.status, headers, validators)
        if response.status in _WALLED and is_challenge(await _page(response, headers)):
            reason, detail = CHALLENGE
            return replace(outcome, reason=reason, detail=f"{detail} ({response.status})")
        return outcome


async def _page(response: httpcore.Response, headers: dict[str, str]) -> str:
    """The page of an answer that is no document, as far as it can be had."""
    try:
        async with asyncio.timeout(_PAGE_PATIENCE):
            body = await read(response.aiter_stream(), headers.get("content-encoding", ""), _MAX_PAGE)
    except (
        BodyError,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.TimeoutException,
        TimeoutError,
    ):
        return ""
    return body.decode("utf-8", "replace")


def _headers(validators: Validators, limits: Limits) -> list[tuple[str, str]]:
    headers = [
        ("User-Agent", limits.user_agent),
        ("Accept", limits.accept),
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


def _location(header: str) -> str:
    """An address in a header, read as Latin-1: what is not ASCII there is UTF-8 in practice."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


def _validator(value: str | None) -> str | None:
    """A validator that can be sent back, or None."""
    good = value is not None and len(value) <= _MAX_VALIDATOR and value.isascii() and value.isprintable()
    return value if good else None


@cache
def _ssl_context() -> SSLContext:
    return httpcore.default_ssl_context()
