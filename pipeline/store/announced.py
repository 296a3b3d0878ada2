"""The store as a witness of what it announced: states and dead letters beside the records on their topics.

The other half of `pipeline/store/witness.py`: of the same snapshot, once its `announce` has laid the topics
beside it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text

from pipeline.store.aggregates import Aggregate
from pipeline.store.balance import Finding
from pipeline.store.database import among, table_of
from pipeline.store.models import ForgottenRow


def unannounced(
    tx: Connection, now: Connection, aggregate: Aggregate[Any], topic: str, since: datetime
) -> tuple[int, int, list[Finding]]:
    """Of states written since `since`: how many there are, how many wait in the outbox, and those of which
    neither is true nor this version or a newer one is the last on `topic`.

    What was deleted after the snapshot may be among them, so these are looked for again `now`.
    """
    sql = {"table": table_of(aggregate.model).name, "key": aggregate.key}
    asked = {"topic": topic, "since": since}
    count, waiting = tx.execute(text(_WRITTEN.format(**sql)), asked).one()
    missing = tx.execute(text(_UNANNOUNCED.format(**sql)), asked).all()
    column = table_of(aggregate.model).c[aggregate.key]
    there = set(now.scalars(select(column).where(among(column, [key for key, *_ in missing]))))
    found = [
        Finding("not-announced", key, topic, _versions(*versions))
        for key, *versions in missing
        if key in there
    ]
    return count, waiting, found


def unknown(tx: Connection, now: Connection, aggregate: Aggregate[Any], topic: str) -> list[Finding]:
    """States on `topic` that the store does not have, or not as new.

    What was written after the snapshot may be among them, so these are looked for again `now`.
    """
    sql = {"table": table_of(aggregate.model).name, "key": aggregate.key}
    surplus = tx.execute(text(_UNKNOWN.format(**sql)), {"topic": topic}).all()
    keys = [key for key, *_ in surplus]
    table = table_of(aggregate.model)
    column, forgotten = table.c[aggregate.key], ForgottenRow.article_id
    stored = dict(now.execute(select(column, table.c.version).where(among(column, keys))).all())
    gone = set(now.scalars(select(forgotten).where(among(forgotten, keys))))
    return [
        Finding("not-in-store", key, place, _versions(stored.get(key), version, False))
        for key, version, place in surplus
        if version > stored.get(key, 0) and key not in gone
    ]


def letters(tx: Connection, source: str, topic: str, since: datetime) -> tuple[int, int, list[Finding]]:
    """The same as `unannounced` of the dead letters of `source`, whose announcements are on `topic`."""
    asked = {"source": source, "topic": topic, "since": since}
    count, waiting = tx.execute(text(_FAILED), asked).one()
    missing = tx.execute(text(_UNTOLD), asked)
    found = [Finding("not-announced", f"dead letter {number}", topic, place) for number, place in missing]
    return count, waiting, found


def _versions(stored: int | None, there: int | None, gone: bool | None) -> str:
    on_topic = "removed" if gone else "nothing" if there is None else f"version {there}"
    return f"stored: {'nothing' if stored is None else f'version {stored}'}, on the topic: {on_topic}"


_WAITS = "EXISTS (SELECT FROM outbox o WHERE o.topic = :topic AND o.key = convert_to(r.{key}, 'UTF8'))"
_WRITTEN = f"""
    SELECT count(*), count(*) FILTER (WHERE {_WAITS}) FROM {{table}} r WHERE r.written_at >= :since
"""  # noqa: S608
_UNANNOUNCED = f"""
    SELECT r.{{key}}, r.version, s.version, s.gone
    FROM {{table}} r LEFT JOIN announced s ON s.topic = :topic AND s.key = r.{{key}}
    WHERE r.written_at >= :since AND (s.key IS NULL OR s.gone OR s.version < r.version) AND NOT {_WAITS}
    ORDER BY 1
"""  # noqa: S608
_UNKNOWN = """
    SELECT s.key, s.version, s.place
    FROM announced s LEFT JOIN {table} r ON r.{key} = s.key
    WHERE s.topic = :topic AND NOT s.gone AND s.version > coalesce(r.version, 0)
        AND NOT EXISTS (SELECT FROM outbox o WHERE o.topic = :topic AND o.key = convert_to(s.key, 'UTF8'))
    ORDER BY 1
"""
_EVENT = "d.topic || ':' || d.partition || ':' || d.record_offset"
_TELLS = f"EXISTS (SELECT FROM outbox o WHERE o.topic = :topic AND o.event_id = {_EVENT})"
_FAILED = f"""
    SELECT count(*), count(*) FILTER (WHERE {_TELLS}) FROM dead_letters d
    WHERE d.topic = :source AND d.failed_at >= :since
"""  # noqa: S608
_UNTOLD = f"""
    SELECT d.id, {_EVENT} FROM dead_letters d
    WHERE d.topic = :source AND d.failed_at >= :since AND NOT {_TELLS}
        AND NOT EXISTS (SELECT FROM announced s WHERE s.topic = :topic AND s.key = {_EVENT})
    ORDER BY d.id
"""  # noqa: S608
