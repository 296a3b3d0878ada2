"""The poller: lease feeds, fetch and parse them, publish what is new, wait for the broker, then remember.

What is published is decided in the transaction that remembers it. A poll that dies before its commit has
remembered nothing, so that the next one publishes the same again; readers tell by the event's id.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, Self

import msgspec
from kafka.errors import KafkaError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.publish import PublishError, publish
from pipeline.feeds import aliases, robots
from pipeline.feeds.cadence import Bounds, a_round, held_until, is_our_outage, next_state
from pipeline.feeds.decide import Horizon, decide
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.fulltext import LATER, complete
from pipeline.feeds.health import change
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.moves import duplicate
from pipeline.feeds.outcomes import Candidate, Decision, Known, Reject
from pipeline.feeds.parse import parse
from pipeline.feeds.registry import Registry, renamed
from pipeline.feeds.seen import seen_now, stands_apart
from pipeline.feeds.values import Feed, FeedState, Fetched, ParsedFeed, Validators
from pipeline.store import feeds as memory
from pipeline.store.feeds import Poll
from pipeline.store.known import load_known, load_robots, remember_robots
from pipeline.store.registry import (
    is_at,
    languages,
    registered,
    rename,
    revive,
    stored,
    sync_registry,
    unregistered,
)
from pipeline.store.takedown import forgotten
from pipeline.workers.publishing import records
from pipeline.workers.strategy import process_name, unavailable
from schemas.topics import Topic

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # well above what a batch takes: a feed may take 45 s, its pages 95 s


@dataclass(frozen=True)
class _Read:
    """A feed as it was read: everything that can be done before it is its turn to publish."""

    feed: Feed
    state: FeedState
    fetched: Fetched
    parsed: ParsedFeed | None
    entries: tuple[Candidate | Reject, ...]
    pages: Mapping[int, str] = field(default_factory=dict)

    def with_pages(self, entries: tuple[Candidate | Reject, ...], pages: Mapping[int, str]) -> Self:
        """The same with what the entries' pages gave."""
        fetched = self.fetched
        if LATER in pages.values():
            # Else the next answer is that nothing has changed, and the pages that are left stay so.
            fetched = msgspec.structs.replace(fetched, validators=Validators())
        return replace(self, fetched=fetched, entries=entries, pages=pages)


