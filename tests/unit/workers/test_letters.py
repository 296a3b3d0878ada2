"""Dead letters of hostile records, and which faults are the same."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy.exc import DataError

from pipeline.workers.flood import COUNT, WINDOW, Flood
from pipeline.workers.letters import CHAIN, fingerprint, letter
from schemas.codec import ContractError, decode, encode
from schemas.topics import ARTICLES, topics

TOPIC = topics()[ARTICLES]


@dataclass(frozen=True)
class Record:
    timestamp: int = 0
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    key: bytes | None = b"\xff\0"
    value: bytes | None = b"\0\xff"
    topic: str = "t"
    partition: int = 1
    offset: int = 2


def raised(make: Callable[[], object]) -> Exception:
    try:
        make()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def undecoded(value: bytes) -> Exception:
    return raised(lambda: decode(TOPIC, (), value))


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (-1, datetime(1970, 1, 1, tzinfo=UTC)),
        (2**63 - 1, datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (1000, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_its_bytes_are_kept_and_it_can_be_stored_and_read(timestamp: int, expected: datetime) -> None:
    given = Record(timestamp, [("a\0\ud800", None), ("racewire-attempts", b"4"), ("h", b"\xff")])
    found = letter(given, "process", ValueError("a\0\udfff"), "classifier", "v1")
    assert found.timestamp == expected
    assert (found.key, found.value, found.attempts) == (given.key, given.value, 5)
    assert found.headers[0].key == "a\ufffd?"
    assert found.headers[2].value == b"\xff"
    assert found.errors == ["ValueError: a\ufffd?"]
    again = decode(topics()[f"{ARTICLES}.dead-letters"], (), encode(found))
    assert again == found


@pytest.mark.parametrize("said", [b"many", b"-1", b"\xff", b"9999999", "٣".encode(), None])
def test_attempts_that_are_no_number_of_ours_are_none(said: bytes | None) -> None:
    given = Record(headers=[("racewire-attempts", said)])
    assert letter(given, "decode", ValueError(), "w", "v").attempts == 1


def test_a_chain_is_told_outermost_first_and_to_an_end() -> None:
    error = ValueError("0")
    for n in range(1, 50):
        outer = ValueError(str(n))
        outer.__cause__ = error
        error = outer
    told = letter(Record(), "process", error, "w", "v").errors
    assert told == [f"ValueError: {n}" for n in range(49, 49 - CHAIN, -1)]


def test_a_statement_and_its_parameters_are_not_told() -> None:
    error = DataError("INSERT secret", {"x": "secret"}, psycopg.DataError("bad\nvalue"))
    assert letter(Record(), "write", error, "w", "v").errors == ["DataError: bad\nvalue"]


def test_the_same_fault_has_the_same_fingerprint() -> None:
    def fail(text: str) -> object:
        raise ValueError(text)

    def other(text: str) -> object:
        raise ValueError(text)

    broken = [undecoded(b'{"article_id": 7}'), undecoded(b'{"title": 7}'), undecoded(b"{")]
    kinds = {
        *(fingerprint("decode", e) for e in broken),
        fingerprint("decode", undecoded(b'{"article_id": 12345678}')),  # as the first
        fingerprint("decode", undecoded(b'{"a": 1, "article_id": 8}')),
        fingerprint("process", raised(lambda: fail("a"))),
        fingerprint("process", raised(lambda: fail("b"))),  # the same place
        fingerprint("process", raised(lambda: other("a"))),
        fingerprint("write", raised(lambda: fail("a"))),
        fingerprint("write", DataError("x", None, psycopg.errors.NumericValueOutOfRange())),
        fingerprint("write", DataError("y", None, psycopg.errors.NumericValueOutOfRange("z"))),
        fingerprint("write", DataError("x", None, psycopg.errors.UniqueViolation())),
    }
    assert len(kinds) == 3 + 2 + 1 + 2


def test_values_of_a_record_make_no_new_fingerprints() -> None:
    kinds = [ContractError(f"t: event type {kind!r}, this reader knows 'x'") for kind in ("a'b", 'c"', "7")]
    assert len({fingerprint("decode", e) for e in kinds}) == 1


@pytest.mark.parametrize(
    ("good", "bad", "flood"),
    [
        (0, COUNT, True),
        (0, COUNT - 1, False),
        (WINDOW, COUNT, False),  # many, and a small share
        (WINDOW, 200, True),
        (10, 9, False),  # a large share of few
    ],
)
def test_a_flood_is_many_and_a_large_share(good: int, bad: int, flood: bool) -> None:
    seen = Flood()
    seen.add([False] * good)
    seen.add([True] * bad)
    assert bool(seen) is flood


def test_one_in_a_hundred_is_never_a_flood() -> None:
    seen = Flood()
    for _ in range(100_000 // 100):
        seen.add([False] * 99 + [True])
        assert not seen
