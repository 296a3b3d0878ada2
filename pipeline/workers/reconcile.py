"""The loss proof: is everything that was fetched published, stored and announced, or known to be on its way?

Three witnesses that are written apart tell of an article: the memory of polls, the topic, the store. What
only the topic knows was not stored, what only the memory knows is lost, what only the store knows was never
published; what topic and store know without the memory was published by nobody of ours. Memory and store
without the topic are no loss: a record ends with its retention. For a state that is announced there are two,
its row and the last record of its key, or the outbox where it still waits.

Nothing need stand still. The store is read as of one moment, the offsets of its readers included, and the
topics afterwards: what was acknowledged before that moment is there, and what is at a reader's offset or
beyond is in flight. What the topics hold of later is looked up again in the store of now.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from kafka.errors import KafkaError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pipeline.bus.connection import Broker, UnavailableError
from pipeline.bus.reading import ends, offsets_since, read_to_end
from pipeline.store import announced, balance, progress, witness
from pipeline.store.aggregates import AGGREGATES
from pipeline.store.balance import Balance, Finding, Line
from pipeline.store.witness import Published
from pipeline.workers.classifier import NAMES
from pipeline.workers.letters import FIRST_MOMENT, LAST_MOMENT
from pipeline.workers.relay import event_id_of
from pipeline.workers.strategy import unavailable
from schemas.codec import ContractError, decode, header
from schemas.messages import Article
from schemas.topics import Topic

PAGE = 500  # records looked up together
NAMED = 200  # findings that are named; all are counted
SKEW = timedelta(hours=1)  # clocks of brokers, processes and database differ less, and no poll takes so long
RECENT_EVENTS = 100_000  # among so many a double is looked for: who publishes again does it soon
WINDOW = timedelta(days=1)  # what the hourly flow looks at
EVER = datetime.min.replace(tzinfo=UTC)

ADVICE: Mapping[str, str] = {
    "entries": "the poll gave some entries no outcome: report it with the feed's document",
    "lost-record": "a poll remembers a message that is nowhere: did Kafka lose records? With all stopped, "
    "`racewire backup FILE`, then `racewire restore --replace FILE`: what is not stored is published again",
    "not-stored": "stop the classifiers, reset their group to the offset that is named with Kafka's own tool "
    "(kafka-consumer-groups --reset-offsets), and start them: they replay and write nothing twice",
    "no-verdict": "run the flow `reassess`",
    "never-published": "no poll, import or topic knows this row: somebody else writes to the database",
    "not-remembered": "a poll died before it remembered this, or somebody else writes to the topic",
    "gap": "offsets without a record: was the topic truncated, or did a broker lose its log?",
    "not-announced": "`racewire topics rebuild` announces everything that is stored again",
    "not-in-store": "the store has lost this state or is older than its topic: after a restore wait until "
    "the workers have caught up; else run the flow `reassess`, then `racewire topics rebuild`",
}
"""What to do about a finding, by its code."""


@dataclass
class _Findings:
    """All are counted, the first are kept."""

    named: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, *found: Finding) -> None:
        self.count += len(found)
        self.named += found[: max(0, NAMED - len(self.named))]


def reconcile(
    engine: Engine,
    broker: Broker,
    topics: Mapping[str, Topic],
    prefix: str,
    since: datetime | None,
    letters: timedelta,
    articles: timedelta | None = None,
    settled: timedelta = SKEW,
) -> Balance:
    """Draw the balance of what happened since `since`, or of all that can be checked, and keep it.

    Settled dead letters are kept for `letters`, articles for `articles` or for good. What was published
    longer than `settled` ago is remembered. Raises UnavailableError.
    """
    try:
        with witness.snapshot(engine) as (tx, at):
            found = _Proof(tx, engine, broker, topics, prefix, at, since, letters, articles).draw(settled)
        with engine.begin() as now:
            balance.save(now, found)
    except DBAPIError as error:
        raise unavailable(error) from error
    except KafkaError as error:
        raise UnavailableError(f"Kafka at {broker.bootstrap}: {error!r}; is the broker up?") from error
    return found


class _Proof:
    """One balance over one snapshot."""

    def __init__(
        self,
        tx: Connection,
        engine: Engine,
        broker: Broker,
        topics: Mapping[str, Topic],
        prefix: str,
        at: datetime,
        since: datetime | None,
        letters: timedelta,
        articles: timedelta | None,
    ) -> None:
        self._tx, self._engine, self._broker, self._topics, self._prefix = tx, engine, broker, topics, prefix
        self._at, self._since = at, since
        self._letters_kept = at - letters
        self._articles_kept = at - articles if articles else EVER
        self._findings = _Findings()
        self._doubles: Counter[str] = Counter()

    def draw(self, settled: timedelta) -> Balance:
        """Every line, from the feeds' documents to the topics of other services."""
        tx, found = self._tx, self._findings
        sums, odd = witness.polls(tx, self._since or EVER)
        found.add(*odd)
        entries = Line("entries fetched", sums.pop("entries"), sums)
        handled = [self._handled(name) for name in NAMES]
        since = max(self._begin(self._topics[name]) for name in NAMES)
        remembered, past, lost = witness.memories(tx, since, self._articles_kept)
        strange, unremembered = witness.strangers(tx, since, self._at - settled)
        found.add(*lost, *strange, *unremembered)
        known = Line(
            "articles remembered as published",
            remembered,
            {"on a topic or stored": remembered - past - len(lost)}
            | ({"past retention": past} if past else {}),
            surplus=len(strange) + len(unremembered),
        )
        states = [self._announced(name) for name in AGGREGATES]
        letters = [
            self._letters(name) for name in (*NAMES, *AGGREGATES) if f"{name}.dead-letters" in self._topics
        ]
        return Balance(
            at=self._at,
            since=self._since,
            lines=[entries, known, *handled, *states, *letters],
            findings=found.named,
            found=found.count,
            doubles={name: n for name, n in sorted(self._doubles.items()) if n},
        )

    def _begin(self, topic: Topic) -> datetime:
        """From when on what was written must stand on `topic`: its retention may have taken what is older."""
        age = topic.config.get("retention.ms")
        first = self._at - timedelta(milliseconds=int(age)) if age else EVER
        return max(first, self._since or EVER)

    def _pages(self, topic: Topic) -> Iterator[list[Any]]:
        """The records of the window, in pages; events that come again are counted."""
        start = {} if self._since is None else offsets_since(self._broker, topic.name, self._since - SKEW)
        records = read_to_end(self._broker, topic.name, start)
        recent: OrderedDict[str, None] = OrderedDict()
        while page := list(islice(records, PAGE)):
            for record in page:
                if event := event_id_of(record.headers):
                    self._doubles[topic.name] += event in recent
                    recent[event] = None
                    if len(recent) > RECENT_EVENTS:
                        recent.popitem(last=False)
            yield page

    def _handled(self, name: str) -> Line:
        """Published = stored + dead + in flight, by offsets and ids."""
        topic, group = self._topics[name], f"{self._prefix}{NAMES[name]}"
        end = ends(self._broker, topic.name)
        reached = progress.load_offsets(self._tx, group, list(end))
        # Beyond the end is the offset of another topic of that name: its reader will begin all over.
        reached = {place: at for place, at in reached.items() if at <= end[place]}
        parts: Counter[str] = Counter(dict.fromkeys(("stored", "dead letters", "in flight"), 0))
        following: dict[tuple[str, int], int] = {}
        count = 0
        for records in self._pages(topic):
            page = [_published(topic, record) for record in records]
            count += len(page)
            for r in page:
                place = (r.topic, r.partition)
                if r.offset > following.get(place, r.offset):
                    offsets = f"offsets {following[place]} to {r.offset - 1}"
                    self._findings.add(Finding("gap", offsets, f"{r.topic}/{r.partition}"))
                following[place] = r.offset + 1
            witness.carry(self._tx, page)
            handled = [r for r in page if r.offset < reached.get((r.topic, r.partition), 0)]
            parts["in flight"] += len(page) - len(handled)
            for r, fate in zip(handled, witness.fates(self._tx, handled, self._articles_kept), strict=True):
                if fate not in ADVICE:
                    parts[fate] += 1
                elif r.at < self._letters_kept:  # it may have been a dead letter
                    parts["past retention"] += 1
                else:
                    self._findings.add(Finding(fate, r.article_id, r.place))
        return Line(f"records on {topic.name}", count, dict(parts))

    def _announced(self, name: str) -> Line:
        """Written = on the topic + waiting in the outbox, by the newest version of each key."""
        topic, aggregate = self._topics[name], AGGREGATES[name]
        for page in self._pages(topic):
            witness.announce(self._tx, [_state(r, r.key) for r in page if r.key is not None])
        with self._engine.connect() as now:
            count, waiting, missing = announced.unannounced(
                self._tx, now, aggregate, topic.name, self._begin(topic)
            )
            surplus = announced.unknown(self._tx, now, aggregate, topic.name)
        self._findings.add(*missing, *surplus)
        parts = {"on the topic": count - waiting - len(missing), "waiting in the outbox": waiting}
        return Line(f"states for {topic.name}", count, parts, surplus=len(surplus))

    def _letters(self, name: str) -> Line:
        """The same of the dead letters of a topic, by event."""
        topic = self._topics[f"{name}.dead-letters"]
        for page in self._pages(topic):
            events = [(r, event_id_of(r.headers)) for r in page]
            witness.announce(self._tx, [_state(r, event.encode()) for r, event in events if event])
        source = self._topics[name].name
        count, waiting, missing = announced.letters(self._tx, source, topic.name, self._begin(topic))
        self._findings.add(*missing)
        parts = {"on the topic": count - waiting - len(missing), "waiting in the outbox": waiting}
        return Line(f"dead letters of {source}", count, parts)


def _published(topic: Topic, record: Any) -> Published:
    try:
        message = decode(topic, record.headers, record.value)
    except ContractError:
        message = None
    at = min(max(record.timestamp, FIRST_MOMENT), LAST_MOMENT) / 1000
    return Published(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=datetime.fromtimestamp(at, UTC),
        number=_number(record),
        key=_text(record.key or b""),
        article=message if isinstance(message, Article) else None,
    )


def _state(record: Any, key: bytes) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "key": _text(key),
        "version": _number(record),
        "gone": record.value is None,
        "place": f"{record.topic}/{record.partition} at {record.offset}",
    }


def _number(record: Any) -> int:
    """The version that a record's header says; 0 where it says none."""
    said = header(record.headers, "ce_sequence") or ""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 18 else 0


def _text(key: bytes) -> str:
    """A key as Postgres can hold it."""
    return key.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
