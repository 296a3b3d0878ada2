"""Dead letters: kept with their batch's results, announced on a topic, redriven through the outbox.

A letter is `open` until somebody decides: `discarded`, or `redriven`. A redriven record carries its letter's
number, so that the worker that meets it again settles the letter in the transaction of the result:
`resolved`, or `failed-again`, and then a new letter with one more attempt is open.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, Executable, func, select, update
from sqlalchemy.dialects.postgresql import Insert

from pipeline.store import outbox
from pipeline.store.database import insert_rows
from pipeline.store.ledger import DeadLetterRow
from pipeline.store.models import ArticleRow, AssessmentRow
from schemas.codec import ContractError, OutRecord, fits, header, record
from schemas.messages import DeadLetter
from schemas.topics import ARTICLES, ASSESSMENTS, Topic

REDRIVE = "racewire-redrive"  # header: which dead letter a record comes from
ATTEMPTS = "racewire-attempts"  # header: how often the record has failed
STATES = ("open", "redriven", "resolved", "failed-again", "discarded")
SETTLED = ("resolved", "failed-again", "discarded")

Row = DeadLetterRow


@dataclass(frozen=True)
class Selection:
    """Which letters are meant: those that meet every condition that is set."""

    ids: Sequence[int] = ()
    state: str = "open"
    topic: str | None = None
    reason: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        """For a query of dead letters."""
        yield Row.state == self.state
        if self.ids:
            yield Row.id.in_(self.ids)
        if self.topic:
            yield Row.topic == self.topic
        if self.reason:
            yield Row.reason == self.reason
        if self.fingerprint:
            yield Row.fingerprint.startswith(self.fingerprint, autoescape=True)
        if self.since:
            yield Row.failed_at >= self.since


@dataclass(frozen=True)
class Group:
    """Letters with the same fault on the same topic. `example` is the newest."""

    fingerprint: str
    topic: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    attempts: int
    example: int
    error: str


@dataclass(frozen=True)
class Redriven:
    """What became of letters that were to be redriven: those that were, and why others were refused."""

    done: Sequence[int]
    refused: Mapping[int, str]


def add(tx: Connection, topic: Topic, letters: Sequence[DeadLetter]) -> None:
    """Keep dead letters and announce those that are new on `topic`; a replay adds none twice."""
    if not letters:
        return
    values = [
        {
            "topic": d.topic,
            "partition": d.partition,
            "record_offset": d.offset,
            "reason": d.reason,
            "fingerprint": d.fingerprint,
            "state": "open",
            "failed_at": d.failed_at,
            "body": msgspec.to_builtins(d),
        }
        for d in letters
    ]
    added = {tuple(place) for place in insert_rows(tx, Row, values, _new)}
    outbox.add(tx, [_announced(topic, d) for d in letters if (d.topic, d.partition, d.offset) in added])


def _new(statement: Insert, names: Sequence[str]) -> Executable:
    return statement.on_conflict_do_nothing().returning(Row.topic, Row.partition, Row.record_offset)


def settle(tx: Connection, resolved: Iterable[int], failed: Iterable[int]) -> None:
    """Redriven records were met again: their letters have an end."""
    for state, ids in (("resolved", sorted(resolved)), ("failed-again", sorted(failed))):
        if ids:
            tx.execute(update(Row).where(Row.id.in_(ids), Row.state == "redriven").values(state=state))


def letter_of(headers: Iterable[tuple[str, bytes | None]]) -> int | None:
    """The letter that a record was redriven from, as its header says; None where it was not."""
    said = header(headers, REDRIVE)
    found = re.fullmatch(r"redrive:(\d{1,18}):\d{1,6}", said, re.ASCII) if said else None
    return int(found[1]) if found else None


def groups(tx: Connection, chosen: Selection, limit: int = 200) -> list[Group]:
    """Letters by fault, the largest group first."""
    newest = func.max(Row.id)
    attempts = func.max(Row.body["attempts"].as_integer())
    found = (
        select(
            Row.fingerprint,
            Row.topic,
            Row.reason,
            func.count().label("count"),
            func.min(Row.failed_at).label("first_at"),
            func.max(Row.failed_at).label("last_at"),
            attempts.label("attempts"),
            newest.label("example"),
        )
        .where(*chosen.conditions())
        .group_by(Row.fingerprint, Row.topic, Row.reason)
        .order_by(func.count().desc(), newest)
        .limit(limit)
        .subquery()
    )
    rows = tx.execute(
        select(found, Row.body["errors"][0].astext)
        .join(Row, Row.id == found.c.example)
        .order_by(found.c.count.desc(), found.c.example)
    )
    return [Group(*row) for row in rows]


def letters(tx: Connection, chosen: Selection, limit: int = 1000) -> list[tuple[int, DeadLetter]]:
    """Single letters with their numbers, oldest first."""
    found = tx.execute(select(Row.id, Row.body).where(*chosen.conditions()).order_by(Row.id).limit(limit))
    return [(i, msgspec.convert(body, DeadLetter)) for i, body in found]


def letter(tx: Connection, number: int) -> tuple[str, DeadLetter] | None:
    """One letter in any state, and the state."""
    found = tx.execute(select(Row.state, Row.body).where(Row.id == number)).one_or_none()
    return found and (found[0], msgspec.convert(found[1], DeadLetter))


def numbers(tx: Connection, chosen: Selection, after: int = 0, limit: int = 1000) -> list[int]:
    """The numbers of letters, in order, from `after` on."""
    query = select(Row.id).where(*chosen.conditions(), Row.id > after).order_by(Row.id).limit(limit)
    return list(tx.scalars(query))


def redrive(
    tx: Connection, topics: Mapping[str, Topic], ids: Sequence[int], *, force: bool = False
) -> Redriven:
    """Queue the original bytes of open dead letters for their topics again.

    Refused where the store holds newer data of the same key, unless `force`, and where the broker would not
    take the record. `topics` are those of this deployment.
    """
    query = select(Row.id, Row.body).where(Row.id.in_(ids), Row.state == "open").order_by(Row.id)
    chosen = [(i, msgspec.convert(body, DeadLetter)) for i, body in tx.execute(query.with_for_update())]
    by_name = {topic.name: topic for topic in topics.values()}
    refused = {} if force else _newer(tx, chosen)
    again = []
    for number, one in chosen:
        made, topic = _again(number, one), by_name.get(one.topic)
        if topic is None:
            refused[number] = f"this deployment has no topic {one.topic}"
        elif not fits(topic, made):
            refused[number] = f"{len(made.value or b'')} bytes are more than {one.topic} takes"
        elif number not in refused:
            again.append((number, made))
    outbox.add(tx, [made for _, made in again])
    done = [number for number, _ in again]
    tx.execute(update(Row).where(Row.id.in_(done)).values(state="redriven"))
    return Redriven(done, refused)


def discard(tx: Connection, chosen: Selection) -> int:
    """Settle open dead letters without sending them again; how many there were."""
    return tx.execute(update(Row).where(*chosen.conditions()).values(state="discarded")).rowcount


def counts(tx: Connection) -> dict[str, int]:
    """Dead letters by state."""
    return dict(tx.execute(select(Row.state, func.count()).group_by(Row.state)).all())


def _newer(tx: Connection, chosen: Sequence[tuple[int, DeadLetter]]) -> dict[int, str]:
    """Why letters would bring back what is outdated: by the event's time, against the store's of that key."""
    kept = {
        ARTICLES: (ArticleRow.article_id, ArticleRow.observed_at, "article"),
        ASSESSMENTS: (AssessmentRow.article_id, AssessmentRow.written_at, "verdict on article"),
    }
    refused = {}
    for name, (key, at, what) in kept.items():
        mine = {
            number: (one.key.decode(errors="replace").replace("\0", ""), one)
            for number, one in chosen
            if one.topic.endswith(name) and one.key is not None
        }
        found = tx.execute(select(key, at).where(key.in_({k for k, _ in mine.values()})))
        times: dict[str, datetime] = dict(found.all())
        for number, (article, one) in mine.items():
            if article in times and times[article] > _time(one):
                moment = f"{times[article]:%Y-%m-%d %H:%M:%S} UTC"
                refused[number] = f"the store has a newer {what} {article}, of {moment}"
    return refused


def _time(one: DeadLetter) -> datetime:
    """When the event of a record was, as it says, else when the record was made."""
    said = header([(h.key, h.value) for h in one.headers], "ce_time")
    try:
        time = datetime.fromisoformat(said or "")
    except ValueError:
        return one.timestamp
    return time if time.tzinfo else one.timestamp


def _announced(topic: Topic, one: DeadLetter) -> OutRecord:
    """What is told of a new dead letter: all of it, or where that is too large for the topic what matters."""
    event_id = f"{one.topic}:{one.partition}:{one.offset}"
    try:
        return record(topic, one, time=one.failed_at, event_id=event_id)
    except ContractError as error:
        told = [*one.errors, f"left out here: key, value and headers ({error})"]
        slim = msgspec.structs.replace(one, key=None, value=None, headers=[], errors=told)
        return record(topic, slim, time=one.failed_at, event_id=event_id)


def _again(number: int, one: DeadLetter) -> OutRecord:
    event_id = f"redrive:{number}:{one.attempts}"
    kept = [(h.key, h.value) for h in one.headers if h.key not in (REDRIVE, ATTEMPTS)]
    return OutRecord(
        topic=one.topic,
        key=one.key,
        event_id=event_id,
        value=one.value,
        headers=(*kept, (REDRIVE, event_id.encode()), (ATTEMPTS, str(one.attempts).encode())),
    )
