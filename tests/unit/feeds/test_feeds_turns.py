"""How the feeds of one host wait for each other. Time here is the event loop's own and passes at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pipeline.feeds.address import host_of
from pipeline.feeds.turns import MAX_TIMEOUTS, Turns
from pipeline.feeds.values import Fetched

BUSY = Fetched(kind="failed", url="https://a.example/1", status=429, detail="429", retry_after=60.0)
LATE = Fetched(kind="failed", url="https://a.example/1", reason="timeout", detail="no answer")


class SleeplessLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._now = self._scheduled[0].when()
        super()._run_once()


def run(main: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=SleeplessLoop) as runner:
        runner.run(_awaited(main))


async def _awaited(main: Callable[[], Awaitable[None]]) -> None:
    await main()


async def fetches(turns: Turns, *urls: str, taking: float = 0.0) -> list[tuple[str, float, int]]:
    """Address, start and how many of its host were under way, for each in the order of their starts."""
    started: list[tuple[str, float, int]] = []
    under_way: list[str] = []

    async def fetch(url: str) -> None:
        async with turns.turn(url) as held:
            assert held is None
            under_way.append(host_of(url))
            started.append((url, asyncio.get_running_loop().time(), under_way.count(host_of(url))))
            await asyncio.sleep(taking)
            under_way.remove(host_of(url))

    await asyncio.gather(*map(fetch, urls))
    return started


A = [f"https://a.example/{n}" for n in range(5)]


def test_starts_at_one_host_are_spaced_and_another_host_does_not_wait() -> None:
    async def main() -> None:
        started = await fetches(Turns(20, 2, 1.0, {}), *A, "https://b.example/")
        assert [at for url, at, _ in started if url in A] == [0, 1, 2, 3, 4]
        assert ("https://b.example/", 0, 1) in started

    run(main)


def test_a_slow_host_has_no_more_than_its_places() -> None:
    async def main() -> None:
        started = await fetches(Turns(20, 2, 1.0, {}), *A, "https://A.example:8080/", taking=10.0)
        assert [at for _, at, _ in started] == [0, 1, 10, 11, 20, 21]
        assert max(count for *_, count in started) == 2

    run(main)


def test_who_waits_for_a_host_takes_no_slot_from_another() -> None:
    async def main() -> None:
        started = await fetches(Turns(2, 2, 5.0, {}), *A, "https://b.example/", "https://c.example/")
        assert {at for url, at, _ in started if url not in A} == {0}

    run(main)


def test_a_host_that_wants_patience_is_not_asked_again() -> None:
    async def main() -> None:
        turns = Turns(20, 2, 1.0, {})
        turns.heard(BUSY)
        async with turns.turn("https://a.example/2") as held:
            assert held is not None
            assert (held.kind, held.url, held.retry_after) == ("held", "https://a.example/2", 60.0)
        assert asyncio.get_running_loop().time() == 0
        await fetches(turns, "https://b.example/")

    run(main)


def test_a_host_that_was_held_before_is_not_asked() -> None:
    async def main() -> None:
        turns = Turns(20, 2, 1.0, {"a.example": 90.0})
        async with turns.turn("https://A.example/") as held:
            assert held is not None
            assert (held.kind, held.retry_after) == ("held", 90.0)
        await fetches(turns, "https://b.example/")

    run(main)


def test_a_host_that_keeps_its_feeds_waiting_is_not_asked_by_all_of_them() -> None:
    async def main() -> None:
        turns = Turns(20, 2, 1.0, {})
        for _ in range(MAX_TIMEOUTS):
            await fetches(turns, A[0])
            turns.heard(LATE)
        async with turns.turn(A[1]) as held:
            assert held is not None
            assert (held.kind, held.retry_after) == ("held", None)

    run(main)


@pytest.mark.parametrize(
    ("status", "retry_after", "holds"),
    [(429, 1.0, True), (503, 1.0, True), (503, None, False), (429, 0.0, False), (404, 60.0, False)],
)
def test_whose_word_holds_for_the_whole_host(status: int, retry_after: float | None, holds: bool) -> None:
    assert Fetched(kind="failed", url="u", status=status, retry_after=retry_after).holds_host is holds


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Paper.Example:8443/feed?x", "paper.example"),
        ("http://[::1]:80/", "::1"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert host_of(url) == host
