"""Amounts that an article states: money, prices, parameters, percentages, tokens, power.

Digits are found by one search; what stands before and behind a number is looked up, word by word, in
`tables/amounts.yaml`. A number without a unit is no amount, so versions, years, names of chips and bare
counts are none. Time grows with the text alone: nothing here looks further than a few words.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from .amount_table import AmountTable, Habits, Unit, Vocabulary
from .folding import Folded, Range, is_inner
from .numerals import NUMBER, decimal, plain, spelled

# A hostile text has no end of numbers and amounts; an article says what it has to say with fewer in a field.
_NUMBERS, _STATED = 2_000, 200
_ENDING_NAMES = tuple("亿億억조")
_TIMES = ("minute", "hour", "day", "week", "month", "year")
# From here on money in a time is a rate (revenue a year) and no price.
_RATE = Decimal(10) ** 6
_MOST = Decimal(10) ** 21
_LARGEST_MODEL = 3_000


class Stated(Struct, frozen=True):
    """An amount as the contract writes it (`schemas.messages.Amount`), and where it is stated."""

    kind: str
    value: str
    high: str | None
    unit: str
    per: str | None
    qualifier: str | None
    places: tuple[Range, ...]


class _Figure(Struct):
    """A number with what belongs to it. `power` is that of its scale, `ahead`: the unit stands before it."""

    start: int
    end: int
    value: Decimal
    power: int | None = None
    unit: Unit | None = None
    ahead: bool = False
    more: bool = False


class AmountReader:
    """The table, ready to read."""

    def __init__(self, table: AmountTable) -> None:
        self._words = Vocabulary(table)

    def read(self, fields: Sequence[Folded], language: str, limit: int) -> list[Stated]:
        """The first `limit` amounts that fields state, in reading order, each once with all its places.

        One that is repeated keeps the qualifier it came with first.
        """
        habits = self._words.habits(language, [field.text for field in fields])
        found: dict[tuple[str | None, ...], Stated] = {}
        for field in fields:
            for stated in self._in(field, habits):
                key = (stated.kind, stated.value, stated.high, stated.unit, stated.per)
                if key in found:
                    found[key] = replace(found[key], places=found[key].places + stated.places)
                elif len(found) < limit:
                    found[key] = stated
        return list(found.values())

    def _in(self, field: Folded, habits: Habits) -> list[Stated]:
        found = self._digits(field, habits) + self._spelled(field, habits)
        if len(found) < 2:
            return found
        found.sort(key=_start)
        apart = found[:1]
        for stated in found[1:]:
            one, gap = apart[-1], field.text[_end(apart[-1]) : _start(stated)]
            if _start(stated) < _end(one):
                continue  # `70 mil millones` is read from its digits
            if gap.strip() == "/" and stated.kind == "price" and one.kind == "money":
                # `$3/$15 per million tokens`
                apart[-1] = replace(one, kind="price", per=stated.per)
            apart.append(stated)
        return apart

    def _digits(self, field: Folded, habits: Habits) -> list[Stated]:
        text, words, at = field.text, self._words, 0
        found: list[Stated] = []
        for _ in range(_NUMBERS):
            number = NUMBER.search(text, at)
            if number is None or len(found) == _STATED:
                break
            start, at = number.span()
            # Most numbers count nothing of ours: that is told first, and cheaply.
            if not (
                words.behind(text, at) or words.unit_before(text, start, habits) or words.links(text, at)
            ):
                continue
            figure = self._number(field, start, at, habits)
            if figure is not None:
                at = figure.end
                if (stated := self._stated(field, figure, habits)) is not None:
                    at = _end(stated)
                    found.append(stated)
        return found

    def _spelled(self, field: Folded, habits: Habits) -> list[Stated]:
        reached = 0
        found: list[Stated] = []
        numbers = spelled(field.text, habits.language, self._words.numbers, self._words.vague)
        for start, end, value in islice(numbers, _NUMBERS):
            if start < reached or (value == 1 and self._plural(field.text, end + 1)):
                continue
            figure = self._figure(field, start, end, value, habits)
            if figure and (stated := self._stated(field, figure, habits)) is not None:
                reached = _end(stated)
                found.append(stated)
                if len(found) == _STATED:
                    break
        return found

    def _plural(self, text: str, at: int) -> bool:
        """Whether a scale in the plural begins here (`a millones` is no million)."""
        scale = self._words.scales.at(text, at)
        return scale is not None and text[at : scale[0]].endswith(("s", "en", "i"))

    def _number(self, field: Folded, start: int, end: int, habits: Habits) -> _Figure | None:
        """The figure around digits; a plain space between groups is kept where the language writes it."""
        text = field.text
        raw = text[start:end]
        # No number begins with the zero of `10 000`.
        if " " in raw and " 0" not in raw and not habits.spaces and " " in _original(field, start, end):
            if self._words.unit_before(text, start, habits):
                end = text.index(" ", start)
            else:
                start = text.rindex(" ", start, end) + 1
        value = decimal(text[start:end], comma=habits.comma, either=habits.either)
        return None if value is None else self._figure(field, start, end, value, habits)

    def _figure(
        self, field: Folded, start: int, end: int, value: Decimal, habits: Habits, *, second: bool = False
    ) -> _Figure | None:
        """A number with its scale and unit; None where it belongs to a name or a longer number."""
        text, words = field.text, self._words
        figure = _Figure(start, end, value)
        if (ahead := words.unit_before(text, start, habits)) is not None:
            figure.start, figure.unit = ahead
            figure.ahead = True
        named = False
        if start and not figure.ahead and not second:
            if text[start - 1] in ".×*#_^":
                return None
            # `Meta8亿美元`: where no name can go on, no space is needed.
            if is_inner(text, start - 1) and not (
                text[start - 1].isalpha() and text[end : end + 1] in _ENDING_NAMES
            ):
                return None
            named = text[start - 1] == "-" and is_inner(text, start - 2)
        if text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit():
            return None
        self._measure(field, figure, habits)
        if figure.end == end and is_inner(text, end):
            return None
        if figure.unit is None and self._is_size(field, figure, end, named=named):
            figure.unit = words.parameters
        elif named:
            return None
        return figure

    def _measure(self, field: Folded, figure: _Figure, habits: Habits) -> None:
        """Take in scale and unit behind a number."""
        text, words = field.text, self._words
        behind = words.behind(text, figure.end)
        if behind is None:
            return
        more, scale, over, unit, bare = behind.groups()
        if scale:
            if words.is_other(text, behind.start("scale")):
                return
            figure.power = words.power(scale, figure.value, habits)
        if more or over:
            figure.more = True
        if scale or (figure.ahead and figure.more):
            figure.end = max(behind.end("scale"), behind.end("over"), behind.end("more"))
        if scale and unit is None and (rest := self._compound(text, figure, habits)) is not None:
            behind, unit, bare = rest, rest["unit"], rest["bare"]
        word = unit or bare
        if word is None:
            return
        end = behind.end()
        start = end - len(word)
        found = words.unit(word, habits, scaled=figure.power is not None)
        if found is None or words.is_other(text, start):
            return
        if figure.unit is not None and not figure.unit.kind == found.kind == "money":
            return
        if word[-1] < "\u1100" and text[end : end + 1].isdigit():
            return  # `1%20`
        if found.kind == "power" and word in ("mw", "gw") and not _original(field, start, end).isupper():
            return
        if found.kind == "tokens" and words.leads.before(text, figure.start):
            return
        figure.unit, figure.end = found, end

    def _compound(self, text: str, figure: _Figure, habits: Habits) -> re.Match[str] | None:
        """Take in what follows a Chinese or Korean scale and is smaller (`1조 2000억`, `3억5천만`)."""
        at = figure.end
        if text[at - 1] < "\u1100":
            return None
        number = NUMBER.match(text, at + 1 if text[at : at + 1] == " " else at)
        rest = number and decimal(number[0], comma=False)
        if number is None or rest is None or figure.power is None:
            return None
        behind = self._words.behind(text, number.end())
        if behind is None or not (behind["scale"] or behind["bare"]):
            return None
        part = rest.scaleb(self._words.power(behind["scale"], rest, habits) if behind["scale"] else 0)
        if part >= Decimal(10) ** figure.power:
            return None
        figure.value, figure.power, figure.end = figure.value.scaleb(figure.power) + part, 0, behind.end()
        return behind

    def _is_size(self, field: Folded, figure: _Figure, end: int, *, named: bool) -> bool:
        """Whether a bare figure is the size of a model (`405B`)."""
        text, words = field.text, self._words
        if text[end : figure.end] != "b" or not 0 < figure.value <= _LARGEST_MODEL:
            return False
        if _original(field, end, figure.end) != "B" and not named:
            return False
        after = figure.end + 1 if text[figure.end : figure.end + 1] in " -" else figure.end
        return not words.not_after.at(text, after) and not words.not_before.before(text, figure.start)

    def _second(self, field: Folded, first: _Figure, habits: Habits) -> _Figure | None:
        """The upper end of a range that begins with a figure."""
        text, words = field.text, self._words
        if words.links(text, first.end) is None:
            return None
        link = words.to.at(text, first.end)
        if link is None and words.between.before(text, first.start):
            link = words.both.at(text, first.end)
        if link is None:
            return None
        ahead = words.ahead.at(text, link[0])
        at = ahead[0] if ahead else link[0]
        number = NUMBER.match(text, at + 1 if ahead and text[at : at + 1] == " " else at)
        value = number and decimal(number[0], comma=habits.comma, either=habits.either)
        if number is None or value is None:
            return None
        other = self._figure(field, *number.span(), value, habits, second=True)
        if other is None or (first.unit and other.unit and not _alike(first.unit, other.unit)):
            return None
        if first.unit is None and other.unit is words.parameters and text[other.end - 1] == "b":
            return None  # `Llama 3-405B`
        if first.unit is None or other.unit is None:
            tight = link[0] - first.end == 1
            year = first.power is None and 1990 <= first.value <= 2040
            # `$5 to 10 people` is no range, `2024-25 %` neither.
            if (other.unit is None and not (tight or other.power is not None)) or (year and not first.unit):
                return None
        elif words.starting.before(text, first.start):
            return None
        unit = other.unit or first.unit
        power = first.power if first.power is not None else other.power
        if unit is None or first.value.scaleb(power or 0) >= other.value.scaleb(other.power or 0):
            return None
        first.power, first.unit, other.unit = power, unit, unit
        return other

    def _stated(self, field: Folded, figure: _Figure, habits: Habits) -> Stated | None:
        text, words = field.text, self._words
        other = self._second(field, figure, habits)
        unit, last = figure.unit, other or figure
        if unit is None:
            return None
        value, high = (each.value.scaleb((each.power or 0) + unit.exponent) for each in (figure, last))
        if high >= _MOST:
            return None
        start, end, per = figure.start, last.end, None
        if text[end : end + 1] == "+":
            end, last.more = end + 1, True
        qualifier = "over" if last.more else None
        after = words.after.at(text, end + 1 if text[end : end + 1] == " " else end)
        if after and after[1] != "exact":
            end, qualifier = after
        before = words.before.before(text, start)
        if before and before[1] != "exact":
            start, qualifier = before
        if unit.kind == "money":
            if found := words.per_after(text, end):
                end, per = found
            elif found := words.per_before(text, start):
                start, per = found
        return Stated(
            kind="price" if per and not (per in _TIMES and value >= _RATE) else unit.kind,
            value=plain(value),
            high=plain(high) if other else None,
            unit=unit.unit,
            per=per,
            qualifier=qualifier,
            places=((field, start, end),),
        )


def _alike(one: Unit, other: Unit) -> bool:
    return (one.unit, one.exponent) == (other.unit, other.exponent)


def _start(stated: Stated) -> int:
    return stated.places[0][1]


def _end(stated: Stated) -> int:
    return stated.places[0][2]


def _original(field: Folded, start: int, end: int) -> str:
    first, last = field.back(start, end)
    return field.original[first:last]
