"""The engine, and the one set-based way to write rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Executable,
    FromClause,
    LargeBinary,
    Table,
    Text,
    bindparam,
    column,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import InstrumentedAttribute

from pipeline.store.waiting import Session

Finish = Callable[[Insert, Sequence[str]], Executable]  # an insertion and the names of its columns


def connect(url: str, *, pool: int = 5) -> Engine:
    """An engine whose sessions speak UTC, give up a lock after 10 s and a dead peer after about 30 s."""
    engine = create_engine(
        url,
        pool_size=pool,
        pool_pre_ping=True,
        json_serializer=msgspec.json.encode,
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
    event.listen(engine, "do_connect", lambda _dialect, _record, args, given: Session.connect(*args, **given))
    return engine


def table_of(model: type[Any]) -> Table:
    """The Core table of a mapped class."""
    found: Table = model.__table__
    return found


def rows(columns: Sequence[Column[Any]]) -> FromClause:
    """The values that a statement is executed with as its parameter `rows`, as a relation of `columns`.

    They are sent as one JSON document, so a statement's size is constant, and one that is built once is
    compiled once. A document costs a third of what an array a column does, whose texts are escaped one by
    one. A value that is JSON already may come as `msgspec.Raw`; bytes travel in Base64.
    """
    binary = {c.name for c in columns if isinstance(c.type, LargeBinary)}
    given = func.json_to_recordset(bindparam("rows", type_=JSON())).table_valued(
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
    """`column = ANY(keys)`, which are sent as JSON: one statement for any number of them, prepared once."""
    given = func.json_array_elements_text(bindparam(None, sorted(set(keys)), type_=JSON(), unique=True))
    return column == func.any(func.array(select(given).scalar_subquery()))


def insert_rows(
    tx: Connection,
    model: type[Any],
    values: Sequence[Mapping[str, Any]],
    finish: Finish | None = None,
) -> CursorResult[Any]:
    """`INSERT INTO … SELECT … FROM json_to_recordset(…)`; all rows have the keys of the first.

    `finish` says what becomes of rows that are there already and what is returned; its statement is kept, so
    it is a function of a module.
    """
    return tx.execute(_insertion(table_of(model), tuple(values[0]), finish), {"rows": values})


def upsert(tx: Connection, model: type[Any], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace rows by primary key; within `values` the last row of a key wins."""
    if not values:
        return
    keys = [c.name for c in table_of(model).primary_key]
    unique = list({tuple(v[k] for k in keys): v for v in values}.values())
    insert_rows(tx, model, unique, _replacing)


def add_missing(tx: Connection, model: type[Any], values: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows whose primary key is not there yet."""
    if values:
        insert_rows(tx, model, values, _keeping)


@cache
def _insertion(table: Table, names: tuple[str, ...], finish: Finish | None) -> Executable:
    statement = insert(table).from_select(names, select(rows([table.c[name] for name in names])))
    made = finish(statement, names) if finish else statement
    return made.execution_options(preserve_rowcount=True)  # else that of an insertion is -1


def _replacing(statement: Insert, names: Sequence[str]) -> Insert:
    keys = [c.name for c in statement.table.primary_key]
    changed = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _keeping(statement: Insert, names: Sequence[str]) -> Insert:
    return statement.on_conflict_do_nothing()
