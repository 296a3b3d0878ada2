"""When something still ahead is expected, read from the words and the day of publication.

Expressions are data (`tables/dates.yaml`): a pattern and what it means, either named groups (`year`,
`month`, `day`, `quarter`, `weekday`) or a unit with a shift (`next week`: the week after). Only what is not
past on the day of publication is ahead; a vague word (`soon`) is no date.
"""

import calendar
import re
from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct

from .folding import Folded, Range
from .lexicon import LexiconError
from .patterns import PatternSet

_UNITS = ("day", "week", "month", "quarter", "year", "")


class Expression(Struct, frozen=True, forbid_unknown_fields=True):
    """A way to name a time. `unit` and `shift` say how far from publication it is; `quarter` fixes a part."""

    pattern: str
    unit: str = ""
    shift: int = 0
    quarter: int = 0


class DateTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of months and weekdays (1 is January, 1 is Monday), and the expressions that use them."""

    months: dict[str, int]
    weekdays: dict[str, int]
    expressions: list[Expression]


class Resolved(Struct, frozen=True):
    """A time named in a text: its value as the contract writes it, and the place (folded offsets).

    `later` where all of it comes after the day of publication: tomorrow and next month, not this month.
    """

    value: str
    later: bool
    field: Folded
    start: int
    end: int


class DateReader:
    """The table, ready to read."""

    def __init__(self, table: DateTable) -> None:
        self._months = {name.lower(): number for name, number in table.months.items()}
        self._weekdays = {name.lower(): number for name, number in table.weekdays.items()}
        names = {"MONTH": _alternatives(self._months), "WEEKDAY": _alternatives(self._weekdays)}
        expressions: list[tuple[str, Expression]] = []
        for expression in table.expressions:
            if expression.unit not in _UNITS:
                raise LexiconError(f"lexicon table dates.yaml: unknown unit {expression.unit!r}")
            pattern = expression.pattern
            for name, alternatives in names.items():
                pattern = pattern.replace(name, alternatives)
            expressions.append((pattern, expression))
        try:
            self._expressions = PatternSet(expressions)
        except re.error as error:
            raise LexiconError(f"lexicon table dates.yaml: pattern {error.pattern!r}: {error}") from error

    def read(self, ranges: Sequence[Range], published: date) -> list[Resolved]:
        """Every time still ahead that these ranges of texts name, in their order; the longer reading wins."""
        found: list[Resolved] = []
        if not 1990 <= published.year <= 9900:
            # Nothing is told from a clock that is this wrong, and the contract writes years with four digits.
            return found
        for field, first, last in ranges:
            here = []
            for pattern, expression in self._expressions.possible(field.text[first:last]):
                for match in pattern.finditer(field.text, first, last):
                    if value := self._value(match, expression, published):
                        later = _is_later(value, published)
                        here.append(Resolved(value, later, field, match.start(), match.end()))
            here.sort(key=lambda item: (item.start, -item.end))
            reach = 0
            for item in here:
                if item.start >= reach:
                    found.append(item)
                    reach = item.end
        return found

    def _value(self, match: re.Match[str], expression: Expression, published: date) -> str:
        parts = {name: text for name, text in match.groupdict().items() if text}
        if expression.unit:
            return _shifted(expression, int(parts.get("count", 1)), published)
        if "weekday" in parts:
            ahead = (self._weekdays[parts["weekday"]] - published.isoweekday()) % 7
            return _day(published + timedelta(days=ahead + 7 * expression.shift))
        year = int(parts["year"]) if "year" in parts else 0
        quarter = expression.quarter or int(parts.get("quarter", 0))
        if quarter:
            year = year or published.year + (quarter < _quarter(published))
            return f"{year}-Q{quarter}" if (year, quarter) >= (published.year, _quarter(published)) else ""
        named = parts.get("month", "")
        month = int(named) if named.isdigit() else self._months.get(named, 0)
        if not month:
            return str(year) if published.year <= year <= published.year + 25 else ""
        day = int(parts.get("day", 0))
        return _calendar(year, month, day, published)


def _calendar(year: int, month: int, day: int, published: date) -> str:
    if not 1 <= month <= 12:
        return ""
    passed = (month, day or 31) < (published.month, published.day)
    # A month that has just passed is news of the past, not next year's.
    if not year and passed and (published.month - month) % 12 <= 3:
        return ""
    year = year or published.year + passed
    if not 1 <= year <= 9999 or (day and day > calendar.monthrange(year, month)[1]):
        return ""
    if (year, month, day or 31) < (published.year, published.month, published.day):
        return ""
    return f"{year}-{month:02}-{day:02}" if day else f"{year}-{month:02}"


def _shifted(expression: Expression, count: int, published: date) -> str:
    shift = expression.shift * min(count, 400)
    if expression.unit == "day":
        return _day(published + timedelta(days=shift))
    if expression.unit == "week":
        # A week is not in the contract: it is as precise as its month.
        monday = published + timedelta(days=7 * shift)
        return f"{monday.year}-{monday.month:02}"
    if expression.unit == "month":
        months = published.year * 12 + published.month - 1 + shift
        return f"{months // 12}-{months % 12 + 1:02}"
    if expression.unit == "quarter":
        quarters = published.year * 4 + _quarter(published) - 1 + shift
        return f"{quarters // 4}-Q{quarters % 4 + 1}"
    return str(published.year + shift)


def _is_later(value: str, published: date) -> bool:
    quarter = f"{published.year}-Q{_quarter(published)}"
    return value > (quarter if "Q" in value else published.isoformat()[: len(value)])


def _day(day: date) -> str:
    return day.isoformat()


def _quarter(day: date) -> int:
    return (day.month - 1) // 3 + 1


def _alternatives(names: dict[str, int]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
