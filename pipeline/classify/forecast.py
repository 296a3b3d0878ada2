"""When the main development is expected: the time that the words of a text tie to what is still to come."""

from collections.abc import Iterable, Sequence
from datetime import date

from schemas.messages import Forecast

from .dates import DateReader, Resolved
from .evidence import spans
from .folding import Folded
from .matcher import Hit
from .passages import around
from .signals import Place
from .spotting import Cue

# The statuses of what is still to come, and the signals that tie a date in their sentence to it. What has
# happened may have more to come (a deal that closes next year): later than the news, and said so plainly.
_AHEAD = ("rumoured", "announced", "delayed")
_PLAIN = ("ahead", "delay", "future", "leak", "plan", "rumour", "withdraw")
_TIMED = (*_PLAIN, "hedge", "release-verb")


def expected(
    reader: DateReader,
    fields: Iterable[Folded],
    cues: Iterable[Hit[Cue]],
    published: date,
    status: str,
    *,
    planned: bool,
    most: int,
) -> Forecast | None:
    """The time that an article of this status names, None if none; `planned` if its title names a plan.

    It has at most so many spans.
    """
    coming = status in _AHEAD or (planned and status != "denied")
    if not coming and status != "happened":
        return None
    signals = _TIMED if coming else _PLAIN
    ahead = [(hit.field, hit.start, hit.end) for hit in cues if hit.payload.signal in signals]
    found = [time for field in fields for time in reader.read(around(field, ahead), published)]
    near = [time for time in found if (coming or time.later) and _tied(time, ahead)]
    if not near:
        return None
    # A delay names the old time and the new one. Otherwise the first counts, as precise as it gets.
    main = max(near, key=lambda time: time.value) if status == "delayed" else near[0]
    best = max(near, key=lambda time: (time.value.startswith(main.value), len(time.value)))
    places = [(time.field, time.start, time.end) for time in near if best.value.startswith(time.value)]
    return Forecast(value=best.value, spans=spans(places[:most]))


def _tied(time: Resolved, places: Sequence[Place]) -> bool:
    """Whether one of these places stands in the sentence of a time."""
    return any(_together(time, place) for place in places)


def _together(time: Resolved, place: Place) -> bool:
    field, start, end = place
    if field.field != time.field.field:
        return False
    first, last = sorted([(start, end), (time.start, time.end)])
    return field.sentence_end(min(first[1], last[0]), last[0] + 1) >= last[0]
