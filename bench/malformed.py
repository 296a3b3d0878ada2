"""What malformed records cost: the same articles with one in a hundred broken, and without, in one run.

`python -m bench.malformed [RECORDS]` (default 20,000) publishes rounds of clean and of mixed records in turn
to an embedded Kafka and classifies them into an embedded Postgres, so that a busy machine slows both alike.
Exit code 1 when other records than the broken ones became dead letters, or a good one is missing.
"""

import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Engine, text

from pipeline.assets import classifier as load_classifier
from pipeline.bus.admin import ensure_topics
from pipeline.bus.connection import Broker
from pipeline.bus.consumer import ConsumerLoop
from pipeline.bus.publish import publish
from pipeline.stack import Supervisor
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from pipeline.workers import classifier
from schemas.codec import OutRecord
from schemas.topics import ARTICLES, Topic, topics
from tests.samples import article, out

ROUNDS = 10  # of each kind, in turn
EVERY = 100
STORY = "OpenAI, Google and Anthropic are in a race for the next model, people who know of it say. "
BROKEN = (b'{"article_id": ', b'{"article_id": "a", "title": 7}', b"[]", b"\xff\xfe")


@dataclass
class Took:
    """Seconds of one kind of round: by the clock, and of this process's CPU."""

    clock: float = 0.0
    cpu: float = 0.0


def main() -> int:
    size = int(sys.argv[1] if len(sys.argv) > 1 else 20_000) // (2 * ROUNDS)
    with (
        tempfile.TemporaryDirectory() as home,
        Supervisor(Path(home), on_progress=lambda *_: None).running() as found,
    ):
        return run(connect(found.database_url), Broker(found.kafka_bootstrap), size)


def run(engine: Engine, broker: Broker, size: int) -> int:
    known = topics()
    migrate(engine)
    ensure_topics(broker, known.values())
    producer, topic = broker.producer("bench"), known[ARTICLES]
    strategy = classifier.strategy(engine, known, "bench", load_classifier())
    stop = threading.Event()
    thread = threading.Thread(target=ConsumerLoop(broker, [topic.name], "bench", strategy).run, args=(stop,))
    thread.start()
    took = {False: Took(), True: Took()}
    published = broken = 0
    # The first round warms up and is not counted.
    for number in range(2 * ROUNDS + 1):
        mixed = number % 2 == 1
        records = [record(topic, published + n, mixed) for n in range(size)]
        broken += sum(r.value in BROKEN for r in records)
        publish(producer, records)
        clock, cpu = time.perf_counter(), time.process_time()
        published += size
        while scalar(engine, "SELECT sum(next_offset) FROM consumer_offsets") < published:
            time.sleep(0.02)
        if number:
            took[mixed].clock += time.perf_counter() - clock
            took[mixed].cpu += time.process_time() - cpu
    stop.set()
    thread.join()
    producer.close()
    clean, with_broken = took[False], took[True]
    letters = scalar(engine, "SELECT count(*) FROM dead_letters")
    rows = scalar(engine, "SELECT count(*) FROM assessments")
    print(f"{published} records, {broken} broken: {rows} verdicts, {letters} dead letters")
    for name, one in (("clean", clean), ("mixed", with_broken)):
        rate, cost = ROUNDS * size / one.clock, one.cpu / ROUNDS / size * 1e6
        print(f"{name}: {rate:.0f} records/s, {cost:.0f} µs of CPU each")
    print(f"throughput of mixed to clean {clean.clock / with_broken.clock:.3f}", end="")
    print(f", CPU {with_broken.cpu / clean.cpu:.3f}")
    return int(letters != broken or rows != published - broken)


def record(topic: Topic, number: int, mixed: bool) -> OutRecord:
    good = msgspec.structs.replace(article(number), text=f"{number}. {STORY * 20}")
    made = out(topic, good)
    if mixed and number % EVERY == 0:
        return msgspec.structs.replace(made, value=BROKEN[number // EVERY % len(BROKEN)])
    return made


def scalar(engine: Engine, sql: str) -> int:
    with engine.connect() as tx:
        return int(tx.execute(text(sql)).scalar() or 0)


if __name__ == "__main__":
    sys.exit(main())
