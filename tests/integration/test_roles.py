"""Owner, writer and reader as three logins: the writer does all the work, the reader sees the views."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from starlette.testclient import TestClient

from pipeline.cli import racewire
from pipeline.settings import Servers
from pipeline.store.database import connect
from pipeline.store.migrating import MigrationError, migrate
from pipeline.store.models import Base
from pipeline.web import app
from schemas.topics import ARTICLES
from tests.conftest import World
from tests.feedserver import FeedServer, rss
from tests.integration.test_migrations import REVISIONS
from tests.integration.test_poll import feed, poll_all, poller, server, start_classifier
from tests.integration.test_workers import start_relay, start_storyteller
from tests.samples import article, out
from tests.until import until

pytestmark = pytest.mark.integration
__all__ = ["server"]

EVIL = "\"; DROP SCHEMA public; -- %s :name {name} ' ß"


@dataclass
class Staff:
    """A world whose settings are the writer's, with the owner's beside; and the three names."""

    world: World
    admin: Engine
    owner: Engine
    reader: Engine
    names: dict[str, str]

    def invoke(self, *arguments: str, code: int = 0) -> str:
        """`racewire` as an operator runs it, who has both URLs."""
        url = self.owner.url.render_as_string(hide_password=False)
        return said(self.world, *arguments, code=code, RACEWIRE_OWNER_DATABASE_URL=url)

    def grant(self, *arguments: str, code: int = 0) -> str:
        named = arguments or ("--writer", self.names["writer"], "--reader", self.names["reader"])
        return self.invoke("db", "grant", *named, code=code)


def said(world: World, *arguments: str, code: int = 0, **variables: str) -> str:
    result = CliRunner().invoke(racewire, arguments, env=world.environment() | variables)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def staff(world: World) -> Iterator[Staff]:
    """Three logins with names as nasty as can be, and the world's database anew as the owner's."""
    given = make_url(world.servers.database_url.get_secret_value())
    names = {part: f"{part} {secrets.token_hex(3)} {EVIL}" for part in ("owner", "writer", "reader")}
    admin = create_engine(given, isolation_level="AUTOCOMMIT")
    quote = admin.dialect.identifier_preparer.quote_identifier

    def run(statement: str) -> None:
        with admin.connect() as tx:
            tx.exec_driver_sql(statement)

    for name in names.values():
        run(f"CREATE ROLE {quote(name)} LOGIN PASSWORD 'p'")
    run("DROP SCHEMA public CASCADE")
    run("DROP SCHEMA bi CASCADE")
    run(f"ALTER DATABASE {given.database} OWNER TO {quote(names['owner'])}")
    run("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
    run("GRANT USAGE ON SCHEMA public TO PUBLIC")
    urls = {
        part: given.set(username=name, password="p").render_as_string(hide_password=False)
        for part, name in names.items()
    }
    world.engine.dispose()
    mine = World(
        world.settings,
        Servers(SecretStr(urls["writer"]), world.broker, world.servers.prefect_api_url),
        connect(urls["writer"]),
        world.topics,
    )
    owner, reader = connect(urls["owner"]), connect(urls["reader"])
    migrate(owner)
    yield Staff(mine, admin, owner, reader, names)
    mine.stop_all()
    for engine in (owner, reader, mine.engine):
        engine.dispose()
    run(f"REASSIGN OWNED BY {quote(names['owner'])} TO racewire")
    for name in names.values():
        run(f"DROP OWNED BY {quote(name)}")
        run(f"DROP ROLE {quote(name)}")
    admin.dispose()


def refused(engine: Engine, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), engine.begin() as tx:
        tx.execute(text(statement))


def rights(staff: Staff) -> list[Any]:
    sql = """
        SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL
        UNION ALL SELECT nspname, nspacl::text FROM pg_namespace
        UNION ALL SELECT datname, datacl::text FROM pg_database WHERE datname = current_database()
        UNION ALL SELECT defaclobjtype::text || defaclnamespace::regnamespace, defaclacl::text
        FROM pg_default_acl
        ORDER BY 1, 2
    """
    with staff.owner.connect() as tx:
        return [tuple(row) for row in tx.execute(text(sql))]


def test_the_writer_does_all_the_work(staff: Staff, server: FeedServer, tmp_path: Path) -> None:
    staff.grant()
    world = staff.world
    titles = {f"/{n}": f"OpenAI releases GPT-{n}" for n in range(1, 6)}
    told = [(path, title, f"{title} today.") for path, title in titles.items()]
    server.documents["/a"] = (rss(*told), "text/xml")
    start_classifier(world)
    start_storyteller(world)
    start_relay(world)
    assert poll_all(poller(world, [feed(server, "a", "/a")]), ["a"])["articles"] == 5
    world.publish(
        [msgspec.structs.replace(out(world.topics[ARTICLES], article(n)), value=b"{") for n in (1, 2)]
    )
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 5)
    until(lambda: world.scalar("SELECT count(*) FROM releases") == 5)
    until(lambda: world.scalar("SELECT count(*) FROM dead_letters") == 2)
    letter = str(world.scalar("SELECT min(id) FROM dead_letters"))
    assert "1 discarded" in said(world, "dead-letters", "discard", letter)
    assert "1 queued" in said(world, "dead-letters", "redrive")
    until(lambda: world.scalar("SELECT count(*) FROM dead_letters WHERE state = 'failed-again'") == 1)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    assert "5 verdicts" in said(world, "retell", "--compare")
    assert "GPT-1" in said(world, "stories")
    said(world, "reassess")
    said(world, "reconcile")
    url = world.scalar("SELECT url FROM articles WHERE title LIKE '%GPT-1'")
    assert "1 verdicts" in said(world, "forget", url, "--yes")
    until(lambda: world.scalar("SELECT count(*) FROM story_members") == 4)
    until(lambda: world.scalar("SELECT count(*) FROM outbox") == 0)
    world.stop_all()
    said(world, "retell")
    said(world, "feeds", "list")
    said(world, "topics", "rebuild")
    assert "stories" in said(world, "status")
    assert "MB" in said(world, "backup", str(tmp_path / "store.backup"))
    assert TestClient(app(world.engine)).get("/").status_code == 200
    assert TestClient(app(world.engine)).get("/healthz").status_code == 200
    with world.engine.begin() as tx:
        tx.execute(text("ANALYZE feeds"))
    assert world.scalar("SELECT reltuples FROM pg_class WHERE relname = 'feeds'") == 1


def test_the_writer_changes_no_table_and_no_revision(staff: Staff) -> None:
    staff.grant()
    for statement in (
        "ALTER TABLE articles ADD COLUMN more text",
        "DROP TABLE held_hosts",
        "TRUNCATE polls",
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE VIEW bi.mine AS SELECT 1",
        "UPDATE alembic_version SET version_num = '0001'",
    ):
        refused(staff.world.engine, statement)
    migrate(staff.world.engine)  # it sees that there is nothing to do
    assert f"at {REVISIONS[1]}" in staff.invoke("db", "migrate", REVISIONS[1])
    with pytest.raises(MigrationError, match="RACEWIRE_OWNER_DATABASE_URL"):
        migrate(staff.world.engine)
    assert "at head" in staff.invoke("db", "migrate")
    assert staff.world.scalar("SELECT version_num FROM alembic_version") == REVISIONS[0]


def test_the_reader_reads_the_views_and_nothing_else(staff: Staff) -> None:
    staff.grant()
    with staff.reader.connect() as tx:
        for view in tx.scalars(text("SELECT viewname FROM pg_views WHERE schemaname = 'bi'")).all():
            assert tx.scalar(text(f"SELECT count(*) FROM bi.{view}")) == 0  # noqa: S608
    for table in [*Base.metadata.tables, "alembic_version"]:
        refused(staff.reader, f"SELECT count(*) FROM public.{table}")  # noqa: S608
    for statement in (
        "INSERT INTO bi.articles (article_id) VALUES ('a')",
        "DELETE FROM bi.verdicts",
        "CREATE TABLE bi.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE SCHEMA mine",
    ):
        refused(staff.reader, statement)


def test_it_is_safe_to_do_again_and_holds_for_what_comes(staff: Staff) -> None:
    first = staff.grant()
    assert f"{staff.names['writer']}: reads and writes" in first
    assert f"{staff.names['reader']}: reads the 9 views" in first
    was = rights(staff)
    assert staff.grant() == first
    assert rights(staff) == was
    migrate(staff.owner, "base")
    migrate(staff.owner)
    assert rights(staff) == was
    with staff.owner.begin() as tx:
        tx.execute(text("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, told text)"))
        tx.execute(text("CREATE VIEW bi.later AS SELECT told FROM later"))
    with staff.world.engine.begin() as tx:
        tx.execute(text("INSERT INTO later (told) VALUES ('a')"))
    with staff.reader.connect() as tx:
        assert tx.scalar(text("SELECT told FROM bi.later")) == "a"
    refused(staff.reader, "SELECT * FROM public.later")


def test_a_restore_leaves_the_rights_as_they_are(staff: Staff, tmp_path: Path) -> None:
    staff.grant()
    was, file = rights(staff), str(tmp_path / "store.backup")
    with staff.world.engine.begin() as tx:
        tx.execute(text("INSERT INTO held_hosts VALUES ('a.example', now())"))
    staff.invoke("backup", file)
    assert staff.invoke("restore", file).startswith("restored")
    assert rights(staff) == was
    assert staff.world.scalar("SELECT count(*) FROM held_hosts") == 1
    with staff.reader.connect() as tx:
        assert tx.scalar(text("SELECT count(*) FROM bi.articles")) == 0
    refused(staff.world.engine, "UPDATE alembic_version SET version_num = '0001'")

    with staff.reader.connect() as tx:
        tx.execute(text("SELECT * FROM bi.articles"))
        assert "somebody uses" in staff.invoke("restore", file, code=1)
    assert rights(staff) == was
    (tmp_path / "broken").write_bytes(Path(file).read_bytes()[:2000])
    assert "pg_restore" in staff.invoke("restore", str(tmp_path / "broken"), code=1)
    assert rights(staff) == was
    assert staff.world.scalar("SELECT count(*) FROM held_hosts") == 1
    with staff.owner.begin() as tx:  # as a restore that was killed before it was done leaves it
        tx.execute(text("CREATE SCHEMA replaced; DROP VIEW bi.feeds"))
        tx.execute(text("ALTER TABLE held_hosts SET SCHEMA replaced"))
    assert staff.invoke("restore", file).startswith("restored")
    assert rights(staff) == was
    assert staff.world.scalar("SELECT count(*) FROM held_hosts") == 1


def test_who_may_do_too_much_or_is_not_there_is_refused(staff: Staff) -> None:
    names, quote = staff.names, staff.owner.dialect.identifier_preparer.quote_identifier
    was = rights(staff)
    assert "nobody is named" in staff.invoke("db", "grant", code=1)
    assert "no login 'nobody'" in staff.grant("--writer", "nobody", code=1)
    assert "is a superuser" in staff.grant("--reader", "racewire", code=1)
    assert "owns the tables" in staff.grant("--writer", names["owner"], code=1)
    assert "two logins" in staff.grant("--writer", names["reader"], "--reader", names["reader"], code=1)
    assert "set RACEWIRE_OWNER_DATABASE_URL" in said(
        staff.world, "db", "grant", "--reader", names["reader"], code=1
    )
    with staff.owner.begin() as tx:
        tx.execute(text("CREATE TABLE open_to_all (told text); GRANT SELECT ON open_to_all TO PUBLIC"))
    with staff.admin.begin() as tx:
        tx.exec_driver_sql(f"GRANT pg_read_all_data TO {quote(names['reader'])}")
    assert "may read tables all the same" in staff.grant(code=1)
    with staff.admin.begin() as tx:
        tx.exec_driver_sql(f"REVOKE pg_read_all_data FROM {quote(names['reader'])}")
        tx.exec_driver_sql(f"GRANT {quote(names['owner'])} TO {quote(names['writer'])}")
    assert "may act as the owner" in staff.grant(code=1)
    with staff.admin.begin() as tx:
        tx.exec_driver_sql(f"REVOKE {quote(names['owner'])} FROM {quote(names['writer'])}")
    with staff.owner.begin() as tx:
        tx.execute(text("DROP TABLE open_to_all"))
    assert rights(staff) == was
    staff.grant()
    staff.grant("--reader", names["writer"])  # from now on
    refused(staff.world.engine, "SELECT * FROM public.articles")
