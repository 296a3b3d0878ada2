"""What the store does does not take longer as it grows: every statement of every public function, explained.

On a store of 20,000 articles Postgres says of each statement, as it is executed, how many rows it reads of
which table and by which index. A table that grows may not be read as a whole, whatever the way.
"""

import inspect
import pkgutil
import secrets
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from types import CodeType, FrameType
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text

import pipeline.store
from pipeline.settings import Servers
from pipeline.store import queries
from pipeline.store.database import connect
from pipeline.store.models import Base
from tests.calls import Call, Filled, calls
from tests.filled import fill

pytestmark = pytest.mark.integration

ARTICLES, A_DAY, CORE, NONE, OUTBOX, BATCH = 20_000, 10, 0.6, 0.05, 20_000, 50
# As many rows as there are feeds, workers or partitions; all other tables grow with the articles.
SMALL = {
    "feeds", "registry", "held_hosts", "robots", "consumer_offsets", "claims", "relay_checkpoints", "balance",
    "leases",
}  # fmt: skip
GROWING = Base.metadata.tables.keys() - SMALL
# Without them nothing is read as a whole, but row by row, which `bench.store` shows.
QUICKER = {"sightings_seen"}
SHARE = 0.1  # of a table's rows, that a statement may read
FEW = 100  # rows that it may read of any table


@dataclass
class Seen:
    """What the statements of all calls did."""

    reads: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)  # call, table: rows, how
    indexes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # with the calls
    functions: set[CodeType] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def store(servers: Servers, template: str) -> Iterator[Filled]:
    """A filled store."""
    name, url = f"filled_{secrets.token_hex(4)}", servers.database_url.get_secret_value()
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as tx:
        tx.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    engine = connect(f"{url.rsplit('/', 1)[0]}/{name}", pool=2)
    fill(engine, ARTICLES, A_DAY, CORE, NONE, OUTBOX)
    with admin.connect() as tx:  # of a small table all is read even where there is an index
        tx.execute(text(f"ALTER DATABASE {name} SET enable_seqscan = off"))
    engine.dispose()
    yield Filled.of(engine, BATCH)
    engine.dispose()
    with admin.connect() as tx:
        tx.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="module")
def seen(store: Filled) -> Seen:
    """What all calls did on it."""
    return explained(store, calls())


def explained(store: Filled, asked: Iterable[Call]) -> Seen:
    found = Seen()
    with store.engine.connect() as tx:
        for table in GROWING:
            found.rows[table] = tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0  # noqa: S608
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "COUNTED", FEW)
        for call in asked:
            take = partial(note, found, call.name)
            with explaining(store.engine, take), called(found.functions), store.engine.connect() as tx:
                call.run(tx, store)
    return found


@contextmanager
def explaining(engine: Engine, take: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Before a statement is executed, it is executed for its plan and undone."""

    def explain(conn: Connection, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement.split(maxsplit=1)[0].upper() in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            with cursor.connection.cursor() as beside:
                beside.execute("SAVEPOINT beside")
                beside.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
                take(beside.fetchone()[0][0]["Plan"])
                beside.execute("ROLLBACK TO SAVEPOINT beside")

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", explain)


@contextmanager
def called(functions: set[CodeType]) -> Iterator[None]:
    """Note which functions of ours are called."""

    def spy(frame: FrameType, what: str, _: object) -> None:
        if what == "call":
            functions.add(frame.f_code)

    sys.setprofile(spy)
    try:
        yield
    finally:
        sys.setprofile(None)


def note(found: Seen, call: str, node: Mapping[str, Any]) -> None:
    """The rows that each scan reads, those it throws away included, and the indexes."""
    table = node.get("Relation Name")
    read = sum(
        node.get(k, 0) for k in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    )
    rows = read * node.get("Actual Loops", 0)
    if table in GROWING and node["Node Type"].endswith("Scan"):
        how = f"{node['Node Type']} {node.get('Index Name', '')} {node.get('Filter', '')}"
        found.reads[call, table] = max(found.reads.get((call, table), (0.0, "")), (rows, how))
    if "Index Name" in node:
        found.indexes[node["Index Name"]].add(call)
    for part in node.get("Plans", ()):
        note(found, call, part)


def wholes(found: Seen) -> list[str]:
    """Which call reads how much of which table that it may not read as a whole."""
    may = {call.name: call.whole for call in calls()}
    return [
        f"{call}: {rows:.0f} of {found.rows[table]} rows of {table}: {how[:200]}"
        for (call, table), (rows, how) in found.reads.items()
        if rows > max(FEW, SHARE * found.rows[table]) and table not in may[call]
    ]


def test_no_statement_reads_all_of_a_table_that_grows(seen: Seen) -> None:
    assert wholes(seen) == []


def test_every_index_is_needed(seen: Seen, store: Filled) -> None:
    """Nobody would use it, or without it a table that grows is read as a whole."""
    needless = []
    with store.engine.connect() as tx:
        indexes = tx.execute(text(_INDEXES)).all()
    for name, table, definition in indexes:
        if table in GROWING and name in seen.indexes.keys() - QUICKER:
            _execute(store, f"DROP INDEX {name}")
            users = [call for call in calls() if call.name in seen.indexes[name]]
            if not wholes(explained(store, users)):
                needless.append(name)
            _execute(store, definition)
        elif name not in seen.indexes:
            needless.append(name)
    assert needless == []


_INDEXES = """
    SELECT c.relname, i.indrelid::regclass::text, pg_get_indexdef(c.oid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisunique ORDER BY 1
"""


def _execute(store: Filled, statement: str) -> None:
    with store.engine.begin() as tx:
        tx.execute(text(statement))


def test_every_function_that_asks_the_store_is_called(seen: Seen) -> None:
    missing = defaultdict(list)
    for module in pkgutil.iter_modules(pipeline.store.__path__, "pipeline.store."):
        if module.ispkg:
            continue
        for name, function in inspect.getmembers(import_module(module.name), inspect.isfunction):
            asked = inspect.unwrap(function)
            takes = {p.annotation for p in inspect.signature(asked).parameters.values()}
            ours = function.__module__ == module.name and not name.startswith("_")
            if ours and Connection in takes and asked.__code__ not in seen.functions:
                missing[module.name].append(name)
    assert missing == {}
