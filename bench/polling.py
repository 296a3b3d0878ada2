"""How fast feeds are polled, beside the bare HTTP client, plain feedparser and lemon24/reader.

    python -m bench.polling [--feeds 400] [--rounds 20]    # the comparison, then memory over rounds
    python -m bench.polling --registered 5000              # what the registry costs when it is large

Ours goes through Kafka's acknowledgement and Postgres, on the embedded stack. Each contender has a process
of its own and polls the same press (`bench.press`) in turn, so that figures of one call can be compared; of
several repetitions the best counts. lemon24/reader comes with the extra `bench`, and is left out without it.
"""

import argparse
import asyncio
import importlib.util
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import feedparser
import httpcore
from sqlalchemy import text

from bench.press import ENTRIES, Press, serving
from pipeline.bus.admin import ensure_topics
from pipeline.bus.connection import Broker
from pipeline.feeds.address import host_of
from pipeline.feeds.cadence import Bounds
from pipeline.feeds.decide import Horizon
from pipeline.feeds.fetch import Limits
from pipeline.feeds.registry import Registry
from pipeline.feeds.values import Feed
from pipeline.settings import Settings
from pipeline.stack import Supervisor
from pipeline.store import feeds as memory
from pipeline.store.database import connect
from pipeline.store.feeds import Poll
from pipeline.store.migrating import migrate
from pipeline.workers import poller
from pipeline.workers.poller import Poller
from pipeline.workers.summary import totals
from schemas.topics import topics

WORKERS = 16  # as lemon24/reader's guide has it; for everyone
SAMPLE = 10  # plain feedparser is slow and steady: a tenth of the feeds tells
# name, entries by which the feeds move on, whether the server gives validators
SCENARIOS = (
    ("all new", ENTRIES, True),
    ("unchanged (304)", 0, True),
    ("one new entry", 1, True),
    ("unchanged, no validators", 0, False),
)


class Contender(Protocol):
    """`poll` polls every feed once and says how many entries it has been given so far that were new to it."""

    def poll(self) -> int: ...


class Bare:
    """Fetches and throws away: what an HTTP client alone takes."""

    def __init__(self, urls: list[str]) -> None:
        self._urls, self._tags = urls, dict[str, bytes]()
        self.bodies: dict[str, bytes] = {}

    def poll(self) -> int:
        asyncio.run(self._poll())
        return 0

    async def _poll(self) -> None:
        places = asyncio.Semaphore(WORKERS)
        async with httpcore.AsyncConnectionPool() as pool:

            async def get(url: str) -> None:
                asked = [("If-None-Match", self._tags[url])] if self._tags.get(url) else []
                async with places:
                    response = await pool.request("GET", url, headers=asked)
                self._tags[url] = dict(response.headers).get(b"ETag", b"")
                if response.status == 200:
                    self.bodies[url] = response.content

            await asyncio.gather(*map(get, self._urls))


class Feedparser:
    """Parses what `Bare` fetched: what feedparser as it comes takes, without fetching or storing."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = urls[::SAMPLE]

    def prepare(self) -> None:
        self._client = Bare(self._urls)
        self._client.poll()

    def poll(self) -> int:
        for body in self._client.bodies.values():
            feedparser.parse(body)
        return 0


class Reader:
    """lemon24/reader on SQLite."""

    def __init__(self, urls: list[str], folder: str) -> None:
        from reader import make_reader

        self._reader = make_reader(f"{folder}/reader.sqlite")
        for url in urls:
            self._reader.add_feed(url)

    def poll(self) -> int:
        self._reader.update_feeds(scheduled=False, workers=WORKERS)
        return int(self._reader.get_entry_counts().total)


class Ours:
    """The poller as the flow runs it: batches in two threads. Every feed is always due."""

    def __init__(self, urls: list[str], database: str, kafka: str) -> None:
        default = Settings()
        self._entries = 0
        self._poller = Poller(
            connect(database),
            Broker(kafka),
            topics(),
            Registry.of(feed(number, url) for number, url in enumerate(urls)),
            limits=Limits(user_agent="racewire-bench", host_concurrency=WORKERS),
            bounds=Bounds(floor=timedelta(0), start=timedelta(0), ceiling=timedelta(0)),
            batch=default.poll_batch,
            horizon=Horizon(first_import=timedelta(days=36_500), seen=timedelta(days=36_500)),
        )

    def poll(self) -> int:
        self._entries += totals(self.poll_all())["articles"]
        return self._entries

    def poll_all(self) -> list[Poll]:
        with ThreadPoolExecutor(2) as threads:
            batches = self._poller.batches()
            return [p for found in threads.map(self._poller.poll_batch, batches) for p in found]


def feed(number: int, url: str) -> Feed:
    host = host_of(url)
    return Feed(
        id=f"feed-{number}",
        url=url,
        title=f"Feed {number}",
        language=("en", "de", "fr", "zh")[number % 4],
        kind="press",
        rank=2,
        allow_hosts=frozenset({host}),
    )


class Apart:
    """A contender in a process of its own."""

    def __init__(self, make: Callable[..., Contender], *args: Any) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._process = ProcessPoolExecutor(1, mp_context=spawn, initializer=_become, initargs=(make, args))

    def poll(self) -> tuple[float, int, float]:
        """Seconds of a poll, entries so far, and the process's memory in MB after it."""
        return self._process.submit(_poll).result()

    def close(self) -> None:
        self._process.shutdown()


