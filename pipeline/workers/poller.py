"""The poller: lease feeds, fetch and parse them, publish what is new, wait for the broker, then remember.

What is published is decided in the transaction that remembers it. A poll that dies before its commit has
remembered nothing, so that the next one publishes the same again; readers tell by the event's id.
"""

import logging
import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError
from msgspec.structs import replace
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pipeline import settings as configuration
from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.publish import publish
from pipeline.feeds import registry
from pipeline.feeds.cadence import Bounds, held_until, is_our_outage, next_state
from pipeline.feeds.decide import Horizon, decide
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.health import change
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.moves import duplicate
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Candidate, Decision, Feed, FeedState, Fetched, Known, ParsedFeed, Reject
from pipeline.store import feeds as memory
from pipeline.store.database import connect
from pipeline.store.feeds import Poll
from pipeline.store.takedown import forgotten
from pipeline.workers.strategy import unavailable
from schemas.codec import OutRecord, record
from schemas.topics import ARTICLES, BACKFILL, Topic, topics

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
    """Polls feeds of one registry. Use as made by `from_settings`."""

    def __init__(
        self,
        engine: Engine,
        broker: Broker,
        topics: Mapping[str, Topic],
        feeds: Sequence[Feed],
        *,
        limits: Limits,
        bounds: Bounds,
        batch: int,
        horizon: Horizon,
    ) -> None:
        self._engine, self._broker, self._topics, self._feeds = engine, broker, topics, feeds
        self._limits, self._bounds, self._batch, self._horizon = limits, bounds, batch, horizon
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._detector = Detector({f.language for f in feeds})

    @cached_property
    def _producer(self) -> Any:
        return self._broker.producer("poll")

    def close(self) -> None:
        """Let the connections go."""
        if "_producer" in self.__dict__:
            self._producer.close(timeout=5)
        self._engine.dispose()

    def batches(self, only: Sequence[str] | None = None) -> list[list[str] | None]:
        """What to hand to `poll_batch`, once each: None for a batch of due feeds, or ids.

        Brings the store's feeds to the registry first. Raises UnavailableError, or ValueError for an id that
        the registry does not have.
        """
        unknown = sorted(set(only or ()) - {f.id for f in self._feeds})
        if unknown:
            raise ValueError(f"no such feed: {', '.join(unknown)}; `racewire feeds list` shows them all")
        try:
            with self._engine.begin() as tx:
                for old, new in registry.renamed(self._feeds, memory.stored(tx)).items():
                    memory.rename(tx, old, new)
                    log.info("%s is called %s now", old, new)
                memory.sync_registry(tx, self._feeds)
                due = memory.count_due(tx)
        except DBAPIError as error:
            raise unavailable(error) from error
        if only is None:
            return [None] * -(-due // self._batch)
        return [list(only[i : i + self._batch]) for i in range(0, len(only), self._batch)]

    def poll_batch(self, only: Sequence[str] | None = None) -> list[Poll]:
        """Poll up to a batch of due feeds, or `only` these.

        Raises UnavailableError; then nothing is remembered.
        """
        try:
            with self._engine.begin() as tx:
                claimed = memory.claim(tx, self._owner, self._batch, LEASE, only)
                held = memory.held(tx)
            try:
                return self._poll(claimed, held)
            except BaseException:
                with self._engine.begin() as tx:
                    memory.give_back(tx, self._owner)
                raise
        except DBAPIError as error:
            raise unavailable(error) from error
        except KafkaError as error:
            raise UnavailableError(f"Kafka at {self._broker.bootstrap}: {error!r}") from error

    def _poll(self, claimed: Sequence[tuple[Feed, FeedState]], held_hosts: Mapping[str, float]) -> list[Poll]:
        if not claimed:
            return []
        producer = self._producer  # first: without a broker there is no use in asking anybody
        asked = datetime.now(UTC)
        targets = [
            (replace(feed, url=state.moved_to or feed.url), state.conditions(asked))
            for feed, state in claimed
        ]
        fetched = fetch_all(targets, self._limits, held_hosts)
        now = datetime.now(UTC)
        outage = is_our_outage(fetched)
        read = [self._read(*pair, got, now) for pair, got in zip(claimed, fetched, strict=True)]
        with self._engine.begin() as tx:
            memory.serialise_publishing(tx)
            held = memory.still_held(tx, self._owner, [r.feed.id for r in read])
            read = [r for r in read if r.feed.id in held]
            ids = {e.article.article_id for r in read for e in r.entries if isinstance(e, Candidate)}
            known, gone = memory.load_known(tx, ids), forgotten(tx, ids)
            learned: dict[str, Known] = {}
            decisions = []
            for r in read:
                since = self._horizon.news_since(r.state, now)
                decision = decide(r.feed, r.entries, known | learned, since, gone)
                learned |= {k.article_id: k for k in decision.memory}
                decisions.append(decision)
            publish(producer, [r for d in decisions for r in records(self._topics, d)])
            states = [
                next_state(r.state, r.fetched, r.parsed, d, now=now, bounds=self._bounds, our_outage=outage)
                for r, d in zip(read, decisions, strict=True)
            ]
            taken = memory.occupied(tx, states)
            states = [duplicate(s, taken[s.feed_id]) if s.feed_id in taken else s for s in states]
            polls = [_account(r, d, s, now) for r, d, s in zip(read, decisions, states, strict=True)]
            memory.remember(tx, learned.values(), states, polls)
            memory.hold(tx, held_until(fetched, now))
        for p in polls:
            log.info("%s: %s%s", p.feed_id, p.fetch, f" ({p.detail})" if p.detail else "")
        return polls

    def _read(self, feed: Feed, state: FeedState, fetched: Fetched, now: datetime) -> _Read:
        if fetched.kind != "ok":
            return _Read(feed, state, fetched, None, ())
        parsed = parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
        return _Read(feed, state, fetched, parsed, identify(feed, parsed, now=now, detector=self._detector))


def records(topics: Mapping[str, Topic], decision: Decision) -> Iterator[OutRecord]:
    """The decision's messages, numbered by article: published again, they have the same ids."""
    numbers = {known.article_id: known.published for known in decision.memory}
    for outcome in decision.outcomes:
        if (article := outcome.article) is not None:
            topic = topics[BACKFILL if outcome.history else ARTICLES]
            number = numbers[article.article_id]
            event_id = f"{article.article_id}:{number}:{article.revision}:{article.feed.id}"
            yield record(topic, article, time=article.observed_at, version=number, event_id=event_id)


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
        unchanged=counts["unchanged"],
        history=sum(outcome.history for outcome in decision.outcomes),
        rejects=tuple(rejects),
        change=change(read.state, state) or "",
    )


