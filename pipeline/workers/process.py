"""A worker as a process: wiring from settings, a clean end on SIGTERM, an exit code that says why.

A process that hangs, or does not end when asked, ends itself: the interpreter writes `Timeout (0:04:00)!` and
where each thread stood, and exits with 1. Nothing is lost by it, and whoever keeps the process starts it
again.
"""

import _thread
import faulthandler
import gc
import logging
import signal
import threading
from collections.abc import Callable
from functools import partial

from sqlalchemy import Engine

from pipeline.assets import classifier as load_classifier
from pipeline.bus.consumer import ConsumerLoop, Strategy
from pipeline.bus.gathering import Limits
from pipeline.settings import Servers, Settings
from pipeline.store.aggregates import AGGREGATES
from pipeline.store.database import connect
from pipeline.store.leases import Lease
from pipeline.workers import classifier, relay, storyteller
from pipeline.workers.flood import EXIT_CODE, FloodError
from pipeline.workers.leading import lead
from pipeline.workers.pace import Paced
from schemas.topics import ARTICLES, ASSESSMENTS, BACKFILL, topics

log = logging.getLogger(__name__)

Run = Callable[[threading.Event], None]

STUCK_SECONDS = 240  # many times what a batch is to take, and below Kafka's max.poll.interval of 300 s
DRAIN_SECONDS = 8  # for the batch in hand: Docker kills after 10 s


class Watched(threading.Event):
    """A request to stop whose asking is a sign of life: every loop asks on each turn.

    The watch is the interpreter's own thread, which no lock and no endless regular expression can stop.
    """

    def is_set(self) -> bool:
        if super().is_set():
            return True
        faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
        return False

    def set(self) -> None:
        super().set()
        faulthandler.dump_traceback_later(DRAIN_SECONDS, exit=True)


def build(name: str, settings: Settings, servers: Servers, instance: str | None = None) -> Run:
    """The worker called `name`, one of `WORKERS`, ready to run until an event is set.

    `instance` is a stable number among workers of this kind: a restart then takes its partitions back
    at once.
    """
    engine = connect(servers.database_url.get_secret_value())
    return WORKERS[name](engine, settings, servers, instance)


def main(run: Run) -> int:
    """Run until SIGTERM or SIGINT: 0 after a clean end, 3 when a flood of failures stopped it.

    Ends the process with 1 when it hangs, or does not come to an end in DRAIN_SECONDS.
    """
    stop = Watched()
    for number in (signal.SIGTERM, signal.SIGINT):
        # By another thread: this one may be in `stop.wait`, with the lock that `set` asks for.
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))
    # Lexicon and libraries live as long as the process: no collection is to walk over them again.
    gc.collect()
    gc.freeze()
    try:
        run(stop)
    except FloodError as error:
        log.critical("%s", error)
        return EXIT_CODE
    finally:
        faulthandler.cancel_dump_traceback_later()
    return 0


def _classifier(
    engine: Engine, settings: Settings, servers: Servers, instance: str | None, source: str = ARTICLES
) -> Run:
    group = f"{settings.topic_prefix}{classifier.NAMES[source]}"
    known = topics(settings.topic_prefix)
    count = settings.batch
    strategy: Strategy = classifier.strategy(
        engine, known, group, load_classifier(), source, keep=settings.keep_articles
    )
    if source == BACKFILL:
        # A batch waits for its time inside the loop: it is to be worth a second, no more.
        strategy, count = Paced(strategy, settings.backfill_rate), min(count, settings.backfill_rate)
    return ConsumerLoop(
        servers.broker, [known[source].name], group, strategy, limits=Limits(count=count), instance=instance
    ).run


def _storyteller(engine: Engine, settings: Settings, servers: Servers, instance: str | None) -> Run:
    group = f"{settings.topic_prefix}{storyteller.NAME}"
    known = topics(settings.topic_prefix)
    version = load_classifier().version

    def run(stop: threading.Event) -> None:
        def body(lease: Lease) -> None:
            strategy = storyteller.strategy(engine, known, group, version, lease)
            # Only the leader is in the group, so any leader may be its one static member.
            ConsumerLoop(
                servers.broker,
                [known[ASSESSMENTS].name],
                group,
                strategy,
                limits=Limits(count=settings.batch),
                instance=instance,
            ).run(stop)

        lead(engine, group, stop, body)

    return run


def _relay(engine: Engine, settings: Settings, servers: Servers, instance: str | None) -> Run:
    known = topics(settings.topic_prefix)
    public = [known[name] for name in AGGREGATES]

    def run(stop: threading.Event) -> None:
        lead(
            engine,
            f"{settings.topic_prefix}{relay.NAME}",
            stop,
            lambda lease: relay.Relay(engine, servers.broker, lease, public, settings.republish).run(stop),
        )

    return run


WORKERS: dict[str, Callable[[Engine, Settings, Servers, str | None], Run]] = {
    classifier.NAMES[ARTICLES]: _classifier,
    classifier.NAMES[BACKFILL]: partial(_classifier, source=BACKFILL),
    storyteller.NAME: _storyteller,
    relay.NAME: _relay,
}
