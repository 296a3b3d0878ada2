"""Who may do what: the owner makes the tables, a writer works with them, a reader sees the views and no more.

Logins are made by an administrator. Here their rights are granted, by the owner, also those on tables and
views that are yet to come: those of a later release or of a restore.
"""

from collections.abc import Iterable, Sequence

from psycopg import sql
from sqlalchemy import Connection, text

from pipeline.store import views


class RoleError(Exception):
    """Rights could not be granted, and nothing was; the message says why and what to do."""


def grant(tx: Connection, writers: Iterable[str], readers: Iterable[str]) -> list[str]:
    """Grant logins the rights of writers and of readers, and take from everybody what would undercut that.

    A line for each of what it may now; the same when it is done again. Raises RoleError.
    """
    writers, readers = list(dict.fromkeys(writers)), list(dict.fromkeys(readers))
    _check(tx, writers, readers)
    database = tx.scalar(text("SELECT current_database()")) or ""
    for statement in _PUBLIC:
        _do(tx, statement, database=database)
    tables = "SELECT, INSERT, UPDATE, DELETE"
    if (tx.dialect.server_version_info or (0,)) >= (17,):
        tables += ", MAINTAIN"  # ANALYZE, which before 17 is the owner's, and passed over with a warning
    for name in writers:
        for statement in _WRITER:
            _do(tx, statement.replace("RIGHTS", tables), name=name, database=database)
    keep(tx)
    for name in readers:
        for statement in _READER:
            _do(tx, statement, name=name, database=database)
    for name, excesses in [*((w, _TOO_MUCH_TO_WRITE) for w in writers), *((r, _TOO_MUCH) for r in readers)]:
        if more := [what for what, asked in excesses.items() if tx.scalar(text(asked), {"name": name})]:
            raise RoleError(
                f"{name!r} may {', '.join(more)} all the same: it is in another role that may, or a right is "
                "somebody else's to take. See to that (\\du and \\dp in psql), then grant again"
            )
    seen = len(views.names(tx))
    return [
        *(f"{name}: reads and writes the tables of racewire, makes temporary ones" for name in writers),
        *(f"{name}: reads the {seen} views in the schema {views.SCHEMA}, nothing else" for name in readers),
        "everybody else: no rights in the schema public, no temporary tables",
    ]


def keep(tx: Connection) -> None:
    """Let nobody but the owner write at which revision the tables are.

    Whom all tables are granted to is granted that one as well, each time it is made.
    """
    for name in tx.scalars(text(_WRITE_REVISION)).all():
        _do(tx, "REVOKE ALL ON public.alembic_version FROM {name}", name=name)
        _do(tx, "GRANT SELECT ON public.alembic_version TO {name}", name=name)


def _check(tx: Connection, writers: Sequence[str], readers: Sequence[str]) -> None:
    if not writers and not readers:
        raise RoleError("nobody is named: take --writer NAME, --reader NAME or both")
    if both := set(writers) & set(readers):
        raise RoleError(f"{', '.join(map(repr, sorted(both)))} cannot be writer and reader: name two logins")
    me = tx.scalar(text("SELECT current_user"))
    owner = tx.scalar(text("SELECT tableowner FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"))
    if owner is None or not views.names(tx):
        raise RoleError("there are no tables and views to grant: run `racewire deploy` first")
    if owner != me:
        raise RoleError(
            f"the tables are {owner!r}'s and this is {me!r}: set RACEWIRE_OWNER_DATABASE_URL to the owner's"
        )
    for name in (*writers, *readers):
        found = tx.execute(
            text("SELECT rolsuper FROM pg_roles WHERE rolname = :name"), {"name": name}
        ).first()
        if found is None:
            raise RoleError(
                f"there is no login {name!r}: let an administrator make it (CREATE ROLE … LOGIN PASSWORD '…')"
            )
        if found.rolsuper or name == me:
            why = "is a superuser" if found.rolsuper else "owns the tables"
            raise RoleError(f"{name!r} {why} and may do everything: name another login")


def _do(tx: Connection, statement: str, **names: str) -> None:
    """Run a statement of ours with names as quoted identifiers."""
    made = sql.SQL(statement).format(
        bi=sql.Identifier(views.SCHEMA), **{key: sql.Identifier(name) for key, name in names.items()}
    )
    tx.exec_driver_sql(made.as_string(), execution_options={"no_parameters": True})


_PUBLIC = (
    "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC",
)
_WRITER = (
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {name}",
    "GRANT USAGE ON SCHEMA public TO {name}",
    "GRANT RIGHTS ON ALL TABLES IN SCHEMA public TO {name}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT RIGHTS ON TABLES TO {name}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {name}",
)
# What it had as a writer, perhaps, is taken back.
_READER = (
    "REVOKE ALL ON DATABASE {database} FROM {name}",
    "REVOKE ALL ON SCHEMA public FROM {name}",
    "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}",
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {name}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM {name}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {name}",
    "GRANT CONNECT ON DATABASE {database} TO {name}",
    "GRANT USAGE ON SCHEMA {bi} TO {name}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA {bi} TO {name}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA {bi} GRANT SELECT ON TABLES TO {name}",
)
_WRITE_REVISION = """
    SELECT DISTINCT pg_get_userbyid(grantee) FROM pg_class, aclexplode(relacl)
    WHERE pg_class.oid = to_regclass('public.alembic_version') AND grantee NOT IN (0, relowner)
        AND privilege_type <> 'SELECT'
"""
_TOO_MUCH_TO_WRITE = {
    "act as the owner": "SELECT pg_has_role(:name, current_user, 'MEMBER')",
    "make tables": "SELECT has_schema_privilege(:name, 'public', 'CREATE')",
    "make schemas": "SELECT has_database_privilege(:name, current_database(), 'CREATE')",
}
_TOO_MUCH = {
    **_TOO_MUCH_TO_WRITE,
    "make temporary tables": "SELECT has_database_privilege(:name, current_database(), 'TEMPORARY')",
    "read tables": """
        SELECT bool_or(has_any_column_privilege(:name, oid, 'SELECT')) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    """,
    "write": """
        SELECT bool_or(has_table_privilege(:name, oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                OR has_any_column_privilege(:name, oid, 'INSERT, UPDATE')) FROM pg_class
        WHERE relnamespace IN ('public'::regnamespace, to_regnamespace('bi')) AND relkind IN ('r', 'p', 'v')
    """,
}