def registry_path(settings: configuration.Settings) -> Path:
    """The registry in use: the one set, or the operator's own in the data folder, or the one packaged."""
    own = settings.home / "feeds.yaml"
    return settings.feeds_file or (own if own.exists() else registry.DEFAULT)


def limits(settings: configuration.Settings) -> Limits:
    """How servers are spoken to, with the operator's contact."""
    contact = f" (+{settings.contact})" if settings.contact else ""
    return Limits(
        user_agent=f"racewire/{version('racewire')}{contact}",
        host_concurrency=settings.host_concurrency,
        host_interval=settings.host_interval,
        proxy=settings.proxy,
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
        topics(settings.topic_prefix),
        registry.load(registry_path(settings)),
        limits=limits(settings),
        bounds=Bounds(floor=shortest, start=max(shortest, min(Bounds().start, longest)), ceiling=longest),
        batch=settings.poll_batch,
        horizon=Horizon(
            first_import=timedelta(hours=settings.first_import_hours), seen=timedelta(days=settings.seen_days)
        ),
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
        "history": poll.history,
        "detail": poll.detail,
    }


def totals(polls: Sequence[Poll]) -> dict[str, int]:
    """The sums over polls; `entries` is the sum of what became of them, `history` is what is no news."""
    names = ("entries", "articles", "revisions", "sightings", "unchanged", "history")
    sums = {name: sum(getattr(p, name) for p in polls) for name in names}
    return {"feeds": len(polls), **sums, "rejected": sum(len(p.rejects) for p in polls)}
