"""What servers and feeds say of how often they want to be asked: read here, obeyed in `cadence`. Pure.

All of it is hostile input: what cannot be read is no hint, and `cadence` bounds what can.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pipeline.feeds.values import Hints

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]+)", re.IGNORECASE)
_NOT_FRESH = re.compile(r"(?:^|,)\s*no-(?:cache|store)\b", re.IGNORECASE)
_NUMBER = re.compile(rb"<hour>\s*([0-9]{1,2})\s*</hour\s*>", re.IGNORECASE)
_NAME = re.compile(rb"<day>\s*([a-z]{2,9})\s*</day\s*>", re.IGNORECASE)
_DAYS = (b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday")
_LONGEST_LIST = 2_000  # bytes: 24 hours take 500


def retry_after(value: str, now: datetime) -> float | None:
    """The seconds of a `Retry-After` header, which holds a number or a date."""
    if value.strip().isdecimal():
        return float(value)
    moment = _moment(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def fresh_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """For how many seconds an answer stays fresh, by `Cache-Control: max-age`, else `Expires`."""
    control = headers.get("cache-control", "")
    if _NOT_FRESH.search(control):
        return None
    if (found := _MAX_AGE.search(control)) is not None:
        age = headers.get("age", "")
        return max(0.0, float(found[1]) - (float(age) if age.isdecimal() else 0.0))
    expires = _moment(headers.get("expires", ""))
    if expires is None:
        return None
    # By the server's clock, which may be off.
    return max(0.0, (expires - (_moment(headers.get("date", "")) or now)).total_seconds())


def of_channel(document: bytes, ttl: str) -> Hints:
    """The hints of an RSS document in UTF-8; `ttl` as the parser gave it. Hours and days are in UTC."""
    minutes = int(ttl) if ttl.isdecimal() and len(ttl) <= 6 else 0
    hours = {int(number) % 24 for number in _NUMBER.findall(_inside(document, b"skipHours"))}
    days = {name.lower() for name in _NAME.findall(_inside(document, b"skipDays"))}
    return Hints(
        ttl=timedelta(minutes=minutes) if minutes else None,
        skip_hours=frozenset(hours),
        skip_days=frozenset(number for number, name in enumerate(_DAYS) if name in days),
    )


def _inside(document: bytes, tag: bytes) -> bytes:
    """What is in the first element of that name, which feedparser does not read; cut off where too long."""
    _, found, rest = document.partition(b"<" + tag + b">")
    return rest[:_LONGEST_LIST].partition(b"</" + tag)[0] if found else b""


def _moment(value: str) -> datetime | None:
    """An HTTP date; None where it is none. One without a zone is none."""
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None
