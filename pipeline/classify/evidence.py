"""The article's own words that carry a label: from places in folded fields to spans of the original ones."""

from collections.abc import Iterable

from schemas.messages import Span

from .entities import Mention
from .signals import Place


def mentioned(mentions: Iterable[Mention], key: str, value: str) -> list[Place]:
    """Where the mentions stand whose `key` (`actor` or `product`) is this."""
    return [(m.field, m.start, m.end) for m in mentions if getattr(m, key) == value]


def span(place: Place) -> Span:
    """A place as a span of the original field."""
    field, start, end = place
    start, end = field.back(start, end)
    return Span(field=field.field, start=start, end=end, text=field.original[start:end])


def spans(places: Iterable[Place]) -> list[Span]:
    """Spans of the original fields, in reading order, each once."""
    ranges = {
        (field.field != "title", *field.back(start, end)): field
        for field, start, end in places
        if end > start
    }
    return [
        Span(field=field.field, start=start, end=end, text=field.original[start:end])
        for (_, start, end), field in sorted(ranges.items(), key=lambda item: item[0])
    ]
