"""The importer: an archive's articles to `news.backfill.v1`, at a pace, remembered as a poll remembers.

It only adds: whatever is known, from the news or an archive, or was taken down, is left as it is. So a run
that was killed is started again and continues, and history overwrites nothing.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from kafka.errors import KafkaError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.consumer import RETRY_SECONDS
from pipeline.bus.publish import publish
from pipeline.feeds.archive import Item
from pipeline.feeds.decide import END_OF_TIME, decide
from pipeline.feeds.outcomes import Candidate, Known
from pipeline.store import feeds as memory
from pipeline.store.known import load_known, save_known
from pipeline.store.takedown import forgotten
from pipeline.workers.pace import Pace
from pipeline.workers.publishing import records
from pipeline.workers.strategy import unavailable
from schemas.codec import OutRecord
from schemas.topics import Topic

log = logging.getLogger(__name__)

BATCH = 50  # lines in one transaction: polls wait for it, and it takes some tens of milliseconds


@dataclass
class Tally:
    """What became of what was read, so far. `feeds` counts what was added."""

    read: int = 0
    added: int = 0
    known: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    feeds: Counter[str] = field(default_factory=Counter)
    oldest: datetime | None = None
    newest: datetime | None = None

    def add(self, item: Item, new: bool) -> None:
        """Count an item."""
        self.read += 1
        if not isinstance(item.entry, Candidate):
            self.rejected[item.entry.reason] += 1
        elif not new:
            self.known += 1
        else:
            at = item.entry.article.published_at
            self.added += 1
            self.feeds[item.feed.id] += 1
            self.oldest, self.newest = min(self.oldest or at, at), max(self.newest or at, at)


class Importer:
    """Imports items; `tally` is true of all that is committed, whenever it is looked at.

    With `dry_run` nothing is published or remembered, and the tally says what would be.
    """

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        topics: Mapping[str, Topic],
        rate: float,
        *,
        dry_run: bool = False,
    ) -> None:
        self._engine, self._broker, self._topics = engine, broker, topics
        self._pace, self._dry_run = Pace(rate), dry_run
        self._producer: Any = None
        self._would_know: set[str] = set()
        self.tally = Tally()

    def close(self) -> None:
        """Let the connections go."""
        self._discard()
        self._engine.dispose()

    def run(self, items: Iterable[Item], seen: Callable[[Item], None]) -> None:
        """Import all; `seen` is told of each item once it is counted. Raises UnavailableError."""
        remaining = iter(items)
        while batch := list(islice(remaining, BATCH)):
            new = self._patiently(batch)
            for item, is_new in zip(batch, new, strict=True):
                self.tally.add(item, is_new)
                seen(item)
            if not self._dry_run:
                self._pace.take(sum(new))

    def _patiently(self, batch: Sequence[Item]) -> list[bool]:
        """Import a batch, which of it was new; servers that are down are waited for, some 20 s."""
        for wait in (*RETRY_SECONDS, RETRY_SECONDS[-1], RETRY_SECONDS[-1]):
            try:
                return self._import(batch)
            except UnavailableError as error:
                log.warning("import: waiting %.1f s: %s", wait, error)
                self._discard()
                time.sleep(wait)
        return self._import(batch)

    def _import(self, batch: Sequence[Item]) -> list[bool]:
        try:
            with self._engine.connect() as tx:
                if not self._dry_run:
                    memory.serialise_publishing(tx)
                ids = [i.entry.article.article_id for i in batch if isinstance(i.entry, Candidate)]
                known = load_known(tx, ids).keys() | forgotten(tx, ids)
                learned: dict[str, Known] = {}
                messages: list[OutRecord] = []
                new = []
                for item in batch:
                    is_new = isinstance(item.entry, Candidate) and not any(
                        item.entry.article.article_id in there for there in (known, learned, self._would_know)
                    )
                    new.append(is_new)
                    if is_new:
                        decision = decide(item.feed, [item.entry], {}, END_OF_TIME)
                        learned |= {k.article_id: k for k in decision.memory}
                        messages += records(self._topics, decision)
                if self._dry_run:
                    self._would_know |= learned.keys()
                    return new
                if messages:
                    self._producer = self._producer or self._broker.producer("import")
                    publish(self._producer, messages)
                save_known(tx, learned.values())
                tx.commit()
        except DBAPIError as error:
            raise unavailable(error) from error
        except KafkaError as error:
            raise UnavailableError(f"Kafka at {self._broker.bootstrap}: {error!r}") from error
        return new

    def _discard(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=5)
            self._producer = None
