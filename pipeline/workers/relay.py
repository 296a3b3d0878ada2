"""The relay: outbox rows out to their topics, in order, once.

It deletes a batch's rows and moves the checkpoints of the partitions they went to in one transaction. After
a crash or a failed send it does not know which rows are out, so it reads the topics from the checkpoints to
the end and looks for their event ids.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Any

from kafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.publish import publish
from pipeline.bus.reading import read_to_end
from pipeline.store import leases, outbox, progress
from pipeline.store.dead_letters import REDRIVE
from pipeline.workers.strategy import LEASE_TTL, unavailable
from schemas.codec import header

log = logging.getLogger(__name__)

NAME = "relay"
BATCH = 500  # rows published and deleted together
IDLE_SECONDS = 1.0  # how long a missed notification delays a row


class Relay:
    """What the leader does; built anew for every leadership, so that each begins with a recovery."""

    def __init__(self, engine: Engine, broker: Broker, lease: leases.Lease) -> None:
        self._engine, self._broker, self._lease = engine, broker, lease

    def run(self, stop: threading.Event) -> None:
        """Relay until `stop` is set. Raises UnavailableError or LeaseLostError; then recovery is needed."""
        producer = None
        try:
            producer = self._broker.producer(NAME)
            self.recover()
            with self._engine.connect() as listening:
                listening.exec_driver_sql(f"LISTEN {outbox.CHANNEL}")
                listening.commit()
                while not stop.is_set():
                    if self._turn(producer) == 0:
                        _wait(listening.connection.driver_connection)
        except KafkaError as error:
            raise UnavailableError(f"Kafka at {self._broker.bootstrap}: {error!r}") from error
        except DBAPIError as error:
            raise unavailable(error) from error
        finally:
            if producer is not None:
                _discard(producer)

    def recover(self) -> int:
        """Delete the rows that are out already; how many there were."""
        found = 0
        with self._engine.begin() as tx:
            leases.hold(tx, self._lease, LEASE_TTL)
            topics = outbox.pending_topics(tx)
        for topic in topics:
            with self._engine.begin() as tx:
                leases.hold(tx, self._lease, LEASE_TTL)
                waiting = outbox.pending_events(tx, topic)
                start = progress.load_checkpoints(tx, topic)
            out, ends = [], dict[tuple[str, int], int]()
            for record in read_to_end(self._broker, topic, start):
                ends[record.topic, record.partition] = record.offset + 1
                seq = waiting.get(event_id_of(record.headers) or "")
                if seq is not None:
                    out.append(seq)
            with self._engine.begin() as tx:
                leases.hold(tx, self._lease, LEASE_TTL)
                outbox.remove(tx, out)
                progress.save_checkpoints(tx, ends)
            found += len(out)
        if found:
            log.warning("relay: %d rows were out already and are not sent again", found)
        return found

    def _turn(self, producer: Any) -> int:
        with self._engine.begin() as tx:
            leases.hold(tx, self._lease, LEASE_TTL)
            rows = outbox.take(tx, BATCH)
        if not rows:
            return 0
        places = publish(producer, [row.record for row in rows])
        with self._engine.begin() as tx:
            leases.hold(tx, self._lease, LEASE_TTL)
            outbox.remove(tx, [row.seq for row in rows])
            progress.save_checkpoints(tx, {(p.topic, p.partition): p.offset + 1 for p in places})
        return len(rows)


def event_id_of(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """The outbox's event id of a published record; a redriven record keeps its first `ce_id` beside it."""
    given = list(headers)
    return header(given, REDRIVE) or header(given, "ce_id")


def _wait(connection: Any) -> None:
    """Until rows have come, or for IDLE_SECONDS."""
    for _ in connection.notifies(timeout=IDLE_SECONDS, stop_after=1):
        return


def _discard(producer: Any) -> None:
    try:
        producer.close(timeout=2)
    except (KafkaError, AssertionError) as error:
        log.info("relay: the old producer did not close cleanly: %r", error)
