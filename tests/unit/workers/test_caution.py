"""After a death: all that the dead reader had in hand is done alone, and little else."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.workers.caution import FEW, MOST, Caution

starts = st.integers(0, 10_000)


def alone(reach: int, start: int) -> int:
    """How many of the records from `start` on are done alone."""
    caution, offset = Caution(reach), start
    while caution.covers(offset):
        caution.survived()
        offset += 1
    return offset - start


@given(starts, st.integers(FEW + 1, MOST))
def test_what_many_were_in_hand_is_done_alone_and_no_more(start: int, many: int) -> None:
    assert alone(start + many, start) == many


@given(starts, st.integers(0, FEW), starts)
def test_a_few_are_done_alone_whatever_was_in_hand_before(start: int, few: int, ago: int) -> None:
    assert alone(max(0, start - ago), start) == FEW >= few


@given(starts, st.integers(MOST, 100_000))
def test_a_reset_far_behind_the_mark_is_not_done_alone_for_ever(start: int, far: int) -> None:
    assert alone(start + far, start) == MOST


def test_a_record_that_is_not_done_is_still_to_be_done_alone() -> None:
    caution = Caution(0)
    assert all(caution.covers(7) for _ in range(2 * FEW))
