"""Features of an article: which signals it has, what it names, how it is built, each with its places.

A feature is a value between 0 and 1 and the places that show it. A signal in the title (`<id>@title`) or in the
lead (`<id>@text`) counts in full; further down a long text it counts by how often it returns, so that
length alone proves nothing. Each phrase is a feature of its own too (`<id>:<phrase>`), for what the fit knows
of it beyond its signal. Shapes are what is no phrase: an actor in the title, a product with a version.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from .entities import Mention
from .folding import Folded
from .lexicon import Signal
from .matcher import Hit

# The signals that make an article one of the race at all; a name may carry them (`Scale AI`).
TOPICS = ("ai", "chips")

# What a feed's summary or an article's opening holds.
_LEAD = 1_500
# Beyond the lead, one occurrence in every stretch of this many characters counts in full.
_STRETCH = 600

# A phrase in the running text says less than the same phrase in a title.
_TEXT_SHARE = 0.6

Place = tuple[Folded, int, int]


class Cue(Struct, frozen=True):
    """A phrase or pattern of a signal."""

    signal: str
    phrase: str

    @property
    def feature(self) -> str:
        """The name of the phrase's own feature."""
        return f"{self.signal}:{self.phrase}"


class Feature(Struct):
    """How much of a feature an article has, and where it shows (folded offsets)."""

    value: float
    places: list[Place]


class Patterns:
    """The cues that are regular expressions over the folded text: amounts, marks, forms of a title."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        self._patterns = [
            (re.compile(pattern), Cue(signal.id, f"pattern {number}"))
            for signal in sorted(signals, key=lambda signal: signal.id)
            for number, pattern in enumerate(signal.patterns)
        ]

    def find(self, field: Folded) -> list[Hit[Cue]]:
        """Every match."""
        return [
            Hit(match.start(), match.end(), cue)
            for pattern, cue in self._patterns
            for match in pattern.finditer(field.text)
            if match.end() > match.start()
        ]


def signal_features(
    fields: Sequence[Folded], hits: Mapping[str, Sequence[Hit[Cue]]], mentions: Sequence[Mention]
) -> dict[str, Feature]:
    """Features of signals and phrases from the hits in each field.

    What lies inside a name says nothing but that there is a name (`오픈` in `오픈AI` opens nothing).
    """
    features: dict[str, Feature] = {}
    for field in fields:
        names = [(m.start, m.end) for m in mentions if m.field is field and m.end > m.start]
        below = max(1.0, (len(field.text) - _LEAD) / _STRETCH)
        share = 1.0 if field.field == "title" else _TEXT_SHARE
        for hit in hits[field.field]:
            cue = hit.payload
            if cue.signal not in TOPICS and any(s <= hit.start and hit.end <= e for s, e in names):
                continue
            weight = 1.0 if hit.start < _LEAD else 1 / below
            place = (field, hit.start, hit.end)
            feature = features.setdefault(f"{cue.signal}@{field.field}", Feature(0.0, []))
            feature.value = min(1.0, feature.value + weight)
            feature.places.append(place)
            own = features.setdefault(cue.feature, Feature(0.0, []))
            own.value = max(own.value, min(share, own.value + share * weight))
            own.places.append(place)
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
