"""Migrations on a real Postgres: up, down and up over rows, from several processes, beside those who work."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, DateTime, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from pipeline.store import migrating
from pipeline.store.migrating import MigrationError, is_current, migrate
from pipeline.store.models import Base
from tests.conftest import World
from tests.samples import START
from tests.until import until

pytestmark = pytest.mark.integration

SCRIPTS = ScriptDirectory(str(Path(migrating.__file__).with_name("migrations")))
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()]  # newest first
# What goes for good with the revision that made it, tables and columns; all else outlives a way down and up.
LOST = {
    "0002": {"held_hosts"},
    "0003": {"outbox.lane", "articles.provisional", "polls.history"},
    "0004": {"forgotten"},
    "0005": {"robots", "polls.pages"},
    "0006": {"registry"},
    "0007": {"claims", "consumer_offsets.moved_at"},
    "0008": {"balance"},
    "0010": {"corrections"},
    "0011": {"claims.reach"},
}
# Under another name before.
RENAMED = {"first_seen_at": "seen_at"}

Rows = dict[str, list[dict[str, Any]]]


def value_of(column: Any, n: int) -> Any:
    """Some value for the `n`th row that fits a column's type."""
    if column.name == "article_id":
        return f"{n:024x}"
    for kind, value in {
        Text: f"{column.name} {n}",
        DateTime: START + timedelta(days=n),
        Boolean: bool(n % 2),
        LargeBinary: bytes([n]),
        JSONB: {"url": f"https://{n}.example/"},
    }.items():
        if isinstance(column.type, kind):
            return value
    return n % 2 if column.name == "lane" else n


def fill(world: World) -> None:
    """Three rows in every table."""
    with world.engine.begin() as tx:
        for table in Base.metadata.sorted_tables:
            columns = [c for c in table.c if not c.computed and not c.identity]
            tx.execute(table.insert(), [{c.name: value_of(c, n) for c in columns} for n in range(3)])


def rows(world: World) -> Rows:
    with world.engine.connect() as tx:
        tables = tx.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        return {
            table: [
                {RENAMED.get(name, name): value for name, value in row.items()}
                for row in tx.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).mappings()  # noqa: S608
            ]
            for table in tables
            if table != "alembic_version"
        }


def kept(found: Rows, lost: set[str]) -> Rows:
    """Those rows and columns that are not `lost`."""
    return {
        table: [{k: v for k, v in row.items() if f"{table}.{k}" not in lost} for row in found[table]]
        for table in found
        if table not in lost
    }


def shape(world: World) -> list[Any]:
    """Every column, index, constraint and sequence."""
    sql = """
        SELECT 'column', attrelid::regclass::text, concat_ws(' ', attname, format_type(atttypid, atttypmod),
               attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid))
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid
            AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') AND attnum > 0
            AND NOT attisdropped
        UNION ALL SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3
    """
    with world.engine.connect() as tx:
        return [tuple(row) for row in tx.execute(text(sql))]


def test_every_revision_goes_down_and_up_again_over_rows(world: World) -> None:
    fill(world)
    first, was = rows(world), shape(world)
    assert set(first) == set(Base.metadata.tables)
    assert all(len(found) == 3 for found in first.values())
    lost: set[str] = set()
    for revision, below in pairwise(REVISIONS):
        migrate(world.engine, below)
        assert world.scalar("SELECT version_num FROM alembic_version") == below
        lost |= LOST.get(revision, set())
        there = rows(world)
        for table, found in kept(first, lost).items():
            columns = there[table][0].keys()
            assert there[table] == [{k: v for k, v in row.items() if k in columns} for row in found], table
        migrate(world.engine)
        assert shape(world) == was, revision
        assert kept(rows(world), lost) == kept(first, lost), revision
        assert {t for t, found in rows(world).items() if not found} == {t for t in lost if "." not in t}
    migrate(world.engine, "base")
    assert rows(world) == {}
    migrate(world.engine)
    assert shape(world) == was
    assert is_current(world.engine)


def test_an_unknown_revision_is_said_to_be_a_newer_releases(world: World) -> None:
    with world.engine.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9998'"))
    with pytest.raises(MigrationError, match=r"9998.*newer release"):
        migrate(world.engine)


# --- several processes ---------------------------------------------------------------------------------


def process(world: World, scripts: Path | None = None) -> "subprocess.Popen[str]":
    """One of its own that migrates this world to the newest of `scripts`, by default ours."""
    other = f"migrating.files = lambda _: __import__('pathlib').Path({str(scripts)!r})\n" if scripts else ""
    code = (
        "import sys\n"
        "from pipeline.store import migrating\n"
        "from pipeline.store.database import connect\n"
        f"{other}"
        "migrating.migrate(connect(sys.argv[1], pool=1))\n"
    )
    url = f"{world.servers.database_url.get_secret_value()}?application_name=migrates"
    return subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE, text=True)


def migrators(world: World, what: str = "") -> list[int]:
    """The sessions of such processes on this database, those whose newest statement has this in it."""
    sql = """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'migrates' AND query LIKE :what
    """
    with world.engine.connect() as tx:
        return list(tx.scalars(text(sql), {"what": f"%{what}%"}))


