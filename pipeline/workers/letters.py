"""From a record and what went wrong with it to a dead letter. Pure but for the moment of the failure.

Everything in a record is hostile, its timestamp and the names of its headers too.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from typing import Any

from sqlalchemy.exc import DBAPIError

from pipeline.store import dead_letters
from schemas.codec import header
from schemas.messages import DeadLetter, Header

# In ms: 1970 to the end of the last year that the contract reads. Kafka takes any number.
FIRST_MOMENT, LAST_MOMENT = 0, 4_133_980_799_000
CHAIN = 10  # exceptions of a chain that are kept

# What differs between records with the same fault: quoted values and numbers. Paths stand in back quotes.
_VALUES = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")


def letter(record: Any, reason: str, error: BaseException, worker: str, version: str) -> DeadLetter:
    """The dead letter of `record` as `worker` of `version` leaves it."""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(min(max(record.timestamp, FIRST_MOMENT), LAST_MOMENT) / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=[Header(key=_clean(name), value=value or b"") for name, value in record.headers],
        reason=reason,
        errors=[_told(e) for e in islice(_chain(error), CHAIN)],
        fingerprint=fingerprint(reason, error),
        worker=worker,
        worker_version=version,
        failed_at=datetime.now(UTC),
        attempts=_attempts(record.headers) + 1,
    )


def fingerprint(reason: str, error: BaseException) -> str:
    """The same for the same fault: the exceptions' types, and of the innermost what it is about.

    That is the schema path for a record that breaks the contract, the SQLSTATE for one that Postgres refuses,
    and for the rest the function that failed.
    """
    chain = list(_chain(error))
    last = chain[-1]
    if reason == "decode":
        about = _VALUES.sub("#", str(last))
    elif isinstance(last, DBAPIError):
        about = getattr(last.orig, "sqlstate", None) or type(last.orig).__name__
    else:
        about = _function(last)
    shape = " ".join((reason, *(type(e).__name__ for e in chain), about))
    return blake2b(_clean(shape).encode(), digest_size=6).hexdigest()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and its causes, outermost first. SQLAlchemy's own cause says the same again."""
    while error is not None:
        yield error
        error = None if isinstance(error, DBAPIError) else error.__cause__


def _told(error: BaseException) -> str:
    # A statement and its parameters stay out of it.
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return _clean(f"{type(error).__name__}: {text[:500]}")


def _function(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_qualname if trace else ""


def _clean(text: str) -> str:
    """What Postgres can store: without NUL and lone surrogates, which come from whoever made the record."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _attempts(headers: Any) -> int:
    """How often a redriven record has failed before; 0 where the header is missing or not ours."""
    text = header(headers, dead_letters.ATTEMPTS) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
