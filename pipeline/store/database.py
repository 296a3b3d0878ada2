"""The engine, and the one set-based way to write rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    LargeBinary,
    Table,
    Text,
    bindparam,
    column,
    create_engine,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import InstrumentedAttribute


def connect(url: str, *, pool: int = 5) -> Engine:
    """An engine whose sessions speak UTC, give up a lock after 10 s and a dead peer after about 30 s."""
    return create_engine(
        url,
        pool_size=pool,
        pool_pre_ping=True,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        connect_args={
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "options": "-c timezone=UTC -c search_path=public -c lock_timeout=10s"
            " -c idle_in_transaction_session_timeout=120s",
        },
    )


def table_of(model: type[Any]) -> Table:
    """The Core table of a mapped class."""
    found: Table = model.__table__
    return found


def rows(columns: Sequence[Column[Any]], values: Sequence[Mapping[str, Any]]) -> FromClause:
    """`values` as a relation of `columns`, sent as one JSON document: a statement's size is constant.

    A document costs a third of what an array a column does, whose texts are escaped one by one. A value that
    is JSON already may come as `msgspec.Raw`; bytes travel in Base64.
    """
    binary = {c.name for c in columns if isinstance(c.type, LargeBinary)}
    given = func.json_to_recordset(bindparam(None, values, type_=JSON(), unique=True)).table_valued(
        *(column(c.name, Text if c.name in binary else c.type) for c in columns)
    )
    typed = given.render_derived(with_types=True)
    if not binary:
        return typed
    return select(
        *(func.decode(c, "base64").label(c.name) if c.name in binary else c for c in typed.c)
    ).subquery()


def among(
    column: ColumnElement[str] | InstrumentedAttribute[str], keys: Iterable[str]
) -> ColumnElement[bool]:
    """`column = ANY(keys)`: the same statement for any number of keys, prepared once."""
    return column == func.any(bindparam(None, sorted(set(keys)), type_=ARRAY(Text), unique=True))


def insert_rows(model: type[Any], values: Sequence[Mapping[str, Any]]) -> Insert:
    """`INSERT INTO … SELECT … FROM json_to_recordset(…)`; all rows have the keys of the first."""
    table = table_of(model)
    columns = [table.c[name] for name in values[0]]
    return insert(table).from_select([c.name for c in columns], select(rows(columns, values)))


def upsert(tx: Connection, model: type[Any], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace rows by primary key; within `values` the last row of a key wins."""
    if not values:
        return
    keys = [c.name for c in table_of(model).primary_key]
    unique = list({tuple(v[k] for k in keys): v for v in values}.values())
    statement = insert_rows(model, unique)
    changed = {name: statement.excluded[name] for name in unique[0] if name not in keys}
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def add_missing(tx: Connection, model: type[Any], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows whose primary key is not there yet."""
    if values:
        tx.execute(insert_rows(model, values).on_conflict_do_nothing())
