"""The guard between a name and a connection: what DNS says is checked, and what was checked is connected to.

Nothing else may open a connection for a feed, but the way through a `proxy` where one is set. A name, number
or redirect that leads to a private, loopback, link-local or otherwise not public address is refused, unless
the feed allows that host by name.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable

import httpcore

from pipeline.feeds.streams import Streams

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What a resolver takes for an IPv4 address, in whatever spelling: the last label is a number.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# Names that lead to a machine itself or its own network (RFC 6761, 6762, 8375, and what ICANN has reserved).
_INSIDE = (".localhost", ".localdomain", ".local", ".internal", ".home.arpa")


class RefusedAddressError(Exception):
    """A host that leads only to addresses that are not public."""

    reason = "refused-address"


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """A network backend that connects to checked addresses only. `allow_hosts` are free to be private."""

    def __init__(self, allow_hosts: frozenset[str]) -> None:
        self._allow_hosts = allow_hosts
        self._inner = Streams()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first public address of `host` that answers."""
        addresses = await _resolve(host, port)
        if host not in self._allow_hosts:
            refused = [address for address in addresses if not is_public(address)]
            addresses = [address for address in addresses if is_public(address)]
            if not addresses:
                raise RefusedAddressError(
                    f"{host} leads to {', '.join(refused)}, which is not public; "
                    "if it is meant, name the host in the feed's `allow_hosts`"
                )
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Part of the interface; used between connection attempts."""
        await self._inner.sleep(seconds)


def is_public(address: str) -> bool:
    """Whether an IP address is one that the public internet routes, also when it is wrapped in another."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        else:
            ip = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def refuse_inside(host: str, allow_hosts: frozenset[str]) -> None:
    """Refuse a host that by its name alone is not on the public internet: all that is known without DNS.

    Of numbers only the usual spelling of a public address passes: others are read in more than one way.
    Raises RefusedAddressError.
    """
    if ":" in host or _NUMBER.fullmatch(host):
        inside = not is_public(host)
    else:
        inside = "." not in host or host.endswith(_INSIDE)
    if inside and host not in allow_hosts:
        raise RefusedAddressError(
            f"{host} is not on the public internet; if it is meant, name it in the feed's `allow_hosts`"
        )


async def _resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the resolver's order. Raises `httpcore.ConnectError` if it has none."""
    try:
        found = await asyncio.to_thread(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"DNS knows no {host}: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
