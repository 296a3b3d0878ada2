"""A feed's rhythm, learned from when its articles appeared: is it silent, when is the next one due? Pure.

A Poisson process whose rate is unknown and whose time passes faster at the weekdays and hours (UTC) at which
the feed posts. After `events` in an `exposure`, the chance of none in a silence of T is
`(exposure / (exposure + T)) ** events`: few events give little certainty, and no alarm.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from pipeline.feeds.values import Rhythm

# What appears within this time counts once: an editor's batch is one event.
TOGETHER = timedelta(minutes=5)
# Each event fades the older ones: the rate is that of the last hundred or so. Weekdays and hours fade with
# time, since a hundred events can be one busy day.
FADE = 0.99
HALF_LIFE = timedelta(weeks=8)
# With fewer events nothing is claimed, and no silence shorter than a day is anybody's concern: of many gaps a
# day, one in a hundred is longer than 99 % of them.
ENOUGH = 5
SHORTEST_SILENCE = timedelta(days=1)
UNLIKELY = 0.01

# Added to each weekday's and hour's count: nothing is impossible for not having been seen yet.
_UNSEEN = 0.25

_HOUR = timedelta(hours=1)
_WEEK = timedelta(days=7)


def learn(rhythm: Rhythm, moments: Iterable[datetime]) -> Rhythm:
    """The rhythm after new articles at these moments; those before its last event teach nothing."""
    for moment in sorted(moments):
        if rhythm.last is None:
            rhythm = replace(rhythm, last=moment)
        elif moment - rhythm.last >= TOGETHER:
            fade = 0.5 ** ((moment - rhythm.last) / HALF_LIFE)
            rhythm = Rhythm(
                last=moment,
                events=rhythm.events * FADE + 1,
                exposure=rhythm.exposure * FADE + _passed(rhythm, rhythm.last, moment),
                weekdays=_counted(rhythm.weekdays, fade, moment.weekday()),
                hours=_counted(rhythm.hours, fade, moment.hour),
            )
    return rhythm


def is_silent(rhythm: Rhythm, now: datetime) -> bool:
    """Whether the time since the last event is longer than this feed's chance explains."""
    if rhythm.last is None or rhythm.events < ENOUGH or now - rhythm.last < SHORTEST_SILENCE:
        return False
    silence = _passed(rhythm, rhythm.last, now)
    chance: float = (rhythm.exposure / (rhythm.exposure + silence)) ** rhythm.events
    return chance < UNLIKELY


def until(rhythm: Rhythm, now: datetime, expected: float, longest: timedelta) -> timedelta | None:
    """How long until so many events are to be expected, at most `longest`; None where too little is known.

    The longer the silence, the lower the rate that explains it.
    """
    if rhythm.last is None or rhythm.events < ENOUGH:
        return None
    rate = rhythm.events / (rhythm.exposure + _passed(rhythm, rhythm.last, now))
    for start, end in _hours(now, now + longest):
        due = rate * _pace(rhythm, start) * ((end - start) / _HOUR)
        if due >= expected:
            return start - now + (end - start) * (expected / due)
        expected -= due
    return longest


def _passed(rhythm: Rhythm, start: datetime, end: datetime) -> float:
    """Hours between two moments as this feed's clock counts them; a week has 168 by any clock."""
    if end <= start:
        return 0.0
    weeks = (end - start) // _WEEK
    rest = (_pace(rhythm, a) * ((b - a) / _HOUR) for a, b in _hours(start + weeks * _WEEK, end))
    return weeks * (_WEEK / _HOUR) + sum(rest)


def _hours(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time from `start` to `end`, cut at full hours."""
    while start < end:
        cut = min(end, start.replace(minute=0, second=0, microsecond=0) + _HOUR)
        yield start, cut
        start = cut


def _pace(rhythm: Rhythm, at: datetime) -> float:
    """How fast the feed's clock goes at that weekday and hour: 1 on average over a week."""
    return _share(rhythm.weekdays, at.weekday()) * _share(rhythm.hours, at.hour)


def _share(counts: tuple[float, ...], index: int) -> float:
    return len(counts) * (counts[index] + _UNSEEN) / (sum(counts) + len(counts) * _UNSEEN)


def _counted(counts: tuple[float, ...], fade: float, index: int) -> tuple[float, ...]:
    return tuple(round(count * fade, 6) + (place == index) for place, count in enumerate(counts))
