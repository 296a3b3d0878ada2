"""Versioned messages: assessments, stories and releases are written the same way.

A state that equals the stored one writes nothing. One that differs gets the next version under a row lock and
an event in the outbox, so that the order of a key's events is the order of commits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import Insert

from pipeline.store import outbox
from pipeline.store.database import among, insert_rows, table_of
from pipeline.store.models import AssessmentRow, ReleaseRow, StoryRow
from schemas.codec import OutRecord, record
from schemas.messages import Assessment, Message, Release, Story
from schemas.topics import ASSESSMENTS, RELEASES, STORIES, Topic

M = TypeVar("M", bound=Message)


class ConflictError(Exception):
    """Another transaction was quicker; the same transaction, tried again, sees what it wrote."""


@dataclass(frozen=True)
class Aggregate(Generic[M]):
    """Where a message type is kept, and the columns derived from it."""

    model: type[Any]
    message: type[M]
    key: str
    columns: Callable[[M], Mapping[str, Any]]


ASSESSMENT = Aggregate(
    AssessmentRow,
    Assessment,
    "article_id",
    lambda a: {
        "revision": a.revision,
        "classifier": a.classifier,
        "label": a.relevance.label,
        "published_at": a.published_at,
    },
)
STORY = Aggregate(
    StoryRow,
    Story,
    "story_id",
    lambda s: {
        "first_published_at": s.first_published_at,
        "last_published_at": s.last_published_at,
        "actors": s.actors,
        "products": s.products,
    },
)
RELEASE = Aggregate(
    ReleaseRow,
    Release,
    "release_id",
    lambda r: {
        "actor": r.actor,
        "status": r.status,
        "last_published_at": max((s.published_at for s in r.statements), default=None),
        "article_ids": [s.article_id for s in r.statements],
    },
)


AGGREGATES: Mapping[str, Aggregate[Any]] = {ASSESSMENTS: ASSESSMENT, STORIES: STORY, RELEASES: RELEASE}
"""By the topic that announces them."""


def load(tx: Connection, aggregate: Aggregate[M], keys: Sequence[str], *, lock: bool = False) -> dict[str, M]:
    """Stored states by key. With `lock` their rows stay locked to the end of the transaction."""
    if not keys:
        return {}
    table = table_of(aggregate.model)
    query = select(table.c[aggregate.key], table.c.body).where(among(table.c[aggregate.key], keys))
    if lock:
        query = query.order_by(table.c[aggregate.key]).with_for_update()
    return {key: msgspec.convert(body, aggregate.message) for key, body in tx.execute(query)}


def announce(tx: Connection, aggregate: Aggregate[M], topic: Topic, after: str, limit: int) -> list[str]:
    """Queue stored states again behind the news, those of up to `limit` keys after `after`; their keys.

    The events are those of the first time, ids and versions included. The rows stay locked to the end, so
    that a newer state comes after.
    """
    table = table_of(aggregate.model)
    key = table.c[aggregate.key]
    found = tx.execute(
        select(key, table.c.version, table.c.written_at, table.c.body)
        .where(key > after)
        .order_by(key)
        .limit(limit)
        .with_for_update(read=True)
    ).all()
    states = [(msgspec.convert(body, aggregate.message), at, version) for _, version, at, body in found]
    records = [record(topic, state, time=at, version=version) for state, at, version in states]
    outbox.add(tx, records, outbox.HISTORY)
    return [k for k, *_ in found]


def put(
    tx: Connection, aggregate: Aggregate[M], topic: Topic, states: Sequence[M], lane: int = outbox.NEWS
) -> list[M]:
    """Write what changed and announce it in a lane of the outbox; the written states, with their versions.

    `states` hold a key once; their `version` is ignored. Raises ConflictError, for the caller to try again,
    where another transaction made the same new key meanwhile.
    """
    if not states:
        return []
    stored = load(tx, aggregate, [getattr(s, aggregate.key) for s in states], lock=True)
    now = tx.execute(select(func.clock_timestamp())).scalar_one()
    written: list[tuple[int, M, OutRecord]] = []
    for state in states:
        old: Any = stored.get(getattr(state, aggregate.key))
        version = old.version + 1 if old else 1
        new = msgspec.structs.replace(state, version=version)
        if old is None or msgspec.structs.replace(old, version=version) != new:
            written.append((version, new, record(topic, new, time=now, version=version)))
    if not written:
        return []
    values = [
        {
            aggregate.key: getattr(state, aggregate.key),
            "version": version,
            "body": msgspec.Raw(event.value or b"null"),
            "written_at": now,
            **aggregate.columns(state),
        }
        for version, state, event in written
    ]
    if insert_rows(tx, aggregate.model, values, _next).rowcount != len(written):
        raise ConflictError(
            f"{table_of(aggregate.model).name}: a new key was written by another transaction meanwhile"
        )
    outbox.add(tx, [event for _, _, event in written], lane)
    return [state for _, state, _ in written]


def _next(statement: Insert, names: Sequence[str]) -> Insert:
    """The version after the stored one, and no other, takes the row over."""
    table = statement.table
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={c.name: statement.excluded[c.name] for c in table.c if not c.primary_key},
        where=table.c.version == statement.excluded.version - 1,
    )