class Poller:
    """Polls feeds of one registry, also in several threads. Use as made by `from_settings`."""

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        topics: Mapping[str, Topic],
        registry: Registry,
        *,
        limits: Limits,
        bounds: Bounds,
        batch: int,
        horizon: Horizon,
    ) -> None:
        self._engine, self._broker, self._topics, self._registry = engine, broker, topics, registry
        self._limits, self._bounds, self._batch, self._horizon = limits, bounds, batch, horizon
        self._producer: Any = None
        self._lock = threading.Lock()

    @cached_property
    def _detector(self) -> Detector:
        with self._engine.connect() as tx:
            return Detector(languages(tx))

    def _connected(self) -> Any:
        """The producer; after a failure another one, since what the old one holds may still go out."""
        with self._lock:
            if self._producer is None:
                self._producer = self._broker.producer("poll")
            return self._producer

    def _disconnect(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=5)

    def close(self) -> None:
        """Let the connections go."""
        self._disconnect()
        self._engine.dispose()

    def batches(self, only: Sequence[str] | None = None) -> list[list[str] | None]:
        """What to hand to `poll_batch`, once each: None for a batch of due feeds, or ids.

        Brings the store's feeds to the registry first. Raises UnavailableError, or ValueError for an id that
        the registry does not have.
        """
        try:
            with self._engine.begin() as tx:
                if not is_at(tx, self._registry.digest):
                    self._synchronise(tx)
                revive(tx)
                unknown = unregistered(tx, only or ())
                due = min(memory.count_due(tx), a_round(registered(tx), self._bounds))
        except DBAPIError as error:
            raise unavailable(error) from error
        if unknown:
            raise ValueError(f"no such feed: {', '.join(unknown)}; `racewire feeds list` shows them all")
        if only is None:
            return [None] * -(-due // self._batch)
        return [list(only[i : i + self._batch]) for i in range(0, len(only), self._batch)]

    def _synchronise(self, tx: Connection) -> None:
        feeds = self._registry.read()
        for old, new in renamed(feeds, stored(tx)).items():
            rename(tx, old, new)
            log.info("%s is called %s now", old, new)
        sync_registry(tx, feeds, self._registry.digest)

    def poll_batch(self, only: Sequence[str] | None = None) -> list[Poll]:
        """Poll up to a batch of due feeds, or `only` these.

        Raises UnavailableError; then nothing is remembered.
        """
        # An owner a batch: of two at once, one that fails gives back its own feeds alone.
        owner = process_name()
        try:
            with self._engine.begin() as tx:
                claimed = memory.claim(tx, owner, self._batch, LEASE, only)
                held = memory.held(tx)
            try:
                return self._poll(owner, claimed, held)
            except BaseException:
                with self._engine.begin() as tx:
                    memory.give_back(tx, owner)
                raise
        except DBAPIError as error:
            raise unavailable(error) from error
        except PublishError:
            self._disconnect()
            raise
        except KafkaError as error:
            raise UnavailableError(f"Kafka at {self._broker.bootstrap}: {error!r}") from error

    def _poll(
        self, owner: str, claimed: Sequence[tuple[Feed, FeedState]], held_hosts: Mapping[str, float]
    ) -> list[Poll]:
        if not claimed:
            return []
        producer = self._connected()  # first: without a broker there is no use in asking anybody
        asked = datetime.now(UTC)
        targets = [
            (msgspec.structs.replace(feed, url=state.moved_to or feed.url), state.conditions(asked))
            for feed, state in claimed
        ]
        fetched = fetch_all(targets, self._limits, held_hosts)
        now = datetime.now(UTC)
        outage = is_our_outage(fetched)
        read = [self._read(*pair, got, now) for pair, got in zip(claimed, fetched, strict=True)]
        waits = {host: (until - now).total_seconds() for host, until in held_until(fetched, now).items()}
        read, patient = self._with_pages(read, {**held_hosts, **waits}, now)
        with self._engine.begin() as tx:
            memory.serialise_publishing(tx)
            held = memory.still_held(tx, owner, [r.feed.id for r in read])
            read = [r for r in read if r.feed.id in held]
            ids = aliases.ids(e for r in read for e in r.entries)
            known, gone = load_known(tx, ids), forgotten(tx, ids)
            learned: dict[str, Known] = {}
            decisions = []
            for r in read:
                since = self._horizon.news_since(r.state, now)
                decision = decide(r.feed, r.entries, known | learned, since, gone)
                learned |= {k.article_id: k for k in decision.memory}
                decisions.append(decision)
            publish(producer, [r for d in decisions for r in records(self._topics, d)])
            states = [
                next_state(
                    r.state, _taught(r, d), r.parsed, d, now=now, bounds=self._bounds, our_outage=outage
                )
                for r, d in zip(read, decisions, strict=True)
            ]
            taken = memory.occupied(tx, states)
            states = [duplicate(s, taken[s.feed_id]) if s.feed_id in taken else s for s in states]
            polls = [_account(r, d, s, now) for r, d, s in zip(read, decisions, states, strict=True)]
            memory.remember(tx, learned.values(), states, polls)
            memory.hold(tx, held_until((*fetched, *patient), now))
        for p in polls:
            log.info("%s: %s%s", p.feed_id, p.fetch, f" ({p.detail})" if p.detail else "")
        return polls

    def _read(self, feed: Feed, state: FeedState, fetched: Fetched, now: datetime) -> _Read:
        if fetched.kind != "ok":
            return _Read(feed, state, fetched, None, ())
        document = partial(parse, fetched.body, url=fetched.url, content_type=fetched.content_type)
        # The pages of entries that were seen may be wanted still.
        parsed = document(seen=() if feed.full_text else state.conditions(now).entries)
        if not stands_apart(feed, parsed):
            parsed = document()
        return _Read(feed, state, fetched, parsed, identify(feed, parsed, now=now, detector=self._detector))

    def _with_pages(
        self, read: list[_Read], held: Mapping[str, float], now: datetime
    ) -> tuple[list[_Read], tuple[Fetched, ...]]:
        """What was read with the full texts that its feeds want, and the answers of the pages' servers.

        Before the lock: pages take their time. What is decided then is decided with newer memory.
        """
        documents = [(r.feed, r.entries) for r in read if r.feed.full_text and r.entries]
        if not documents:
            return read, ()
        articles = [e.article for _, entries in documents for e in entries if isinstance(e, Candidate)]
        with self._engine.begin() as tx:
            known = load_known(tx, aliases.ids(e for _, entries in documents for e in entries))
            rules = load_robots(tx, {robots.origin(a.url) for a in articles})
        completed = complete(documents, known, rules, self._limits, self._detector, held, now=now)
        with self._engine.begin() as tx:
            remember_robots(tx, completed.robots)
        found = {
            feed.id: (entries, pages)
            for (feed, _), entries, pages in zip(documents, completed.entries, completed.pages, strict=True)
        }
        return [r.with_pages(*found[r.feed.id]) if r.feed.id in found else r for r in read], completed.answers


def _taught(read: _Read, decision: Decision) -> Fetched:
    """The fetch with validators that know the entries of its document."""
    if read.parsed is None or read.parsed.problem is not None:
        return read.fetched
    entries = seen_now(read.feed, read.parsed, decision)
    validators = msgspec.structs.replace(read.fetched.validators, entries=entries)
    return msgspec.structs.replace(read.fetched, validators=validators)


def _account(read: _Read, decision: Decision, state: FeedState, now: datetime) -> Poll:
    entries = {e.position: e for e in read.entries}
    counts = decision.counts
    rejects = []
    for outcome in decision.outcomes:
        if outcome.kind == "reject":
            entry = entries[outcome.position]
            label = entry.article.url if isinstance(entry, Candidate) else entry.address or entry.title
            rejects.append((outcome.reason or "", outcome.why, label))
    said = read.fetched if read.fetched.kind == "held" else state
    return Poll(
        feed_id=read.feed.id,
        at=now,
        fetch=said.reason or read.fetched.kind,
        detail=said.detail or "",
        entries=len(read.parsed.entries) + len(read.parsed.seen) if read.parsed else 0,
        articles=counts["article"],
        revisions=counts["revision"],
        sightings=counts["sighting"],
        unchanged=counts["unchanged"] + (len(read.parsed.seen) if read.parsed else 0),
        history=sum(outcome.history for outcome in decision.outcomes),
        rejects=tuple(rejects),
        change=change(read.state, state) or "",
        pages=dict(Counter(read.pages.values())),
    )
