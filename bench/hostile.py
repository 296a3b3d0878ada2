"""Thousands of mutated copies of real feeds through parse, identify and decide: none may raise, hang, swell.

`python -m bench.hostile --copies 10000 --seed 1` makes copies of all documents of the shared data, of JSON
feeds and of news sitemaps with the same entries (`tests/mutations.py` says how), and tells what became of
them, which took the longest, and which the most memory. Exit code 1 where one raised, took more than 2 s of
processor time, or made its process grow by more than 300 MB, measured where the kernel tells (Linux).
"""

import argparse
import faulthandler
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random

from bench.verdicts import SHARED
from pipeline.feeds.decide import decide
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Feed
from tests.mutations import as_json_feed, as_news_sitemap, mutated

SLOWEST = 2.0  # s of processor time for one document
LARGEST = 300.0  # MB that a process may grow by over one document
HANGS = 120.0  # s after which a process ends itself with a traceback

URL = "https://mirror.example/feed"
FEED = Feed(id="f", url=URL, title="f", language="en", kind="press", rank=5)


@dataclass(frozen=True)
class Course:
    """One document's way: what it was called, what became of it, and what that took."""

    name: str
    outcome: str
    seconds: float
    megabytes: float


@cache
def corpus() -> list[tuple[str, bytes]]:
    """The documents, by name: those of the shared data, each third one in the two other formats as well."""
    found = []
    for number, path in enumerate(sorted((SHARED / "data" / "feeds").glob("*.xml"))):
        body = path.read_bytes()
        found.append((path.name, body))
        if number % 3 == 0:
            entries = parse(body, url=URL).entries
            found += [(f"{path.name} as JSON", as_json_feed(entries))]
            found += [(f"{path.name} as sitemap", as_news_sitemap(entries))]
    return found


@cache
def detector() -> Detector:
    return Detector({"de", "en", "es", "fr", "ja", "ko", "zh"})


def run(seed: int, number: int) -> Course:
    """Copy `number`; those below the corpus's size are the documents as they are."""
    documents = corpus()
    name, body = documents[number % len(documents)]
    if number >= len(documents):
        body, mutations = mutated(body, Random(f"{seed}/{number}"))
        name = f"{number} {name} {mutations}"
    faulthandler.dump_traceback_later(HANGS, exit=True)
    before, started = _forget_peak(), time.process_time()
    try:
        outcome = _poll(body)
    except Exception as error:
        outcome = f"RAISED {error!r}"
    seconds, peak = time.process_time() - started, _megabytes("VmHWM")
    faulthandler.cancel_dump_traceback_later()
    return Course(f"{name} ({len(body):,} bytes)", outcome, seconds, peak - before)


def _poll(body: bytes) -> str:
    """What a poll does between a server and the broker."""
    parsed = parse(body, url=URL)
    entries = identify(FEED, parsed, now=datetime.now(UTC), detector=detector())
    decision = decide(FEED, entries, {})
    if sum(decision.counts.values()) != len(parsed.entries):
        return f"RAISED nothing, and yet {len(parsed.entries)} entries became {decision.counts}"
    return parsed.problem or ("a feed" if parsed.entries else "a feed without entries")


def _forget_peak() -> float:
    """Let the kernel measure this process's peak anew; what it has now."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    return _megabytes("VmRSS")


def _megabytes(name: str) -> float:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def courses(copies: int, seed: int, processes: int) -> Iterator[Course]:
    """Every document as it is, then that many copies."""
    with ProcessPoolExecutor(processes, initializer=_prepare) as pool:
        numbers = range(len(corpus()) + copies)
        yield from pool.map(run, [seed] * len(numbers), numbers, chunksize=20)


def _prepare() -> None:
    """Be nice to the machine, and have loaded what is loaded once."""
    os.nice(10)
    detector().detect("A title", "A text.", "en")
    corpus()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--copies", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--processes", type=int, default=1)
    chosen = options.parse_args()
    if not corpus():
        print(f"no shared data at {SHARED}; set RACEWIRE_SHARED to the folder that has data/")
        return 2
    found = list(courses(chosen.copies, chosen.seed, chosen.processes))
    print(f"{len(corpus())} documents as they are and {chosen.copies} mutated copies, seed {chosen.seed}")
    for outcome, count in Counter(c.outcome for c in found).most_common():
        print(f"{count:7} {outcome}")
    for course in sorted(found, key=lambda c: c.seconds, reverse=True)[:5]:
        print(f"{course.seconds:7.2f} s   {course.name}: {course.outcome}")
    for course in sorted(found, key=lambda c: c.megabytes, reverse=True)[:5]:
        print(f"{course.megabytes:7.1f} MB  {course.name}: {course.outcome}")
    bad = [c for c in found if c.outcome.startswith("RAISED") or c.seconds > SLOWEST or c.megabytes > LARGEST]
    for course in bad:
        print(f"NO: {course}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
