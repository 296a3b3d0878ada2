"""Restarts: at once for a passing trouble, with growing pauses, and not for ever."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.stack.policy import FIRST_PAUSE, MOST, WINDOW, Deaths


def after(*times: float) -> Deaths:
    deaths = Deaths()
    for time in times:
        deaths = deaths.another(time)
    return deaths


def test_pauses_double_until_it_is_given_up() -> None:
    pauses = [after(*range(1, count + 1)).pause() for count in range(1, MOST + 2)]
    assert pauses == [FIRST_PAUSE * 2**n for n in range(MOST)] + [None]


def test_an_old_death_is_forgiven() -> None:
    assert after(0, 1, 2, 2 + WINDOW).pause() == FIRST_PAUSE


@given(st.lists(st.floats(WINDOW, 10 * WINDOW), max_size=50))
def test_one_that_dies_rarely_is_never_given_up(gaps: list[float]) -> None:
    now, deaths = 0.0, Deaths()
    for gap in gaps:
        now += gap + 1e-6
        deaths = deaths.another(now)
        assert deaths.pause() == FIRST_PAUSE


@given(st.lists(st.floats(0, WINDOW / (MOST + 2)), min_size=MOST + 1, max_size=20))
def test_one_that_keeps_dying_is_always_given_up(gaps: list[float]) -> None:
    now, deaths = 0.0, Deaths()
    for gap in gaps:
        now += gap
        deaths = deaths.another(now)
    assert deaths.pause() is None
