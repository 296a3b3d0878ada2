"""The measurement of the way from the broker to a verdict in Postgres: rounds of contenders, then latencies.

What a contender needs to start is not counted: it runs, and has stored a few articles, when it is stopped
(SIGSTOP), is given all articles on its topic, and goes on as the clock starts.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kafka import TopicPartition
from sqlalchemy import text

from pipeline.bench.figures import Contender, Latencies, Run
from pipeline.bench.stage import PATIENCE, Processes, Stage, World, postgres_cpu
from pipeline.bus.connection import UnavailableError
from pipeline.bus.reading import ends
from schemas.codec import record
from schemas.messages import Article
from schemas.topics import ARTICLES, ASSESSMENTS

WARM = 240  # articles stored before the clock starts: 20 a partition
RATE = 20  # articles a second in the latency part
_OURS = ("pipeline.cli", "worker", "classifier")


@dataclass(frozen=True)
class _Setting:
    """How a contender is started, and the queries that say how many articles it stored and who joined."""

    commands: Sequence[Sequence[str]]
    stored: str = "SELECT count(*) FROM assessments"
    joined: str = "SELECT count(DISTINCT owner) FROM claims HAVING count(*) = {partitions}"


_SETTINGS = {
    Contender.BARE: _Setting(
        [("pipeline.bench.contenders", "bare")], "SELECT count(*) FROM articles", "SELECT 1"
    ),
    Contender.OURS: _Setting([_OURS]),
    Contender.TWO: _Setting([_OURS, _OURS]),
    Contender.OBVIOUS: _Setting([("pipeline.bench.contenders", "obvious")], joined="SELECT 1"),
}
_PRESS = _Setting([_OURS, ("pipeline.cli", "worker", "relay")])


def one_round(
    stage: Stage, articles: Sequence[Article], contenders: Sequence[Contender], told: Callable[[Run], None]
) -> dict[Contender, Run]:
    """Each contender once. Raises StackError when one ends or does not come to its end."""
    runs = {}
    for contender in contenders:
        alone = contender is Contender.ASSESS
        runs[contender] = _alone(len(articles) - WARM) if alone else _through(stage, contender, articles)
        told(runs[contender])
    return runs


def _through(stage: Stage, contender: Contender, articles: Sequence[Article]) -> Run:
    setting, count = _SETTINGS[contender], len(articles) - WARM
    with stage.world() as world, world.running(setting.commands) as processes:
        _warm_up(world, processes, setting, articles[:WARM], len(setting.commands))
        processes.suspend()
        world.publish(articles[WARM:])
        cpu, server, clock = processes.cpu(), postgres_cpu(), time.perf_counter()
        processes.resume()
        world.wait(f"{contender}: articles stored", setting.stored, len(articles), processes.alive)
        seconds, cpu, server = time.perf_counter() - clock, processes.cpu() - cpu, postgres_cpu() - server
        return Run(contender, count, seconds, cpu, processes.peak(), server)


def _warm_up(
    world: World, processes: Processes, setting: _Setting, articles: Sequence[Article], readers: int
) -> None:
    """Until `readers` share the partitions and the first articles are stored."""
    joined = setting.joined.format(partitions=world.topics[ARTICLES].partitions)
    world.wait("processes that have joined", joined, readers, processes.alive)
    world.publish(articles)
    world.wait("articles stored to warm up", setting.stored, len(articles), processes.alive)


def _alone(count: int) -> Run:
    command = [sys.executable, "-m", "pipeline.bench.contenders", "assess", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    found = json.loads(done.stdout)
    return Run(Contender.ASSESS, count, found["seconds"], found["cpu"], found["peak"])


def latencies(stage: Stage, articles: Sequence[Article], seconds: int) -> Latencies:
    """RATE articles a second through classifier and relay: when each was seen as a row and as an event."""
    sent: dict[str, float] = {}
    rows: dict[str, float] = {}
    events: dict[str, float] = {}
    count = RATE * seconds
    with stage.world() as world, world.running(_PRESS.commands) as processes:
        _warm_up(world, processes, _PRESS, articles[:WARM], 1)
        world.wait("events to be sent", "SELECT count(*) FROM outbox", 0, processes.alive)
        given = articles[WARM : WARM + count]
        stop = threading.Event()
        watchers = [
            threading.Thread(target=watch, args=(world, seen, count, stop), daemon=True)
            for watch, seen in ((_watch_rows, rows), (_watch_events, events))
        ]
        for watcher in watchers:
            watcher.start()
        _send(world, given, sent)
        for watcher in watchers:
            watcher.join(30)
        stop.set()
        processes.alive()
    if len(rows) < count or len(events) < count:
        raise UnavailableError(
            f"of {count} articles {len(rows)} became rows and {len(events)} events in 30 s"
        )
    return Latencies(
        [rows[key] - at for key, at in sent.items()], [events[key] - at for key, at in sent.items()]
    )


def _send(world: World, articles: Sequence[Article], sent: dict[str, float]) -> None:
    topic, producer = world.topics[ARTICLES], world.broker.producer("bench")
    begin = time.monotonic()
    for number, article in enumerate(articles):
        time.sleep(max(0.0, begin + number / RATE - time.monotonic()))
        made = record(topic, article, time=article.observed_at)
        sent[article.article_id] = time.monotonic()
        producer.send(made.topic, key=made.key, value=made.value, headers=list(made.headers))
    producer.close(timeout=10)


def _watch_rows(world: World, seen: dict[str, float], count: int, stop: threading.Event) -> None:
    # The one classifier writes in the order of its clock, so that the newest row seen is where to go on.
    query = text("SELECT article_id, written_at FROM assessments WHERE written_at > :last ORDER BY 2")
    with world.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as tx:
        last = tx.execute(text("SELECT max(written_at) FROM assessments")).scalar_one()
        while len(seen) < count and not stop.is_set():
            for article_id, written_at in tx.execute(query, {"last": last}).all():
                seen[article_id], last = time.monotonic(), written_at
            stop.wait(0.01)


def _watch_events(world: World, seen: dict[str, float], count: int, stop: threading.Event) -> None:
    consumer = world.broker.consumer("bench")
    try:
        places = {
            TopicPartition(*place): at
            for place, at in ends(world.broker, world.topics[ASSESSMENTS].name).items()
        }
        consumer.assign(list(places))
        for place, at in places.items():
            consumer.seek(place, at)
        while len(seen) < count and not stop.is_set():
            for records in consumer.poll(timeout_ms=200).values():
                for one in records:
                    seen.setdefault(one.key.decode(), time.monotonic())
    finally:
        consumer.close(timeout_ms=2000)