@contextmanager
def holding(world: World, *statements: str) -> Iterator[int]:
    """A transaction that has done these; the number of its process."""
    with world.engine.connect() as tx:
        pid = tx.scalar(text("SELECT pg_backend_pid()")) or 0
        for statement in statements:
            tx.execute(text(statement))
        yield pid
        tx.invalidate()  # the session ends


def ended(running: "subprocess.Popen[str]") -> None:
    _, said = running.communicate(timeout=120)
    assert running.returncode == 0, said


def test_several_processes_at_once(world: World) -> None:
    with world.engine.begin() as tx:
        tx.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
    with holding(world, f"SELECT pg_advisory_lock({migrating.TURN})"):
        running = [process(world) for _ in range(4)]
        until(lambda: len(migrators(world)) == 4, what="all four")
        assert world.scalar("SELECT to_regclass('articles')") is None
    for one in running:
        ended(one)
    assert is_current(world.engine)
    assert world.scalar("SELECT count(*) FROM alembic_version") == 1


def test_who_waits_for_its_turn_in_vain_says_for_whom(world: World) -> None:
    with (
        holding(world, f"SELECT pg_advisory_lock({migrating.TURN})") as pid,
        pytest.raises(MigrationError, match=f"another process migrates.*process {pid} of racewire"),
    ):
        migrate(world.engine, patience=timedelta(0))


# --- beside those who work -----------------------------------------------------------------------------

READING = "SELECT count(*) FROM articles"
BELOW_ARTICLES = "0002"  # on the way there a column of `articles` is dropped


class Writer:
    """Writes to `articles` again and again, as long as that goes."""

    def __init__(self, world: World) -> None:
        self.done = 0
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.wait(0.01):
            with self._world.engine.begin() as tx:
                tx.execute(text("UPDATE articles SET feed_rank = 1 - feed_rank"))
            self.done += 1

    def goes_on(self) -> None:
        had = self.done
        until(lambda: self.done > had + 1, what="another write")


def waiting(world: World) -> bool:
    """Whether somebody waits for a lock that lets nobody else in."""
    return bool(
        world.scalar("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted")
    )


def test_a_migration_waits_in_short_bites_and_writers_go_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    fill(world)
    migrate(world.engine, "0003")
    caplog.set_level(logging.WARNING)
    migration = threading.Thread(target=migrate, args=(world.engine, BELOW_ARTICLES))
    with Writer(world) as writer:
        with holding(world, READING) as reader:
            migration.start()
            for _ in range(3):
                until(lambda: waiting(world), what="a bite")
                until(lambda: not waiting(world), what="its end")
                writer.goes_on()
            assert migration.is_alive()
        migration.join()
        writer.goes_on()
    assert world.scalar("SELECT version_num FROM alembic_version") == BELOW_ARTICLES
    assert f"process {reader} of racewire, idle in transaction" in caplog.text
    assert READING in caplog.text


def test_one_that_gives_up_names_what_is_in_the_way_and_goes_on_when_started_again(world: World) -> None:
    fill(world)
    migrate(world.engine, "0003")
    with (
        holding(world, READING) as reader,
        pytest.raises(MigrationError, match=f"process {reader} of .*{READING[:6]}.*pg_terminate_backend"),
    ):
        migrate(world.engine, BELOW_ARTICLES, patience=timedelta(0))
    assert world.scalar("SELECT version_num FROM alembic_version") == "0003"
    migrate(world.engine, BELOW_ARTICLES)
    assert world.scalar("SELECT version_num FROM alembic_version") == BELOW_ARTICLES


# --- an index on a table that is written to ------------------------------------------------------------

INDEX = """
from pipeline.store.migrations.concurrently import create_index
revision, down_revision = "9998", "{head}"
def upgrade(): create_index("some_index", "articles", ["title"])
def downgrade(): pass
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Our migrations, and one after them that builds an index."""
    copytree(SCRIPTS.dir, tmp_path / "scripts" / "migrations")
    added = tmp_path / "scripts" / "migrations" / "versions" / "9998_index.py"
    added.write_text(INDEX.format(head=REVISIONS[0]))
    return tmp_path / "scripts"


@pytest.mark.parametrize("with_its_session", [True, False])
def test_killed_while_it_builds_an_index_and_started_again(
    world: World, scripts: Path, with_its_session: bool
) -> None:
    fill(world)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('some_index')"
    with holding(world, "UPDATE articles SET title = '' WHERE false"):
        first = process(world, scripts)
        (session,) = until(lambda: migrators(world, "CREATE INDEX CONCURRENTLY"), what="the build")
        with Writer(world) as writer:
            writer.goes_on()
        first.kill()
        first.communicate()
        if with_its_session:
            with world.engine.begin() as tx:
                tx.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": session})
            until(lambda: not migrators(world, "CREATE INDEX CONCURRENTLY"))
        assert world.scalar(valid) is False
        second = process(world, scripts)
        if with_its_session:
            until(lambda: migrators(world, "CONCURRENTLY"), what="the second build")
        else:
            until(lambda: len(migrators(world)) == 2, what="the second")
    ended(second)
    assert world.scalar(valid) is True
    assert world.scalar("SELECT version_num FROM alembic_version") == "9998"
