"""The linear layer: features of an article in, log-odds of each label out.

A weight is the sum of what the lexicon's editor wrote at the signal and of a correction fitted to labelled
articles (`tables/weights.json`, by `racewire train`): a new signal counts from its first day.
"""

import math
from array import array
from collections.abc import Iterable, Mapping

from .lexicon import EVENTS, HEADS, RELEVANCE_HEADS, STATUS_HEADS, SignalFile, Weights

# A word in the running text says less than the same word in a title.
TEXT_SHARE = 0.6

Matrix = dict[str, Weights]
Heads = tuple[str, ...]
Rows = dict[tuple[str, float], "array[int]"]


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


class LinearLayer:
    """The weights in force: the editors' and their corrections."""

    def __init__(self, editor: Matrix, fitted: Matrix) -> None:
        # What a signal is there for, in its editor's words; a phrase is there for what its signal is.
        meant = {
            (feature.partition("@")[0], head)
            for feature, given in editor.items()
            for head, weight in given.items()
            if weight > 0
        }
        self._weights: dict[str, Weights] = {}
        self._speaking: dict[str, Weights] = {head: {} for head in HEADS}
        self._meant: dict[str, set[str]] = {head: set() for head in HEADS}
        for feature in editor.keys() | fitted.keys():
            given, learned = editor.get(feature, {}), fitted.get(feature, {})
            signal = feature.partition("@")[0].partition(":")[0]
            self._weights[feature] = weights = {
                head: given.get(head, 0.0) + learned.get(head, 0.0) for head in given.keys() | learned.keys()
            }
            for head, weight in weights.items():
                if weight > 0:
                    self._speaking[head][feature] = weight
                    if (signal, head) in meant:
                        self._meant[head].add(feature)
        self._rows = {heads: self._of(heads) for heads in (RELEVANCE_HEADS, EVENTS, STATUS_HEADS)}

    def _of(self, heads: Heads) -> Rows:
        """What a feature of a value adds for these heads, in their order and in thousandths."""
        places = {head: n for n, head in enumerate(heads)}
        rows: Rows = {}
        for feature, weights in self._weights.items():
            for value in (1.0, TEXT_SHARE) if ":" in feature else (1.0,):
                row = array("i", [0] * len(heads))
                for head, weight in weights.items():
                    if head in places:
                        row[places[head]] = round(1000 * value * weight)
                if any(row):
                    rows[feature, value] = row
        return rows

    def log_odds(self, values: Mapping[str, float], heads: Heads) -> Weights:
        """Log-odds by head, of one of the groups `RELEVANCE_HEADS`, `EVENTS` and `STATUS_HEADS`."""
        rows = self._rows[heads]
        summands = [row for item in values.items() if (row := rows.get(item))]
        # Thousandths, for a sum of floats depends on its order, and a verdict must not.
        sums = map(sum, zip(*summands, strict=True)) if summands else [0] * len(heads)
        return {head: added / 1000 for head, added in zip(heads, sums, strict=True)}

    def shares(self, values: Mapping[str, float], head: str) -> Weights:
        """What each feature adds to a label's log-odds, or takes from them."""
        given = self._weights
        return {
            name: value * weight
            for name, value in values.items()
            if (weight := given.get(name, {}).get(head, 0.0))
        }

    def speaking(self, head: str) -> Weights:
        """The features that speak for a label, with their weights."""
        return self._speaking[head]

    def is_meant(self, feature: str, head: str) -> bool:
        """Whether a feature speaks for a label and its editor wrote its signal down as doing so."""
        return feature in self._meant[head]


def probability(odds: float) -> float:
    """Log-odds as a probability."""
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
