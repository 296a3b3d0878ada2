"""Batches by count, bytes and time; kept and dropped; never longer than their worker may be silent."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.gathering import BATCH_SECONDS, FIRST, IDLE_SECONDS, Batch, Gathering, Limits


@dataclass(frozen=True)
class Record:
    offset: int
    partition: int = 0
    value: bytes | None = b"12345"
    key: bytes | None = None
    topic: str = "t"
    serialized_key_size: int = 0
    serialized_header_size: int = 0

    @property
    def serialized_value_size(self) -> int:
        return len(self.value or b"")


def records(number: int, **fields: int) -> list[Record]:
    return [Record(n, **fields) for n in range(number)]


def offsets(batch: Batch | None) -> list[int]:
    assert batch is not None
    return [r.offset for r in batch.records]


def test_positions_are_the_next_offsets_of_each_partition() -> None:
    assert Batch([Record(4), Record(7), Record(0, 1)]).positions == {("t", 0): 8, ("t", 1): 1}


def test_a_full_batch_is_due_at_once_and_a_small_one_after_its_time() -> None:
    waiting = Gathering(Limits(count=3, seconds=1))
    assert waiting.take(0) is None
    assert waiting.patience(0) == IDLE_SECONDS
    waiting.add(records(2), 10)
    assert waiting.take(10.5) is None
    assert waiting.patience(10.25) == 0.75
    assert offsets(waiting.take(11)) == [0, 1]
    waiting.add(records(4), 20)
    assert waiting.ready
    assert waiting.patience(20) == 0
    assert offsets(waiting.take(20)) == [0, 1, 2]
    assert not waiting.ready
    assert offsets(waiting.take(21)) == [3]


def test_two_batches_are_enough_and_the_second_one_lies_ahead_of_the_first() -> None:
    waiting = Gathering(Limits(count=3, size=40))
    waiting.add(records(5), 0)
    assert not waiting.full
    waiting.add([Record(n) for n in range(5, 8)], 0)
    assert waiting.full
    batch = waiting.take(0)
    assert batch
    assert [r.offset for r in batch.ahead] == [3, 4, 5]
    assert offsets(waiting.take(0)) == [3, 4, 5]
    waiting.add([Record(8, value=b"x" * 70)], 0)
    assert waiting.full  # of bytes
    batch = waiting.take(0)
    assert batch
    assert [r.offset for r in batch.ahead] == [8]
    waiting.put_back(batch)
    waiting.drop({("t", 0)})
    assert waiting.take(0) is None


def test_bytes_end_a_batch_but_one_record_always_goes() -> None:
    waiting = Gathering(Limits(size=12))
    waiting.add([Record(0, value=b"x" * 100), *(Record(n) for n in range(1, 4))], 0)
    assert waiting.ready
    assert offsets(waiting.take(0)) == [0]
    assert offsets(waiting.take(0)) == [1, 2]
    assert waiting.take(0) is None
    waiting.add([Record(9, serialized_key_size=1, value=None, serialized_header_size=8)], 0)
    assert waiting.ready


def test_what_is_put_back_comes_first_and_what_is_revoked_does_not_come() -> None:
    waiting = Gathering(Limits(count=2))
    waiting.add([Record(0), Record(0, 1), Record(1), Record(1, 1)], 0)
    batch = waiting.take(0)
    assert batch
    waiting.put_back(batch)
    waiting.drop({("t", 0)})
    again = waiting.take(0)
    assert again
    assert [(r.partition, r.offset) for r in again.records] == [(1, 0), (1, 1)]


def test_a_slow_worker_gets_small_batches() -> None:
    waiting = Gathering(Limits(count=1000))
    waiting.add(records(1000), 0)
    assert len(offsets(waiting.take(0))) == FIRST
    waiting.learn(FIRST, 1)
    assert len(offsets(waiting.take(0))) == 2 * FIRST  # what fits would be more: no more than double
    waiting.learn(100, 100)
    assert len(offsets(waiting.take(0))) == BATCH_SECONDS
    waiting.learn(1, 60)
    assert len(offsets(waiting.take(0))) == 1
    waiting.learn(1, 0)
    assert len(offsets(waiting.take(0))) == 2


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9), st.floats(0, 50)), max_size=20))
def test_every_record_comes_once_and_in_order(steps: list[tuple[int, int, float]]) -> None:
    waiting, seen, given_out = Gathering(Limits(count=20, size=60)), [], 0
    for number, fails, seconds in steps:
        waiting.add([Record(given_out + n) for n in range(number)], 0)
        given_out += number
        while batch := waiting.take(1):
            if fails:
                fails -= 1
                waiting.put_back(batch)
                continue
            assert len(batch.records) <= 20
            waiting.learn(len(batch.records), seconds)
            seen += offsets(batch)
    assert seen == list(range(given_out))
