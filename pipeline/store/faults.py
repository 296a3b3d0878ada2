"""Whose fault a database error is: the data's, or the server's, which is waited out. Pure.

By SQLSTATE where Postgres gave one (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

import psycopg
from sqlalchemy.exc import DBAPIError

# Of the classes that are the data's: data exception, integrity, cardinality, program limit (a value or a
# statement too large), and a feature that only some value asks for. All others are the server's or ours, and
# would hit the next record as well: connection, resources, operator intervention, conflicts, missing tables.
DATA_CLASSES = frozenset({"0A", "21", "22", "23", "54"})
# An allocation of more than a gigabyte is told as an internal error; were it a broken index instead, every
# record would fail and the flood would stop the worker.
DATA_STATES = frozenset({"XX000"})


def is_of_data(error: DBAPIError) -> bool:
    """Whether the statement would fail again on a healthy server, so that a record must be the cause."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # refused by the client: what it could not adapt, or a connection that is gone
        return isinstance(error.orig, (psycopg.DataError, psycopg.NotSupportedError))
    return state in DATA_STATES or state[:2] in DATA_CLASSES
