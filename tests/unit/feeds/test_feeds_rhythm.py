"""What a feed's times of posting teach."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.rhythm import is_silent, learn, until
from pipeline.feeds.values import Rhythm

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def every(step: timedelta, count: int) -> list[datetime]:
    return [MONDAY + step * n for n in range(count)]


def office(weeks: int) -> list[datetime]:
    """Eight posts a working day, from eight to four."""
    days = (MONDAY + DAY * n for n in range(7 * weeks))
    return [day + HOUR * hour for day in days if day.weekday() < 5 for hour in range(8, 16)]


def learned(moments: Iterable[datetime]) -> Rhythm:
    return learn(Rhythm(), moments)


def test_silence_is_measured_by_the_feeds_own_rhythm() -> None:
    for step, normal, silent in [(DAY, 3 * DAY, 7 * DAY), (7 * DAY, 21 * DAY, 60 * DAY)]:
        rhythm = learned(every(step, 40))
        assert rhythm.last is not None
        assert not is_silent(rhythm, rhythm.last + normal)
        assert is_silent(rhythm, rhythm.last + silent)


def test_a_weekend_is_no_silence_for_an_office_and_a_working_day_is() -> None:
    rhythm = learned(office(8))
    friday = rhythm.last
    assert friday is not None
    assert not is_silent(rhythm, friday + 2.6 * DAY)
    assert is_silent(rhythm, friday + 3.8 * DAY)
    steady = learned(every(timedelta(hours=4.2), 320))  # as many posts, at all hours
    assert steady.last is not None
    assert is_silent(steady, steady.last + 2.6 * DAY)


def test_few_events_and_short_silences_raise_no_alarm() -> None:
    assert not is_silent(learned(every(HOUR, 4)), MONDAY + 999 * DAY)
    busy = learned(every(timedelta(minutes=10), 400))
    assert busy.last is not None
    assert not is_silent(busy, busy.last + 23 * HOUR)
    assert is_silent(busy, busy.last + 25 * HOUR)


def test_by_chance_alone_hardly_any_gap_is_called_silence() -> None:
    random = Random(7)  # noqa: S311
    rhythm, alarms, moment = Rhythm(), 0, MONDAY
    for _ in range(2_000):
        moment += DAY * random.expovariate(1)
        alarms += is_silent(rhythm, moment)
        rhythm = learn(rhythm, [moment])
    assert alarms < 40  # 1 %, and chance


def test_the_next_event_is_awaited_at_the_hours_of_the_feed() -> None:
    rhythm = learned(office(8))
    friday = rhythm.last
    assert friday is not None
    morning = until(rhythm, friday + 2 * DAY + 17 * HOUR, 0.5, 12 * HOUR)
    night = until(rhythm, friday + HOUR, 0.5, 12 * HOUR)
    assert morning is not None
    assert night is not None
    assert morning < 2 * HOUR < 10 * HOUR < night


def test_the_wait_grows_with_the_silence_and_nothing_is_claimed_of_a_new_feed() -> None:
    rhythm = learned(every(HOUR, 100))
    assert rhythm.last is not None
    waits = [until(rhythm, rhythm.last + DAY * days, 0.5, 12 * HOUR) for days in (0, 7, 70)]
    assert waits[0] is not None
    assert waits[1] is not None
    assert waits[2] is not None
    assert waits[0] < waits[1] < waits[2]
    assert until(Rhythm(), MONDAY, 0.5, HOUR) is None


def test_a_batch_counts_once() -> None:
    batch = [MONDAY + timedelta(seconds=n) for n in range(50)]
    assert learned([*batch, MONDAY + HOUR]).events == 1


@given(st.lists(MOMENTS, max_size=30), MOMENTS)
def test_any_moments_give_a_rhythm_with_an_answer(moments: list[datetime], now: datetime) -> None:
    rhythm = learned(moments)
    assert rhythm.last is None or rhythm.last in moments
    assert learn(rhythm, moments) == rhythm
    is_silent(rhythm, now)
    wait = until(rhythm, now, 0.5, DAY)
    assert wait is None or timedelta() <= wait <= DAY
