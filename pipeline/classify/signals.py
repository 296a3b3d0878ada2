"""Features of a passage: which signals it has, what it names, how it is built, each with its places.

A signal counts once in the head (`<id>@title`) and once in the body (`<id>@text`), however often it returns.
Each phrase is a feature of its own too (`<id>:<phrase>`), for what the fit knows of it beyond its signal.
Shapes are what is no phrase: an actor in the title, a product with a version.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from .entities import Mention
from .folding import Folded
from .lexicon import Signal
from .matcher import Hit
from .passages import Passage

# The signals that make an article one of the race at all; a name may carry them (`Scale AI`).
TOPICS = ("ai", "chips")

# A phrase in the running text says less than the same phrase in a title.
_TEXT_SHARE = 0.6

# How patterns of amounts begin: where a number does.
_NUMBER = r"\d(?<![\d.,]\d)"
_NUMBERS = re.compile(_NUMBER)

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
    """How much of a feature an article has, where it shows (folded offsets), and whether that is a phrase."""

    value: float
    places: list[Place]
    worded: bool = False


class Patterns:
    """The cues that are regular expressions over the folded text: amounts, marks, forms of a title."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        self._patterns = [
            (re.compile(pattern), Cue(signal.id, pattern))
            for signal in sorted(signals, key=lambda signal: signal.id)
            for pattern in sorted(signal.patterns)
        ]

    def find(self, field: Folded) -> list[Hit[Cue]]:
        """Every match, by pattern and place."""
        # Numbers are looked for once for all patterns that begin with one.
        numbers = [match.start() for match in _NUMBERS.finditer(field.text)]
        return [
            Hit(match.start(), match.end(), cue)
            for pattern, cue in self._patterns
            for match in _matches(pattern, field.text, numbers)
            if match.end() > match.start()
        ]


def _matches(pattern: re.Pattern[str], text: str, numbers: Sequence[int]) -> Iterator[re.Match[str]]:
    if not pattern.pattern.startswith(_NUMBER):
        yield from pattern.finditer(text)
        return
    reached = 0
    for start in numbers:
        if start >= reached and (match := pattern.match(text, start)):
            reached = match.end()
            yield match


def signal_features(
    passage: Passage, hits: Sequence[tuple[Folded, Hit[Cue]]], mentions: Sequence[Mention]
) -> dict[str, Feature]:
    """Features of signals and phrases from the hits in a passage.

    What lies inside a name says nothing but that there is a name (`오픈` in `오픈AI` opens nothing).
    """
    features: dict[str, Feature] = {}
    named = [mention for mention in mentions if passage.part(mention.field, mention.start)]
    for field, hit in hits:
        part, cue = passage.part(field, hit.start), hit.payload
        if not part or (cue.signal not in TOPICS and _inside(field, hit, named)):
            continue
        for name, value in (
            (f"{cue.signal}@{part}", 1.0),
            (cue.feature, 1.0 if part == "title" else _TEXT_SHARE),
        ):
            feature = features.setdefault(name, Feature(0.0, [], worded=True))
            feature.value = max(feature.value, value)
            feature.places.append((field, hit.start, hit.end))
    return features


def shape_features(
    passage: Passage, mentions: Sequence[Mention], kinds: Mapping[str, str], own: Mention | None
) -> dict[str, Feature]:
    """Features of what a passage names and how it is built. `own` is set on an actor's own site."""
    features: dict[str, Feature] = {"bias": Feature(1.0, [])}

    def add(name: str, mention: Mention) -> None:
        feature = features.setdefault(name, Feature(1.0, []))
        feature.places.append((mention.field, mention.start, mention.end))

    named = set()
    for mention in mentions:
        part = passage.part(mention.field, mention.start)
        if not part:
            continue
        named.add(mention.actor)
        add(f"actor@{part}", mention)
        add(f"{kinds[mention.actor]}@{part}", mention)
        if mention.native:
            add(f"native@{part}", mention)
        if mention.product:
            add(f"product@{part}", mention)
            if mention.product != mention.family:
                add(f"version@{part}", mention)
        if part == "title" and mention.start <= 1:
            add("first@title", mention)
    for count in (2, 3):
        if len(named) >= count:
            features[f"actors-{count}"] = Feature(1.0, [])
    if own is not None:
        add("own-site", own)
    body = passage.body[0].text[passage.body[1] : passage.body[2]]
    if not body.strip():
        features["no-text"] = Feature(1.0, [])
    return features


def _inside(field: Folded, hit: Hit[Cue], mentions: Sequence[Mention]) -> bool:
    return any(m.field is field and m.start <= hit.start and hit.end <= m.end for m in mentions)
