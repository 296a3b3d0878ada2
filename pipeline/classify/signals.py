"""Features of an article: which signals it has, what it names, how it is built, each with its places.

A feature is a value between 0 and 1 and the places that show it. A signal in the title (`<id>@title`) or in the
lead (`<id>@text`) counts in full; further down a long text it counts by how often it returns, so that
length alone proves nothing. Shapes are what is no phrase: an actor in the title, a product with a version.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from .entities import Mention
from .folding import Folded
from .lexicon import Signal

# What a feed's summary or an article's opening holds.
_LEAD = 1_500
# Beyond the lead, one occurrence in every stretch of this many characters counts in full.
_STRETCH = 600

Place = tuple[Folded, int, int]


class Feature(Struct):
    """How much of a feature an article has, and where it shows (folded offsets)."""

    value: float
    places: list[Place]


class Patterns:
    """The signals that are regular expressions over the folded text: amounts, marks, forms of a title."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        self._patterns = [
            (re.compile(pattern), signal.id)
            for signal in sorted(signals, key=lambda signal: signal.id)
            for pattern in signal.patterns
        ]

    def find(self, field: Folded) -> list[tuple[int, int, str]]:
        """Range and signal id of every match."""
        return [
            (match.start(), match.end(), signal)
            for pattern, signal in self._patterns
            for match in pattern.finditer(field.text)
            if match.end() > match.start()
        ]


def signal_features(
    fields: Sequence[Folded], hits: Mapping[str, Sequence[tuple[int, int, str]]]
) -> dict[str, Feature]:
    """Features `<signal>@<field>` from the hits (start, end, signal id) in each field."""
    features: dict[str, Feature] = {}
    for field in fields:
        below = max(1.0, (len(field.text) - _LEAD) / _STRETCH)
        for start, end, signal in hits[field.field]:
            feature = features.setdefault(f"{signal}@{field.field}", Feature(0.0, []))
            feature.value = min(1.0, feature.value + (1.0 if start < _LEAD else 1 / below))
            feature.places.append((field, start, end))
    return features


def shape_features(
    fields: Sequence[Folded], mentions: Sequence[Mention], kinds: Mapping[str, str], own: Mention | None
) -> dict[str, Feature]:
    """Features of what is named and how the article is built. `own` is set on an actor's own site."""
    features: dict[str, Feature] = {"bias": Feature(1.0, [])}

    def add(name: str, mention: Mention) -> None:
        feature = features.setdefault(name, Feature(1.0, []))
        feature.places.append((mention.field, mention.start, mention.end))

    for mention in mentions:
        where = mention.field.field
        if mention.start >= _LEAD:
            continue
        add(f"actor@{where}", mention)
        add(f"{kinds[mention.actor]}@{where}", mention)
        if mention.native:
            add(f"native@{where}", mention)
        if mention.product:
            add(f"product@{where}", mention)
            if mention.product != mention.family:
                add(f"version@{where}", mention)
        if where == "title" and mention.start <= 1:
            add("first@title", mention)
    named = {mention.actor for mention in mentions if mention.start < _LEAD}
    for count in (2, 3):
        if len(named) >= count:
            features[f"actors-{count}"] = Feature(1.0, [])
    if own is not None:
        add("own-site", own)
    if not any(field.field == "text" and field.text.strip() for field in fields):
        features["no-text"] = Feature(1.0, [])
    return features
