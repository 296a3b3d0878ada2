"""The linear layer: features of an article in, log-odds of each label out.

A weight is the sum of what the lexicon's editor wrote at the signal and of a correction fitted to labelled
articles (`tables/weights.yaml`, written by `python -m bench.fit_weights`), so that a new signal counts from its first day.
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


def corrected(editor: Matrix, fitted: Matrix) -> Matrix:
    """The weights in force. A correction of a feature that is no more is dropped."""
    return {
        feature: {
            head: weight
            for head in HEADS
            if (weight := weights.get(head, 0.0) + fitted.get(feature, {}).get(head, 0.0))
        }
        for feature, weights in editor.items()
    }


def log_odds(values: Mapping[str, float], matrix: Matrix) -> Weights:
    """Log-odds by head; the feature `bias` is always there."""
    total = dict.fromkeys(HEADS, 0.0)
    for feature, value in values.items():
        for head, weight in matrix.get(feature, {}).items():
            total[head] += value * weight
    return total


def probability(odds: float) -> float:
    """Log-odds as a probability."""
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
