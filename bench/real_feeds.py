"""The real feeds of the shared data through the whole pipeline: an exact balance, and how fast it went.

`python -m bench.real_feeds` serves them on loopback, polls them into the embedded Kafka and classifies into
the embedded Postgres, all in this process. The baseline of the same run is parsing alone, so that a figure
from a busy machine can be read. Exit code 1 when the balance does not hold.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from bench.verdicts import SHARED
from pipeline.assets import classifier as load_classifier
from pipeline.bus.admin import ensure_topics
from pipeline.bus.connection import Broker
from pipeline.bus.consumer import ConsumerLoop
from pipeline.feeds.cadence import Bounds
from pipeline.feeds.decide import Horizon
from pipeline.feeds.fetch import Limits
from pipeline.feeds.parse import parse
from pipeline.feeds.registry import Registry
from pipeline.feeds.values import Feed
from pipeline.stack import Supervisor
from pipeline.store.database import connect
from pipeline.store.migrating import migrate
from pipeline.workers import classifier
from pipeline.workers.poller import Poller
from pipeline.workers.summary import totals
from schemas.topics import ARTICLES, topics
from tests.feedserver import FeedServer

LACKING = """SELECT count(*) FROM articles a LEFT JOIN assessments v USING (article_id)
             WHERE v.revision IS DISTINCT FROM a.revision"""


def main() -> int:
    folder = SHARED / "data" / "feeds"
    if not folder.is_dir():
        print(f"no shared data at {SHARED}; set RACEWIRE_SHARED to the folder that has data/")
        return 2
    bodies = [path.read_bytes() for path in sorted(folder.glob("*.xml"))]
    with tempfile.TemporaryDirectory() as home, FeedServer().serving() as server:
        started = time.perf_counter()
        for body in bodies:
            parse(body, url="http://feed.example/")
        parsing = time.perf_counter() - started
        with Supervisor(Path(home), on_progress=lambda *_: None).running() as found:
            return run(server, bodies, found.database_url, Broker(found.kafka_bootstrap), parsing)


def run(server: FeedServer, bodies: list[bytes], database: str, broker: Broker, parsing: float) -> int:
    engine, known = connect(database), topics()
    migrate(engine)
    ensure_topics(broker, known.values())
    feeds = []
    for number, body in enumerate(bodies):
        server.documents[f"/{number}"] = (body, "application/xml")
        feeds.append(
            Feed(
                id=f"real-{number}",
                url=server.url(f"/{number}"),
                title=str(number),
                language="en",
                kind="press",
                rank=1 + number % 5,
                allow_hosts=frozenset({"127.0.0.1"}),
            )
        )
    hour = timedelta(hours=1)
    poller = Poller(
        engine,
        broker,
        known,
        Registry.of(feeds),
        limits=Limits(user_agent="racewire-bench"),
        bounds=Bounds(floor=hour, start=hour, ceiling=hour),
        batch=20,
        horizon=Horizon(first_import=timedelta(days=36_500), seen=timedelta(days=36_500)),  # all on one topic
    )
    started = time.perf_counter()
    polls = [p for batch in poller.batches() for p in poller.poll_batch(batch)]
    polling = time.perf_counter() - started
    sums = totals(polls)
    published = sums["articles"] + sums["revisions"] + sums["sightings"]

    verdicts = load_classifier()
    strategy = classifier.strategy(engine, known, "bench", verdicts)
    stop = threading.Event()
    loop = ConsumerLoop(broker, [known[ARTICLES].name], "bench", strategy)
    started = time.perf_counter()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()

    def scalar(sql: str) -> int:
        with engine.connect() as tx:
            return int(tx.execute(text(sql)).scalar() or 0)

    while scalar("SELECT sum(next_offset) FROM consumer_offsets") < published:
        time.sleep(0.05)
    classifying = time.perf_counter() - started
    stop.set()
    thread.join()
    rows, lacking = scalar("SELECT count(*) FROM articles"), scalar(LACKING)
    letters = scalar("SELECT count(*) FROM dead_letters")
    reasons = Counter(reason for p in polls for reason, _, _ in p.rejects)
    print(f"{len(bodies)} feeds, {sums['entries']} entries = {sums['articles']} articles")
    print(f"  + {sums['revisions']} revisions + {sums['sightings']} sightings + {sums['rejected']} rejects")
    print(f"  rejects: {dict(reasons)}; unchanged {sums['unchanged']}")
    print(f"{rows} article rows, {lacking} without a verdict on their revision, {letters} dead letters")
    print(f"fetch to acknowledgement {polling:.1f} s ({sums['entries'] / polling:.0f} entries/s, ", end="")
    print(f"{polling / parsing:.1f} times parsing alone)")
    print(f"broker to verdict {classifying:.1f} s ({published / classifying:.0f} articles/s)")
    parts = published + sums["unchanged"] + sums["rejected"]
    return int(parts != sums["entries"] or rows != sums["articles"] or lacking > 0 or letters > 0)


if __name__ == "__main__":
    sys.exit(main())
