"""From the dates that an entry gives to one moment in UTC and how precise it is."""

import re
from calendar import month_abbr, timegm
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

# feedparser reads the standard ones. Of these two kinds it reads the first as the first of the
# month, and the second not at all.
_NUMERIC_DATE = re.compile(
    r"(?P<year>\d{4})\s*[/.年]\s*(?P<month>\d{1,2})\s*[/.月]\s*(?P<day>\d{1,2})日?"
    r"(?:[\sT]*(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?)?(?:\s*(?P<zone>[+-]\d\d)(?::?\d\d)?)?"
)
_LOOSE_DATE = re.compile(
    r"(?P<day>\d{1,2})\s+(?P<month>[A-Z][a-z]{2})[a-z]*\.?\s+(?P<year>\d{4})"
    r"(?:\s+(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?)?(?:\s+(?:GMT|UTC)?(?P<zone>[+-]\d{1,2})\b)?"
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_YEAR_MONTH = re.compile(r"\d{4}(-\d{2})?$")
_MONTHS = list(month_abbr)[1:]


def published(dated: Iterable[tuple[object, Any]]) -> tuple[datetime | None, str]:
    """When an entry says it was published, in UTC, and how precisely.

    `dated` are its dates, the one that counts first: as written, and as feedparser read it, or None.
    """
    for value, parsed in dated:
        raw = str(value or "").strip()
        for moment in _readings(parsed, raw):
            # Before the web there were no feeds: an epoch's zero or a year 1 is a missing date.
            if moment.year >= 1990:
                return moment, _precision(raw)
    return None, "observed"


def _readings(parsed: Any, raw: str) -> Iterator[datetime]:
    """What a date may mean, the likeliest first."""
    with suppress(ValueError, OverflowError):  # a day that no calendar has
        if (found := _NUMERIC_DATE.match(raw)) is not None:
            yield _moment(found.groupdict())
    with suppress(ValueError, OverflowError):
        if parsed is not None:
            yield datetime.fromtimestamp(timegm(parsed), UTC)
    with suppress(ValueError, OverflowError):
        if (found := _LOOSE_DATE.search(raw)) is not None:
            yield _moment(found.groupdict())
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(raw)
        yield (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _moment(part: Mapping[str, str | None]) -> datetime:
    month = str(part["month"])
    return datetime(
        int(part["year"] or 0),
        _MONTHS.index(month) + 1 if month.isalpha() else int(month),
        int(part["day"] or 0),
        int(part["hour"] or 0),
        int(part["minute"] or 0),
        int(part["second"] or 0),
        tzinfo=timezone(timedelta(hours=int(part["zone"] or 0))),
    ).astimezone(UTC)


def _precision(raw: str) -> str:
    if _CLOCK.search(raw):
        return "second"
    short = _YEAR_MONTH.match(raw)
    if short is not None:
        return "month" if short[1] else "year"
    return "day"
