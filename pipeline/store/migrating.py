"""Migrations: the tables to a revision, up or down, while everything goes on, from any number of processes.

Whoever waits for a lock makes those wait who ask after it. So a statement gives up after LOCK_WAIT, and its
migration, which is one transaction, is tried again later: what is in the way goes on, and so do the others.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.resources import as_file, files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Row, func, select, text
from sqlalchemy.exc import DBAPIError

from pipeline.store import roles, views

log = logging.getLogger(__name__)

LOCK_WAIT = "2s"  # a worker's own patience is five times that
PATIENCE = timedelta(minutes=10)
TURN = 7_305_801  # of an advisory lock: any number, the same for every process that migrates
_LOOK = 0.25  # seconds from look to look at what is in the way
_BUSY = frozenset(
    {"55P03", "40P01"}
)  # a lock was not had in time; a deadlock, of which we are the one to yield

_FORBIDDEN = "42501"  # insufficient privilege


class MigrationError(Exception):
    """The tables could not be brought to a revision; the message says why and what to do."""


def is_current(engine: Engine) -> bool:
    """Whether the tables are at the newest revision this version has."""
    with _config() as config, engine.connect() as connection:
        return _at(connection) == ScriptDirectory.from_config(config).get_current_head()


def migrate(engine: Engine, revision: str = "head", patience: timedelta = PATIENCE) -> None:
    """Bring the tables to a revision, up or down, and at the newest the views to what this version has.

    Safe to start from several processes at once: one works, the others wait for it. Revisions that are done
    stay done, whatever happens. Raises MigrationError where something else is in the way for longer than
    `patience`, and where this version does not know a revision.
    """
    end = time.monotonic() + patience.total_seconds()
    with _config() as config, engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            pid = connection.scalar(select(func.pg_backend_pid())) or 0
            connection.commit()
            _take_turn(connection, end)
            with _Watch(engine, pid) as watch:
                _patiently(connection, lambda: _bring(connection, config, revision), watch, end)
        except CommandError as error:
            raise MigrationError(
                f"{error}: where the database is at a revision that this version does not know, a newer "
                "release has migrated it; install that one"
            ) from error
        finally:
            connection.invalidate()  # the session ends, and with it the turn and the settings


def _bring(connection: Connection, config: Config, revision: str) -> None:
    scripts = ScriptDirectory.from_config(config)
    connection.execute(text(f"SET lock_timeout = '{LOCK_WAIT}'; SET statement_timeout = 0"))
    connection.commit()
    at = _at(connection)
    if _is_below(scripts, revision, at):
        views.drop(connection)  # of columns that go
        connection.commit()
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)
    if _at(connection) == scripts.get_current_head():
        views.create(connection)
    roles.keep(connection)
    connection.commit()


def _is_below(scripts: ScriptDirectory, revision: str, at: str | None) -> bool:
    """Whether `revision` is one before `at`."""
    if at is None or revision == "head":
        return False
    wanted = scripts.get_revision(revision)
    before = {script.revision for script in scripts.iterate_revisions(at, "base")} - {at}
    return wanted is None or wanted.revision in before  # None: `base`, before them all


def _at(connection: Connection) -> str | None:
    """The revision the tables are at. Leaves no transaction: alembic wants to begin its own."""
    found = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    return found


@contextmanager
def _config() -> Iterator[Config]:
    with as_file(files("pipeline.store") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        yield config


def _take_turn(connection: Connection, end: float) -> None:
    """Wait for those who migrate already, by asking again and again.

    Who waits in `pg_advisory_lock` has a snapshot for as long, and an index that is built without locking
    waits for old snapshots: the two would wait for each other.
    """
    for pause in _pauses(0.1, 2):
        taken = connection.scalar(select(func.pg_try_advisory_lock(TURN)))
        connection.commit()
        if taken:
            return
        if time.monotonic() > end:
            holding = connection.execute(text(_HOLDS_TURN), {"turn": TURN}).all()
            raise MigrationError(
                f"another process migrates this database still: {_told(holding)}. Wait until it is done, "
                "or end it where nobody waits for it (SELECT pg_terminate_backend(PID)), then start again"
            )
        time.sleep(pause)


def _patiently(connection: Connection, step: Callable[[], None], watch: "_Watch", end: float) -> None:
    """Do `step`, again for as long as locks are not had."""
    for pause in _pauses(0.5, 15):
        try:
            step()
        except DBAPIError as error:
            connection.rollback()
            state = getattr(error.orig, "sqlstate", None)
            if state == _FORBIDDEN:
                raise MigrationError(
                    f"{str(error.orig).strip()}: migrations are the owner's; set RACEWIRE_OWNER_DATABASE_URL"
                ) from error
            if state not in _BUSY:
                raise
            if time.monotonic() > end:
                raise MigrationError(
                    f"a migration has not had its locks: {watch.told}. Wait until that is done or end it "
                    "(SELECT pg_terminate_backend(PID)), then start again; what was migrated so far stays"
                ) from error
            time.sleep(pause)
        else:
            return


def _pauses(first: float, most: float) -> Iterator[float]:
    while True:
        yield first
        first = min(2 * first, most)


class _Watch:
    """Looks, from a session of its own, at what keeps another from its locks, and logs who it is."""

    told = "it is not known by what; see pg_stat_activity"

    def __init__(self, engine: Engine, pid: int) -> None:
        self._engine = engine
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        seen: set[int] = set()
        with (
            suppress(DBAPIError),  # the server is down: the other session says so
            self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as own,
        ):
            while not self._ended.wait(_LOOK):
                found = own.execute(text(_IN_THE_WAY), {"pid": self._pid}).all()
                if not found:
                    continue
                self.told = f"in the way {'is' if len(found) == 1 else 'are'} {_told(found)}"
                if new := {row.pid for row in found} - seen:
                    seen |= new
                    log.warning("a migration waits for locks: %s", self.told)


# Of other users' sessions one who is no superuser is shown hardly more than who and which.
_SHOWN = "pid, usename, application_name, state, xact_start, left(query, 200) AS query"
_IN_THE_WAY = f"""
    SELECT {_SHOWN} FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(:pid)) ORDER BY xact_start, pid
"""  # noqa: S608
_HOLDS_TURN = f"""
    SELECT {_SHOWN} FROM pg_stat_activity WHERE pid IN (
        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :turn
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""  # noqa: S608


def _told(sessions: Sequence[Row[Any]]) -> str:
    """Sessions in words. Names and queries may hold anything, and go into a line."""
    told = []
    for one in sessions:
        name = f" ({one.application_name})" if one.application_name else ""
        since = f", since {one.xact_start:%H:%M:%S} UTC" if one.xact_start else ""
        query = " ".join((one.query or "").split())[:80] or "nothing is told of it"
        who = f"process {one.pid} of {one.usename or 'the server'}{name}"
        told.append(f"{who}, {one.state or 'hidden'}{since}: {query}")
    return "".join(filter(str.isprintable, "; ".join(told))) or "nobody any more"
