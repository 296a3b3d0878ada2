"""Features of a passage: which signals it has, what it names, how it is built, each with its places.

A signal counts once in the head (`<id>@title`) and once in the body (`<id>@text`), however often it returns.
Each phrase is a feature of its own too (`<id>:<phrase>`), for what the fit knows of it beyond its signal.
Shapes are what is no phrase: an actor in the title, a product with a version.
"""

from bisect import bisect_right
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
    """Features of signals and phrases from the hits in a passage, those of its head first.

    The mentions are in reading order and none lies in another one, as `settle` gives them.
    What lies inside a name says nothing but that there is a name (`오픈` in `오픈AI` opens nothing).
    """
    features: dict[str, Feature] = {}
    named: dict[str, tuple[list[int], list[int]]] = {part: ([], []) for part in ("title", "text", "")}
    for mention in mentions:
        starts, ends = named[passage.part(mention.field, mention.start)]
        starts.append(mention.start)
        ends.append(mention.end)
    (head, first, last), (body, begin, end) = passage.head, passage.body
    for hit in hits:
        field, start, cue = hit.field, hit.start, hit.payload
        # As `passage.part`, without a call: most hits of a long text lie behind the passage.
        if field is head and first <= start < last:
            (starts, ends), signal, share = named["title"], cue.head, 1.0
        elif field is body and begin <= start < end:
            (starts, ends), signal, share = named["text"], cue.body, TEXT_SHARE
        else:
            continue
        names = bisect_right(starts, start)
        if names and hit.end <= ends[names - 1] and cue.signal not in TOPICS:
            continue
        place = (field, start, hit.end)
        for name, value in ((signal, 1.0), (cue.own, share)):
            if (feature := features.get(name)) is None:
                features[name] = Feature(value, [place], worded=True)
            else:
                feature.places.append(place)
    return features


def shape_features(
    passage: Passage, mentions: Sequence[Mention], kinds: Mapping[str, str], own: Mention | None
) -> dict[str, Feature]:
    """Features of what a passage names and how it is built. `own` is set on an actor's own site."""
    features: dict[str, Feature] = {"bias": Feature(1.0, [])}
    named = set()
    for mention in mentions:
        part = passage.part(mention.field, mention.start)
        if not part:
            continue
        named.add(mention.actor)
        shapes = [f"actor@{part}", f"{kinds[mention.actor]}@{part}"]
        if mention.native:
            shapes.append(f"native@{part}")
        if mention.product:
            shapes.append(f"product@{part}")
            if mention.product != mention.family:
                shapes.append(f"version@{part}")
        if part == "title" and mention.start <= 1:
            shapes.append("first@title")
        place = (mention.field, mention.start, mention.end)
        for shape in shapes:
            if (feature := features.get(shape)) is None:
                features[shape] = Feature(1.0, [place])
            else:
                feature.places.append(place)
    for count in (2, 3):
        if len(named) >= count:
            features[f"actors-{count}"] = Feature(1.0, [])
    if own is not None:
        features["own-site"] = Feature(1.0, [(own.field, own.start, own.end)])
    body = passage.body[0].text[passage.body[1] : passage.body[2]]
    if not body.strip():
        features["no-text"] = Feature(1.0, [])
    return features
