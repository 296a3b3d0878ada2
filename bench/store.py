"""Does the store stay quick as it grows: each question and write at two sizes, in turn, in one run.

`python -m bench.store [--small 10000] [--large 1000000] [--home FOLDER]` fills two databases of an embedded
Postgres and times all of `tests.calls` on both. Prints medians in milliseconds and marks what takes more
than 1.5 times as long in the large one, with the reason where it is to read a whole table; the exit code is 1
where there is none. What is written is rolled back, but for the workers' batches. With `--home` the databases
are kept for the next time, with these batches.
"""

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import create_engine, text

from pipeline.stack import postgres
from pipeline.stack.home import Home
from pipeline.stack.process import Child
from pipeline.stack.values import Ports
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from tests.calls import Call, Filled, calls
from tests.filled import fill
from tests.until import until

A_DAY = 200  # articles, at both sizes
ROUNDS = 9
LONG = 20.0  # seconds, after which a call is not repeated
LIMIT = 1.5


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--small", type=int, default=10_000)
    asked.add_argument("--large", type=int, default=1_000_000)
    asked.add_argument("--home", type=Path)
    asked.add_argument("--only", default="", help="calls whose name has this")
    given = asked.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="racewire-bench-") as folder,
        server(given.home or Path(folder)) as url,
    ):
        small, large = (filled(url, size) for size in (given.small, given.large))
        return compare(small, large, given.only)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The embedded Postgres alone, for the length of a block: its URL up to the database's name."""
    home = Home(folder)
    home.create()
    service = postgres.build(home, home.choose_ports(Ports()).postgres, lambda message: None)
    child = Child(home, service)
    try:
        until(service.ready)
        yield postgres.url(home, service.port, "")
    finally:
        child.stop()
        until(child.stopped)


def filled(url: str, size: int) -> Filled:
    """The database of that size, filled unless it was kept."""
    name = f"store_{size}"
    admin = create_engine(f"{url}postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as tx:
        there = tx.scalar(text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": name})
        if not there:
            tx.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    engine = connect(f"{url}{name}", pool=2)
    began = time.monotonic()
    migrate(engine)
    with engine.connect() as tx:
        empty = not tx.scalar(text("SELECT EXISTS (SELECT FROM articles)"))
    if empty:
        fill(engine, size, A_DAY)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        # Anew each time: else what was rolled back before is measured too.
        tx.execute(text("VACUUM ANALYZE"))
        tx.execute(text("CHECKPOINT"))
        bytes_ = tx.scalar(text("SELECT pg_database_size(current_database())"))
    print(f"{size:,} articles: {bytes_ / 1e9:.2f} GB, {time.monotonic() - began:.0f} s", flush=True)
    return Filled.of(engine)


def compare(small: Filled, large: Filled, only: str) -> int:
    print(f"\n{'milliseconds':<36} {'small':>9} {'large':>9} {'ratio':>6}")
    over = 0
    # What stays comes last: it makes the last days denser than all before.
    for call in sorted(calls(), key=lambda call: call.stays):
        if only in call.name:
            times: dict[int, list[float]] = {id(small): [], id(large): []}
            began = time.monotonic()
            for number in range(ROUNDS):
                if number > 2 and time.monotonic() - began > LONG:
                    break
                for store in (small, large):
                    times[id(store)].append(took(call, store))
            # The first round warms up.
            before, after = (median(times[id(store)][1:]) for store in (small, large))
            much = after > LIMIT * before
            over += much and not call.why
            said = f" < {call.why}" if much else ""
            print(f"{call.name:<36} {before:>9.2f} {after:>9.2f} {after / before:>6.2f}{said}", flush=True)
    print(f"\n{over} above {LIMIT} without a reason")
    return int(over > 0)


def took(call: Call, store: Filled) -> float:
    """Milliseconds of one call, with its commit where it stays."""
    gc.collect()
    with store.engine.connect() as tx:
        began = time.perf_counter()
        call.run(tx, store)
        if call.stays:
            tx.commit()
        return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
