"""The store to a file and back, by Postgres's own tools, and what a restored store must do before it goes on.

Kafka is no part of a backup. Where it survived, workers rewind to where the store stands. Where it is lost,
what it alone held must come again: `settle` lets the poller publish once more whatever was published and is
not stored, and the topics are rebuilt from the store (`announce` in `pipeline/store/aggregates.py`).
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, delete, exists, func, select, text, update
from sqlalchemy.exc import OperationalError

from pipeline.store import views
from pipeline.store.ledger import ConsumerOffsetRow, LeaseRow, RelayCheckpointRow
from pipeline.store.models import ArticleRow, FeedRow
from pipeline.store.progress import Place

# Longer than a record stays on the articles topic: what is older was stored, or is kept as a mark on purpose.
_IN_FLIGHT_DAYS = 31


class BackupError(Exception):
    """A backup could not be made or loaded; the message says why and what to do."""


@dataclass(frozen=True)
class Settled:
    """What was forgotten so that it comes again: articles, and offsets of a topic that is not the same."""

    articles: int
    offsets: int


def dump(url: URL, file: Path, programs: Path | None) -> None:
    """Write the database to `file`, as of one moment. Raises BackupError; then there is no new file.

    `programs` is the folder of Postgres's tools where they are not on the path.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        _run(
            "pg_dump",
            programs,
            url,
            ["--format=custom", f"--file={part}", f"--exclude-schema={views.SCHEMA}"],
        )
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def load(engine: Engine, file: Path, programs: Path | None) -> None:
    """Put a backup in place of all tables, or change nothing. Raises BackupError.

    The tables that are there, perhaps of another release, stand aside until the new ones are complete. The
    schema stays, so that whom its tables were granted to has the new ones granted as well. The views are gone
    afterwards, whatever happened: `migrate` makes them anew.
    """
    try:
        with engine.begin() as tx:
            views.drop(tx)
            if tx.scalar(text("SELECT to_regnamespace('replaced')")):  # a restore that was killed
                _put_back(tx)
            tx.execute(text("CREATE SCHEMA replaced"))
            for table in _tables(tx, "public"):
                tx.execute(text(f"ALTER TABLE {table} SET SCHEMA replaced"))
    except OperationalError as error:
        raise BackupError(
            f"{str(error.orig).strip()}: somebody uses tables or views (see pg_stat_activity): wait or end it"
        ) from error
    try:
        _run("pg_restore", programs, engine.url, ["--single-transaction", "--exit-on-error", str(file)])
    except BaseException:
        with engine.begin() as tx:
            _put_back(tx)
        raise
    with engine.begin() as tx:
        tx.execute(text("DROP SCHEMA replaced CASCADE"))


def _put_back(tx: Connection) -> None:
    for table in _tables(tx, "public"):
        tx.execute(text(f"DROP TABLE {table} CASCADE"))
    for table in _tables(tx, "replaced"):
        tx.execute(text(f"ALTER TABLE {table} SET SCHEMA public"))
    tx.execute(text("DROP SCHEMA replaced CASCADE"))


def _tables(tx: Connection, schema: str) -> Sequence[str]:
    """The tables of a schema, quoted, but for those of extensions."""
    return tx.scalars(text(_TABLES), {"schema": schema}).all()


def objection(tx: Connection, *, replace: bool) -> str | None:
    """Why a restore would disturb somebody or, without `replace`, destroy something; None where it may be."""
    now = func.clock_timestamp()
    if tx.scalar(select(exists().where(LeaseRow.expires_at > now))):
        return "workers run on this store: stop them first (`racewire stack down`, then `racewire stack up`)"
    if tx.scalar(select(exists().where(FeedRow.leased_until > now))):
        return "a poll is under way: wait until it has ended"
    if not replace and tx.scalar(select(exists().where(ArticleRow.article_id.is_not(None)))):
        return "this store holds articles: restore into an empty one, or take --replace"
    return None


def settle(tx: Connection, ends: Mapping[Place, int], articles: timedelta | None = None) -> Settled:
    """Make a restored store fit the Kafka that is there; `ends` are the end offsets of all its topics.

    Articles of which a revision or a sighting was published and is not stored are forgotten, and every feed
    is read anew: what is stored already comes as it is and writes nothing. What is not stored because
    articles are kept for `articles` only is known on. Offsets beyond a topic's end are those of another
    topic.
    """
    forgotten = tx.execute(text(_FORGET), {"days": _IN_FLIGHT_DAYS, "age": articles}).rowcount
    tx.execute(text(_READ_ANEW))
    tx.execute(update(LeaseRow).values(expires_at=func.now()))
    offsets = 0
    for row in (ConsumerOffsetRow, RelayCheckpointRow):
        for topic, partition in tx.execute(select(row.topic, row.partition).distinct()).all():
            beyond = row.next_offset > ends.get((topic, partition), 0)
            gone = delete(row).where(row.topic == topic, row.partition == partition, beyond)
            offsets += tx.execute(gone).rowcount
    return Settled(forgotten, offsets)


_TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname = :schema AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e'
            AND objid = format('%I.%I', schemaname, tablename)::regclass)
"""
_READ_ANEW = """
    UPDATE feeds SET state = state - 'validators', leased_by = NULL, leased_until = NULL,
        next_poll_at = CASE WHEN next_poll_at IS NULL THEN NULL ELSE now() END
"""


_FORGET = """
    DELETE FROM known_articles k
    WHERE k.seen_at > (SELECT max(seen_at) FROM known_articles) - make_interval(days => :days)
      AND (NOT EXISTS (SELECT FROM revisions r
                       WHERE r.article_id = k.article_id AND r.revision = k.known->>'revision')
           OR EXISTS (SELECT FROM jsonb_array_elements_text(k.known->'carriers') AS carrier
                      WHERE carrier NOT IN
                          (SELECT s.feed_id FROM sightings s WHERE s.article_id = k.article_id)))
      AND (EXISTS (SELECT FROM articles a WHERE a.article_id = k.article_id)
           OR greatest((k.known->>'published_at')::timestamptz, (k.known->>'observed_at')::timestamptz)
              >= now() - CAST(:age AS interval) IS NOT FALSE)
"""


def _run(program: str, programs: Path | None, url: URL, options: Sequence[str]) -> None:
    """Run one of Postgres's tools; the password goes by its environment, where no other user sees it."""
    place = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    command = [
        str(programs / program if programs else program),
        f"--dbname={place.render_as_string().replace(' ', '%20')}",  # libpq takes no spaces
        "--no-owner",
    ]
    try:
        subprocess.run(
            [*command, "--no-privileges", *options],
            env=os.environ | {"PGPASSWORD": str(url.password or "")},
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise BackupError(f"{program} is missing (Debian: apt-get install postgresql-client)") from error
    except subprocess.CalledProcessError as error:
        raise BackupError(f"{program}: {error.stderr.strip()[-1000:]}") from error
