"""Turns: how many feeds of a batch are fetched at once, and how the feeds of one host wait for each other.

Over several processes the store sees to it that the feeds of one host are in one batch at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pipeline.feeds.address import host_of
from pipeline.feeds.values import Fetched

# A host that does not answer takes the whole time of a feed each time: two feeds' are enough to know.
MAX_TIMEOUTS = 2


class _Host:
    """A host during one batch. `hold` is why it is left alone, and for how many seconds where it said so."""

    def __init__(self, concurrency: int) -> None:
        self.places = asyncio.Semaphore(concurrency)
        self.next = asyncio.Lock()
        self.free_at = 0.0
        self.timeouts = 0
        self.hold: tuple[str, float | None] | None = None


class Turns:
    """At most `slots` fetches at once, `concurrency` to one host, `interval` seconds between their starts.

    `held` hosts are left alone from the start, for so many seconds.
    """

    def __init__(self, slots: int, concurrency: int, interval: float, held: Mapping[str, float]) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._concurrency, self._interval = concurrency, interval
        self._hosts: dict[str, _Host] = {}
        for name, seconds in held.items():
            self._hosts[name] = host = _Host(concurrency)
            host.hold = f"not asked: {name} wants to be left alone for {seconds:.0f} s more", seconds

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncIterator[Fetched | None]:
        """Wait until `url` may be fetched: gives None, or the outcome where its host is to be left alone."""
        host = self._host(url)
        async with host.places:
            async with host.next:
                if host.hold is None:
                    # Not in a slot: who waits for one host keeps no other waiting.
                    await asyncio.sleep(host.free_at - _clock())
                await self._slots.acquire()
                host.free_at = _clock() + self._interval
            try:
                yield host.hold and Fetched(
                    kind="held", url=url, detail=host.hold[0], retry_after=host.hold[1]
                )
            finally:
                self._slots.release()

    def heard(self, fetched: Fetched) -> None:
        """Learn from an outcome whether its host is to be left alone for the rest of the batch."""
        host = self._host(fetched.url)
        if fetched.holds_host:
            host.hold = f"not asked: {fetched.detail} and wants its host left alone", fetched.retry_after
        elif fetched.reason == "timeout":
            host.timeouts += 1
            if host.timeouts >= MAX_TIMEOUTS and host.hold is None:
                host.hold = "not asked: other feeds of its host got no answer in time", None

    def _host(self, url: str) -> _Host:
        return self._hosts.setdefault(host_of(url), _Host(self._concurrency))


def _clock() -> float:
    return asyncio.get_running_loop().time()