_me: Contender


def _become(make: Callable[..., Contender], args: tuple[Any, ...]) -> None:
    global _me
    _me = make(*args)


def _poll() -> tuple[float, int, float]:
    prepare: Callable[[], None] = getattr(_me, "prepare", lambda: None)
    prepare()
    started = time.perf_counter()
    entries = _me.poll()
    took = time.perf_counter() - started
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return took, entries, pages * resource.getpagesize() / 1e6


def compare(press: Press, feeds: int, repeat: int, database: str, kafka: str, folder: str) -> bool:
    """Print the table; whether ours and the reader have stored exactly what was to be had."""
    urls = [press.url(number) for number in range(feeds)]
    contenders = {"bare client": Apart(Bare, urls), "feedparser": Apart(Feedparser, urls)}
    if importlib.util.find_spec("reader") is None:
        print("lemon24/reader is left out: install the extra `bench`")
    else:
        contenders["reader"] = Apart(Reader, urls, folder)
    contenders["ours"] = Apart(Ours, urls, database, kafka)
    first, right = 0, True
    for scenario, step, validators in SCENARIOS:
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(repeat):
            first += step
            press.publish(feeds, first, validators=validators)
            for name, contender in contenders.items():
                took, entries, _ = contender.poll()
                took *= SAMPLE if name == "feedparser" else 1
                best[name] = min(best[name], took)
                # Issues begin at ENTRIES: every entry that ever was, once.
                if name in ("reader", "ours") and entries != feeds * first:
                    print(f"{name} has {entries} entries, not {feeds * first}")
                    right = False
        rates = "  ".join(f"{name} {feeds / took:6.0f}" for name, took in best.items())
        ratios = ", ".join(f"{took / best['ours']:.2f} x {n}" for n, took in best.items() if n != "ours")
        print(f"{scenario:26} feeds/s: {rates}   ours is {ratios}")
    for contender in contenders.values():
        contender.close()
    return right


def watch_memory(press: Press, feeds: int, rounds: int, database: str, kafka: str) -> None:
    """Print how much memory our process has after each round of one new entry in each feed."""
    ours = Apart(Ours, [press.url(number) for number in range(feeds)], database, kafka)
    sizes = []
    for number in range(rounds):
        press.publish(feeds, 1_000 + number)
        sizes.append(ours.poll()[2])
    ours.close()
    print(f"memory after each of {rounds} rounds with one new entry in each feed, MB:")
    print(" ".join(f"{size:.0f}" for size in sizes))


class Timed:
    """Adds up the time of what is called through it, in all threads."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


def large_registry(press: Press, feeds: int, database: str, kafka: str) -> None:
    """Print what share of a round it takes to choose what is due and to write what became of it."""
    press.publish(feeds, 0, entries=1)
    ours = Ours([press.url(number) for number in range(feeds)], database, kafka)
    spent, engine = Timed(), connect(database)
    for module, names in CHOOSING:
        for name in names:
            setattr(module, name, spent(getattr(module, name)))
    later = text("UPDATE feeds SET next_poll_at = now() + '1 h' WHERE hashtext(feed_id) % 100 <> 0")
    for name, statement, delay in (
        ("all new", None, 0),
        ("all due, 304", None, 0),
        ("all due, 304 after 0.3 s", None, 300),
        ("1 % due, 304 after 0.3 s", later, 300),
    ):
        press.delay(delay)
        if statement is not None:
            with engine.begin() as tx:
                tx.execute(statement)
        spent.seconds = 0.0
        started = time.perf_counter()
        polled = ours.poll_all()
        took = time.perf_counter() - started
        print(
            f"{feeds} registered, {name}: {len(polled)} polled in {took:.2f} s ({len(polled) / took:.0f}/s); "
            f"choosing and writing {spent.seconds:.3f} s = {spent.seconds / took:.1%}"
        )


# What of the store chooses feeds and writes where they stand.
CHOOSING = (
    (poller, ("is_at", "revive", "unregistered", "registered")),
    (memory, ("count_due", "claim", "held", "still_held", "occupied", "remember", "hold")),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3, help="polls of each scenario; the best counts")
    parser.add_argument("--rounds", type=int, default=20, help="polls over which memory is watched")
    parser.add_argument("--registered", type=int, default=0, help="measure a registry of so many feeds")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a poll takes its time
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        press = stack.enter_context(serving())
        found = stack.enter_context(Supervisor(Path(folder), on_progress=lambda *_: None).running())
        migrate(connect(found.database_url))
        ensure_topics(Broker(found.kafka_bootstrap), topics().values())
        servers = found.database_url, found.kafka_bootstrap
        if options.registered:
            large_registry(press, options.registered, *servers)
            return 0
        right = compare(press, options.feeds, options.repeat, *servers, folder)
        watch_memory(press, options.feeds, options.rounds, *servers)
        return int(not right)


if __name__ == "__main__":
    sys.exit(main())
