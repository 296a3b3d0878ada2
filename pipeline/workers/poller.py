"""The poller: lease feeds, fetch and parse them, publish what is new, wait for the broker, then remember.

What is published is decided in the transaction that remembers it. A poll that dies before its commit has
remembered nothing, so that the next one publishes the same again; readers tell by the event's id.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError
from msgspec.structs import replace
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pipeline import settings as configuration
from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.publish import PublishError, publish
from pipeline.feeds.address import host_of
from pipeline.feeds.cadence import Bounds, a_round, is_our_outage, next_state, patience
from pipeline.feeds.decide import decide
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.parse import parse
from pipeline.feeds.registry import DEFAULT, Registry, renamed
from pipeline.feeds.seen import seen_now, stands_apart
from pipeline.feeds.values import Candidate, Decision, Feed, FeedState, Fetched, Known, ParsedFeed, Reject
from pipeline.store import feeds as memory
from pipeline.store.database import connect
from pipeline.store.feeds import Poll
from pipeline.workers.strategy import unavailable
from schemas.codec import OutRecord, record
from schemas.topics import ARTICLES, Topic, topics

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # well above what a batch takes, since a feed may take 45 s


@dataclass(frozen=True)
class _Read:
    """A feed as it was read: everything that can be done before it is its turn to publish."""

    feed: Feed
    state: FeedState
    fetched: Fetched
    parsed: ParsedFeed | None
    entries: tuple[Candidate | Reject, ...]


class Poller:
    """Polls feeds of one registry into one topic, also in several threads. Use as made by `from_settings`."""

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        topic: Topic,
        registry: Registry,
        *,
        limits: Limits,
        bounds: Bounds,
        batch: int,
    ) -> None:
        self._engine, self._broker, self._topic, self._registry = engine, broker, topic, registry
        self._limits, self._bounds, self._batch = limits, bounds, batch
        self._producer: Any = None
        self._lock = threading.Lock()

    @cached_property
    def _detector(self) -> Detector:
        with self._engine.connect() as tx:
            return Detector(memory.languages(tx))

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
                if not memory.is_at(tx, self._registry.digest):
                    self._synchronise(tx)
                unknown = memory.unregistered(tx, only or ())
                due = min(memory.count_due(tx), a_round(memory.registered(tx), self._bounds))
        except DBAPIError as error:
            raise unavailable(error) from error
        if unknown:
            raise ValueError(f"no such feed: {', '.join(unknown)}; `racewire feeds list` shows them all")
        if only is None:
            return [None] * -(-due // self._batch)
        return [list(only[i : i + self._batch]) for i in range(0, len(only), self._batch)]

    def _synchronise(self, tx: Connection) -> None:
        feeds = self._registry.read()
        for old, new in renamed(feeds, memory.stored(tx)).items():
            memory.rename(tx, old, new)
            log.info("%s is called %s now", old, new)
        memory.sync_registry(tx, feeds, self._registry.digest)

    def poll_batch(self, only: Sequence[str] | None = None) -> list[Poll]:
        """Poll up to a batch of due feeds, or `only` these.

        Raises UnavailableError; then nothing is remembered.
        """
        # An owner a batch: of two at once, one that fails gives back its own feeds alone.
        owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        try:
            with self._engine.begin() as tx:
                claimed = memory.claim(tx, owner, self._batch, LEASE, only)
            try:
                return self._poll(owner, claimed)
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

    def _poll(self, owner: str, claimed: Sequence[tuple[Feed, FeedState]]) -> list[Poll]:
        if not claimed:
            return []
        producer = self._connected()  # first: without a broker there is no use in asking anybody
        asked = datetime.now(UTC)
        fetched = fetch_all([(feed, state.conditions(asked)) for feed, state in claimed], self._limits)
        now = datetime.now(UTC)
        outage = is_our_outage(fetched)
        read = [self._read(*pair, got, now) for pair, got in zip(claimed, fetched, strict=True)]
        with self._engine.begin() as tx:
            memory.serialise_publishing(tx)
            held = memory.still_held(tx, owner, [r.feed.id for r in read])
            read = [r for r in read if r.feed.id in held]
            known = memory.load_known(
                tx, [e.article.article_id for r in read for e in r.entries if isinstance(e, Candidate)]
            )
            learned: dict[str, Known] = {}
            decisions = []
            for r in read:
                decision = decide(r.feed, r.entries, known | learned)
                learned |= {k.article_id: k for k in decision.memory}
                decisions.append(decision)
            publish(producer, [r for d in decisions for r in self._records(d)])
            states = [
                next_state(
                    r.state, _taught(r, d), r.parsed, d, now=now, bounds=self._bounds, our_outage=outage
                )
                for r, d in zip(read, decisions, strict=True)
            ]
            polls = [_account(r, d, s, now) for r, d, s in zip(read, decisions, states, strict=True)]
            memory.remember(tx, learned.values(), states, polls)
            for r in read:
                if r.fetched.holds_host and (wait := patience(r.fetched)):
                    memory.hold_host(tx, host_of(r.fetched.url), now + wait)
        for p in polls:
            log.info("%s: %s%s", p.feed_id, p.fetch, f" ({p.detail})" if p.detail else "")
        return polls

    def _read(self, feed: Feed, state: FeedState, fetched: Fetched, now: datetime) -> _Read:
        if fetched.kind != "ok":
            return _Read(feed, state, fetched, None, ())
        document = partial(parse, fetched.body, url=fetched.url, content_type=fetched.content_type)
        parsed = document(seen=state.conditions(now).entries)
        if not stands_apart(feed, parsed):
            parsed = document()
        return _Read(feed, state, fetched, parsed, identify(feed, parsed, now=now, detector=self._detector))

    def _records(self, decision: Decision) -> Iterator[OutRecord]:
        """The decision's messages, numbered by article: published again, they have the same ids."""
        numbers = {known.article_id: known.published for known in decision.memory}
        for article in decision.messages:
            number = numbers[article.article_id]
            event_id = f"{article.article_id}:{number}:{article.revision}:{article.feed.id}"
            yield record(self._topic, article, time=article.observed_at, version=number, event_id=event_id)


