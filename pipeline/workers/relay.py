"""The relay: outbox rows out to their topics, in order, once.

It deletes a batch's rows and moves the checkpoints of the partitions they went to in one transaction. After
a crash or a failed send it does not know which rows are out, so it reads the topics from the checkpoints to
the end and looks for their event ids. What it has not got rid of when its lease ends it never sends, so that
two relays send nothing twice; the guards are those of `tests/unit/workers/test_protocol.py`.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from itertools import islice
from time import monotonic, sleep
from typing import Any

import psycopg
from kafka.errors import KafkaError
from msgspec.structs import replace
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.publish import publish
from pipeline.bus.reading import read_to_end
from pipeline.store import leases, outbox, progress
from pipeline.store.dead_letters import REDRIVE
from pipeline.workers.strategy import LEASE_TTL, unavailable
from schemas.codec import ContractError, OutRecord, decode, encode, header
from schemas.republish import Words, republished
from schemas.topics import Topic

log = logging.getLogger(__name__)

NAME = "relay"
BATCH = 500  # rows published and deleted together
IDLE_SECONDS = 1.0  # how long a missed notification delays a row

# From renewing the lease to the last try of a send there are at most these two and the third part of the
# second, for which a send may wait for metadata: less than the lease lasts.
BEGIN_SECONDS = 1.5
DELIVERY_SECONDS = 6.0
SETTLE_SECONDS = 1.0  # in which a broker works off what it was sent by the relay before


class Relay:
    """What the leader does; built anew for every leadership, so that each begins with a recovery.

    On `topics` no more than `words` of publishers' words are sent; those of ours need not be among them.
    """

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        lease: leases.Lease,
        topics: Iterable[Topic] = (),
        words: Words = "full",
    ) -> None:
        self._engine, self._broker, self._lease, self._words = engine, broker, lease, words
        self._public: Mapping[str, Topic] = {} if words == "full" else {t.name: t for t in topics}

    def run(self, stop: threading.Event) -> None:
        """Relay until `stop` is set. Raises UnavailableError or LeaseLostError; then recovery is needed."""
        producer = None
        try:
            producer = self._broker.producer(NAME, DELIVERY_SECONDS)
            self.recover(stop)
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
        except psycopg.Error as error:  # from waiting for notifications, which is the driver's own
            raise UnavailableError(f"Postgres: {' '.join(str(error).split())}") from error
        finally:
            if producer is not None:
                _discard(producer)

    def recover(self, stop: threading.Event) -> int:
        """Delete the rows that are out already; how many there were until `stop` was set."""
        found = 0
        with self._engine.begin() as tx:
            leases.hold(tx, self._lease, LEASE_TTL)
            topics = outbox.pending_topics(tx)
        if topics:
            sleep(SETTLE_SECONDS)
        for topic in topics:
            with self._engine.begin() as tx:
                leases.hold(tx, self._lease, LEASE_TTL)
                start = progress.load_checkpoints(tx, topic)
            there = read_to_end(self._broker, topic, start)
            while not stop.is_set() and (records := list(islice(there, BATCH))):
                ends = {(r.topic, r.partition): r.offset + 1 for r in records}
                ids = [event_id_of(r.headers) for r in records]
                with self._engine.begin() as tx:
                    leases.hold(tx, self._lease, LEASE_TTL)
                    found += outbox.remove_events(tx, topic, [i for i in ids if i])
                    progress.save_checkpoints(tx, ends)
        if found:
            log.warning("relay: %d rows were out already and are not sent again", found)
        return found

    def _turn(self, producer: Any) -> int:
        began = monotonic()
        with self._engine.begin() as tx:
            leases.hold(tx, self._lease, LEASE_TTL)
            rows = outbox.take(tx, BATCH)
        if not rows:
            return 0
        records = [self._allowed(row.record) for row in rows]
        if monotonic() - began > BEGIN_SECONDS:
            raise leases.LeaseLostError(f"taking {len(rows)} rows took so long that the lease may be gone")
        places = publish(producer, records)
        with self._engine.begin() as tx:
            leases.hold(tx, self._lease, LEASE_TTL)
            outbox.remove(tx, [row.seq for row in rows])
            progress.save_checkpoints(tx, {(p.topic, p.partition): p.offset + 1 for p in places})
        return len(rows)

    def _allowed(self, record: OutRecord) -> OutRecord:
        """The record with as much of publishers' words as others may have; its id is that of the whole."""
        topic = self._public.get(record.topic)
        if topic is None or record.value is None:
            return record
        try:
            message = decode(topic, record.headers, record.value)
        except ContractError:  # a dead letter's bytes, redriven: they are out already
            return record
        return replace(record, value=encode(republished(message, self._words)))


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
        producer.close(timeout=DELIVERY_SECONDS)  # until all it has is out or has failed
    except (KafkaError, AssertionError) as error:
        # It gave up before it told its sender to end, which would send the rest once the broker is back, also
        # what has expired: the client looks for that only after it was drained.
        producer._sender.force_close()
        log.info("relay: the old producer did not close cleanly: %r", error)
