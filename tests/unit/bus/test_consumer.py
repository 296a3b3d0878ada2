"""Where a partition is read from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.consumer import start_at


@pytest.mark.parametrize(
    ("stored", "committed", "expected", "why"),
    [
        (None, None, 10, "new to this group"),
        (50, 50, 50, "continues"),
        (50, None, 50, "continues"),  # Kafka forgot the group; the store did not
        (50, 30, 30, "replays"),  # an operator's reset, or a crash between the store's commit and Kafka's
        (50, 70, 50, "restored"),  # an older database was restored
        (None, 70, 10, "all over"),  # a new database
        (5, 5, 10, "continues"),  # retention deleted what was not yet read
        (5, 3, 10, "replays"),
        (500, 500, 10, "another topic"),  # the topic was made anew
        (500, None, 10, "another topic"),
    ],
)
def test_start(stored: int | None, committed: int | None, expected: int, why: str) -> None:
    target, reason = start_at(stored, committed, first=10, end=100)
    assert target == expected
    assert why in reason


offsets = st.none() | st.integers(0, 200)


@given(offsets, offsets, st.integers(0, 100), st.integers(0, 100))
def test_nothing_that_the_store_has_not_seen_is_skipped(
    stored: int | None, committed: int | None, first: int, length: int
) -> None:
    end = first + length
    target, _ = start_at(stored, committed, first, end)
    assert first <= target <= end
    if stored is None or stored > end:
        assert target == first
    else:
        assert target <= max(stored, first)