def _taught(read: _Read, decision: Decision) -> Fetched:
    """The fetch with validators that know the entries of its document."""
    if read.parsed is None or read.parsed.problem is not None:
        return read.fetched
    entries = seen_now(read.feed, read.parsed, decision)
    return replace(read.fetched, validators=replace(read.fetched.validators, entries=entries))


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
        articles=counts["article"],
        revisions=counts["revision"],
        sightings=counts["sighting"],
        unchanged=counts["unchanged"] + (len(read.parsed.seen) if read.parsed else 0),
        rejects=tuple(rejects),
    )


def registry_path(settings: configuration.Settings) -> Path:
    """The registry in use: the one set, or the operator's own in the data folder, or the one packaged."""
    own = settings.home / "feeds.yaml"
    return settings.feeds_file or (own if own.exists() else DEFAULT)


def limits(settings: configuration.Settings) -> Limits:
    """How servers are spoken to, with the operator's contact."""
    contact = f" (+{settings.contact})" if settings.contact else ""
    return Limits(
        user_agent=f"racewire/{version('racewire')}{contact}",
        host_concurrency=settings.host_concurrency,
        host_interval=settings.host_interval,
    )


@contextmanager
def from_settings() -> Iterator[Poller]:
    """A poller as this process's settings say. Raises SettingsError, RegistryError."""
    settings = configuration.load()
    servers = configuration.servers(settings)
    shortest, longest = settings.feed_bounds
    poller = Poller(
        connect(servers.database_url.get_secret_value()),
        servers.broker,
        topics(settings.topic_prefix)[ARTICLES],
        Registry.at(registry_path(settings)),
        limits=limits(settings),
        bounds=Bounds(
            floor=shortest,
            start=max(shortest, min(Bounds().start, longest)),
            ceiling=longest,
            every=timedelta(seconds=settings.poll_every),
        ),
        batch=settings.poll_batch,
    )
    try:
        yield poller
    finally:
        poller.close()


def row(poll: Poll) -> dict[str, object]:
    """A poll as a row of the table people see."""
    return {
        "feed": poll.feed_id,
        "fetch": poll.fetch,
        "entries": poll.entries,
        "articles": poll.articles,
        "revisions": poll.revisions,
        "sightings": poll.sightings,
        "unchanged": poll.unchanged,
        "rejected": len(poll.rejects),
        "detail": poll.detail,
    }


def totals(polls: Sequence[Poll]) -> dict[str, int]:
    """The sums over polls; `entries` is the sum of what became of them."""
    names = ("entries", "articles", "revisions", "sightings", "unchanged")
    sums = {name: sum(getattr(p, name) for p in polls) for name in names}
    return {"feeds": len(polls), **sums, "rejected": sum(len(p.rejects) for p in polls)}
