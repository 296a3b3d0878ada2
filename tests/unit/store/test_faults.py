"""A database error is waited out, or it is the record's: by its class."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from pipeline.store.faults import is_of_data


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("08006", False),  # connection failure
        ("25006", False),  # a standby: read-only
        ("28P01", False),  # password
        ("3D000", False),  # no such database
        ("40001", False),  # serialization failure
        ("40P01", False),  # deadlock
        ("42P01", False),  # no such table: not yet deployed
        ("42501", False),  # not allowed
        ("53100", False),  # disk full
        ("53200", False),  # out of memory
        ("53300", False),  # too many connections
        ("55P03", False),  # lock not available
        ("57P01", False),  # shut down by an operator
        ("57014", False),  # cancelled
        ("58030", False),  # input or output failed
        ("XX001", False),  # data corrupted
        ("21000", True),  # a key twice in one statement
        ("22003", True),  # number out of range
        ("22008", True),  # time out of range
        ("22P05", True),  # character that cannot be stored
        ("23505", True),  # key twice
        ("23514", True),  # check
        ("54000", True),  # a value too large
        ("54001", True),  # statement too complex
        ("XX000", True),  # allocation of more than a gigabyte
    ],
)
def test_by_sqlstate(name: str, expected: bool) -> None:
    error = errors.lookup(name)() if name != "XX000" else errors.InternalError_()
    assert error.sqlstate == name
    assert is_of_data(DBAPIError("x", None, error)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("the connection is lost"), False),
        (psycopg.InterfaceError("the connection is closed"), False),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), True),
    ],
)
def test_of_the_client(error: psycopg.Error, expected: bool) -> None:
    assert is_of_data(DBAPIError("x", None, error)) is expected
