"""The article's own words that carry a label: from places in folded fields to spans of the original ones."""

from collections import defaultdict
from collections.abc import Iterable

from schemas.messages import Span

from .entities import Mention
from .signals import Place


def mentioned(mentions: Iterable[Mention], key: str) -> dict[str, list[Place]]:
    """Where mentions stand, by their `key` (`actor` or `product`)."""
    places: dict[str, list[Place]] = defaultdict(list)
    for mention in mentions:
        places[getattr(mention, key)].append((mention.field, mention.start, mention.end))
    return places


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
        Span(field=(field := ranges[at]).field, start=at[1], end=at[2], text=field.original[at[1] : at[2]])
        for at in sorted(ranges)
    ]
