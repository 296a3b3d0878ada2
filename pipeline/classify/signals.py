"""Features of a passage: which signals it has, what it names, how it is built, each with its places.

A signal counts once in the head (`<id>@title`) and once in the body (`<id>@text`), however often it returns.
Each phrase is a feature of its own too (`<id>:<phrase>`), for what the fit knows of it beyond its signal.
Shapes are what is no phrase: an actor in the title, a product with a version.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from .entities import Mention
from .folding import Folded
from .matcher import Hit
from .passages import Passage
from .spotting import Cue

# The signals that make an article one of the race at all; a name may carry them (`Scale AI`).
TOPICS = ("ai", "chips")


# A word in the running text says less than the same word in a title.
TEXT_SHARE = 0.6

Place = tuple[Folded, int, int]


class Feature(Struct, gc=False):
    """How much of a feature an article has, where it shows (folded offsets), and whether that is a phrase."""

    value: float
    places: list[Place]
    worded: bool = False


def signal_features(
    passage: Passage, hits: Iterable[Hit[Cue]], mentions: Iterable[Mention]
) -> dict[str, Feature]:
    """Features of signals and phrases from the hits in a passage.

    What lies inside a name says nothing but that there is a name (`오픈` in `오픈AI` opens nothing).
    """
    features: dict[str, Feature] = {}
    named = [mention for mention in mentions if passage.part(mention.field, mention.start)]
    (head, first, last), (body, begin, end) = passage.head, passage.body
    for hit in hits:
        field, start, cue = hit.field, hit.start, hit.payload
        # As `passage.part`, without a call: most hits of a long text lie behind the passage.
        titled = field is head and first <= start < last
        if not (titled or (field is body and begin <= start < end)):
            continue
        if cue.signal not in TOPICS and _inside(hit, named):
            continue
        place = (field, start, hit.end)
        for name, value in (
            (cue.head if titled else cue.body, 1.0),
            (cue.own, 1.0 if titled else TEXT_SHARE),
        ):
            feature = features.get(name)
            if feature is None:
                features[name] = Feature(value, [place], worded=True)
            else:
                feature.places.append(place)
                if feature.value < value:
                    feature.value = value
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


def _inside(hit: Hit[Cue], mentions: Iterable[Mention]) -> bool:
    start, end, field = hit.start, hit.end, hit.field
    for mention in mentions:  # a loop: it is asked of every hit
        if mention.start <= start and end <= mention.end and mention.field is field:
            return True
    return False
