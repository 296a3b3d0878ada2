"""The linear layer: features of an article in, log-odds of each label out.

A weight is the sum of what the lexicon's editor wrote at the signal and of a correction fitted to labelled
articles (`tables/weights.json`, by `racewire train`): a new signal counts from its first day.
"""

import math
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from .lexicon import HEADS, SignalFile, Weights
from .signals import TEXT_SHARE, Feature, Place

Matrix = dict[str, Weights]
_PLACES = {head: place for place, head in enumerate(HEADS)}
_NONE = [0] * len(HEADS)
# Numbers packed into one: 32 bits each, around the middle of what these hold.
_LANES = struct.Struct(f"<{len(HEADS)}I")
_MIDDLE = 1 << 31


def editor_weights(files: Iterable[SignalFile]) -> Matrix:
    """Weights by feature and head as the lexicon's editors wrote them."""
    matrix: Matrix = {}
    for file in files:
        for signal in file.signals:
            matrix[f"{signal.id}@title"] = dict(signal.weighs)
            matrix[f"{signal.id}@text"] = {head: TEXT_SHARE * w for head, w in signal.weighs.items()}
        for shape, weights in file.shapes.items():
            matrix[shape] = dict(weights)
    return matrix


class Row(Struct, frozen=True, gc=False):
    """What a feature adds to each of `HEADS`, in thousandths, and for which its editor meant it to speak.

    `packed` is all of `adds` in one integer, so that one sum is that of every label.
    """

    adds: tuple[int, ...]
    packed: int
    meant: frozenset[str]


def _pack(numbers: Iterable[int]) -> int:
    return sum([number << 32 * place for place, number in enumerate(numbers) if number])


_EVEN = _pack([_MIDDLE] * len(HEADS))


class LinearLayer:
    """The weights in force: the editors' and their corrections."""

    def __init__(self, editor: Matrix, fitted: Matrix) -> None:
        # What a signal is there for, in its editor's words; a phrase is there for what its signal is.
        meant: dict[str, set[str]] = defaultdict(set)
        for feature, given in editor.items():
            meant[feature.partition("@")[0]].update(head for head, weight in given.items() if weight > 0)
        intents = {signal: frozenset(heads) for signal, heads in meant.items()}
        self._rows: dict[float, dict[str, Row]] = {1.0: {}, TEXT_SHARE: {}}
        for feature in editor.keys() | fitted.keys():
            given, learned = editor.get(feature, {}), fitted.get(feature, {})
            intent = intents.get(feature.partition("@")[0].partition(":")[0], frozenset())
            for value in (1.0, TEXT_SHARE) if ":" in feature else (1.0,):
                adds = _NONE.copy()
                for head in given.keys() | learned.keys():
                    weight = given.get(head, 0.0) + learned.get(head, 0.0)
                    adds[_PLACES[head]] = round(1000 * value * weight)
                self._rows[value][feature] = Row(tuple(adds), _pack(adds), intent)

    def weigh(self, features: Mapping[str, Feature]) -> "Weighed":
        """The features of a passage with the weights that there are."""
        rows = self._rows
        return Weighed(
            features,
            {name: row for name, each in features.items() if (row := rows[each.value].get(name)) is not None},
        )


class Weighed(Struct, frozen=True, gc=False):
    """The features of a passage, and the rows of those that have one."""

    features: Mapping[str, Feature]
    rows: dict[str, Row]

    def log_odds(self) -> Weights:
        """Log-odds by label."""
        # Whole numbers, for a sum of floats depends on its order, and a verdict must not.
        packed = sum([row.packed for row in self.rows.values()], _EVEN)
        sums = _LANES.unpack(packed.to_bytes(_LANES.size, "little"))
        return dict(zip(HEADS, [(added - _MIDDLE) / 1000 for added in sums], strict=True))

    def shares(self, head: str) -> Weights:
        """What each feature adds to a label's log-odds, or takes from them."""
        place = _PLACES[head]
        return {name: row.adds[place] / 1000 for name, row in self.rows.items() if row.adds[place]}

    def carriers(self, head: str, most: int) -> list[Place]:
        """The places that speak for a label, the strongest first; names only where no words do."""
        features, place = self.features, _PLACES[head]
        speaking = [
            (-added, name)
            for name, row in self.rows.items()
            if (added := row.adds[place]) > 0 and features[name].places
        ]
        chosen = speaking
        if head != "core":
            worded = [item for item in speaking if features[item[1]].worded]
            chosen = [item for item in worded if head in self.rows[item[1]].meant] or worded or speaking
        chosen.sort()
        places: list[Place] = []
        for weight, name in chosen:
            # What adds next to nothing proves nothing to a reader.
            if weight > chosen[0][0] * 0.25 or len(places) >= most:
                break
            for each in features[name].places[:2]:
                if each not in places:
                    places.append(each)
        return places[:most]


def probability(odds: float) -> float:
    """Log-odds as a probability."""
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0


def log_odds(chance: float) -> float:
    """A probability, of which 0 and 1 are none, as log-odds."""
    return math.log(chance / (1 - chance))
