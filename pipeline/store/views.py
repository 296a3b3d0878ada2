"""Views for reports, in a schema of their own: what may be read without knowing the tables, which may change.

They belong to no revision: they are of the newest tables, and made anew whenever these are. A migration that
drops or retypes a column which a view reads begins with `drop(op.get_bind())`.
"""

from hashlib import sha256
from importlib.resources import files

from sqlalchemy import Connection, text

SCHEMA = "bi"


def create(tx: Connection) -> None:
    """Bring the views to what this version has. Where they are that already, no lock is asked for."""
    wanted = files("pipeline.store").joinpath("views.sql").read_text("utf-8")
    mark = f"For reports, read only; see docs/consuming.md. {sha256(wanted.encode()).hexdigest()[:16]}"
    if tx.scalar(text(_MARK)) == mark and len(names(tx)) == wanted.count("CREATE OR REPLACE VIEW"):
        return
    tx.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    tx.exec_driver_sql(wanted, execution_options={"no_parameters": True})
    tx.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{mark}'"))


def drop(tx: Connection) -> None:
    """Take the views away; grants on the schema stay. Refused where somebody else's views need them."""
    if found := names(tx):
        tx.execute(text(f"DROP VIEW {', '.join(f'{SCHEMA}.{name}' for name in found)}"))


def names(tx: Connection) -> list[str]:
    """The views that are there."""
    return list(tx.scalars(text(_NAMES), {"schema": SCHEMA}))


_MARK = f"SELECT obj_description(to_regnamespace('{SCHEMA}'), 'pg_namespace')"
_NAMES = "SELECT quote_ident(viewname) FROM pg_views WHERE schemaname = :schema ORDER BY viewname"
