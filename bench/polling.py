"""How fast feeds are polled, beside what else there is: the bare HTTP client, plain feedparser, lemon24/reader.

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
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import feedparser
import httpcore

from bench.press import ENTRIES, Press, serving
from pipeline.bus.admin import ensure_topics
from pipeline.bus.connection import Broker
from pipeline.feeds.address import host_of
from pipeline.feeds.cadence import Bounds
from pipeline.feeds.fetch import Limits
from pipeline.feeds.registry import Registry
from pipeline.feeds.values import Feed
from pipeline.settings import Settings
from pipeline.stack import Supervisor
from pipeline.store.database import connect, migrate
from pipeline.workers.poller import Poller, totals
from schemas.topics import ARTICLES, topics

WORKERS = 16  # as lemon24/reader's guide has it; for everyone
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
        self._urls = urls

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
            topics()[ARTICLES],
            Registry.of(feed(number, url) for number, url in enumerate(urls)),
            limits=Limits(user_agent="racewire-bench", host_concurrency=WORKERS),
            bounds=Bounds(floor=timedelta(0), start=timedelta(0), ceiling=timedelta(0)),
            batch=default.poll_batch,
        )

    def poll(self) -> int:
        with ThreadPoolExecutor(2) as threads:
            batches = self._poller.batches()
            polls = [p for found in threads.map(self._poller.poll_batch, batches) for p in found]
        self._entries += totals(polls)["articles"]
        return self._entries


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3, help="polls of each scenario; the best counts")
    parser.add_argument("--rounds", type=int, default=20, help="polls over which memory is watched")
    parser.add_argument("--registered", type=int, default=0, help="measure a registry of so many feeds")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        press = stack.enter_context(serving())
        found = stack.enter_context(Supervisor(Path(folder), on_progress=lambda *_: None).running())
        migrate(connect(found.database_url))
        ensure_topics(Broker(found.kafka_bootstrap), topics().values())
        right = compare(
            press, options.feeds, options.repeat, found.database_url, found.kafka_bootstrap, folder
        )
        return int(not right)


if __name__ == "__main__":
    sys.exit(main())
