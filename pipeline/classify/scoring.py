"""The linear layer: features of an article in, log-odds of each label out.

A weight is the sum of what the lexicon's editor wrote at the signal and of a correction fitted to labelled
articles (`tables/weights.json`, by `racewire train`): a new signal counts from its first day.
"""

import math
from collections.abc import Iterable, Mapping

from .lexicon import HEADS, SignalFile, Weights

# A word in the running text says less than the same word in a title.
_TEXT_SHARE = 0.6

Matrix = dict[str, Weights]


def editor_weights(files: Iterable[SignalFile]) -> Matrix:
    """Weights by feature and head as the lexicon's editors wrote them."""
    matrix: Matrix = {}
    for file in files:
        for signal in file.signals:
            matrix[f"{signal.id}@title"] = dict(signal.weighs)
            matrix[f"{signal.id}@text"] = {head: _TEXT_SHARE * w for head, w in signal.weighs.items()}
        for shape, weights in file.shapes.items():
            matrix[shape] = dict(weights)
    return matrix


class LinearLayer:
    """The weights in force: the editors' and their corrections."""

    def __init__(self, editor: Matrix, fitted: Matrix) -> None:
        # What a signal is there for, in its editor's words; a phrase is there for what its signal is.
        self._meant = {
            (feature.partition("@")[0], head)
            for feature, given in editor.items()
            for head, weight in given.items()
            if weight > 0
        }
        self._rows: dict[str, list[tuple[int, float]]] = {}
        self._speaking: dict[str, Weights] = {head: {} for head in HEADS}
        for feature in editor.keys() | fitted.keys():
            given, learned = editor.get(feature, {}), fitted.get(feature, {})
            weights = {
                head: given.get(head, 0.0) + learned.get(head, 0.0) for head in given.keys() | learned.keys()
            }
            for head, weight in weights.items():
                if weight > 0:
                    self._speaking[head][feature] = weight
            self._rows[feature] = [(n, weights[head]) for n, head in enumerate(HEADS) if weights.get(head)]

    def log_odds(self, values: Mapping[str, float]) -> Weights:
        """Log-odds by head."""
        total = [0.0] * len(HEADS)
        # In the order of names: a sum of floats depends on its order, a verdict must not.
        for feature in sorted(values):
            value = values[feature]
            for head, weight in self._rows.get(feature, ()):
                total[head] += value * weight
        return dict(zip(HEADS, total, strict=True))

    def shares(self, values: Mapping[str, float], head: str) -> Weights:
        """What each feature adds to a label's log-odds, or takes from them."""
        at = HEADS.index(head)
        return {
            name: value * weight
            for name, value in values.items()
            for n, weight in self._rows.get(name, ())
            if n == at
        }

    def speaking(self, head: str) -> Weights:
        """The features that speak for a label, with their weights."""
        return self._speaking[head]

    def is_meant(self, feature: str, head: str) -> bool:
        """Whether the editor wrote the signal down as speaking for this label."""
        return (feature.partition("@")[0].partition(":")[0], head) in self._meant


def probability(odds: float) -> float:
    """Log-odds as a probability."""
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
