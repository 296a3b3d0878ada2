"""What spoke for and against `core`, each with its weight in log-odds. Pure.

A verdict shows what speaks for its labels; whoever asks why an article is not core wants the other side too.
Nothing here decides anything.
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from schemas.messages import Article

from .classifier import Classifier, Settings
from .lexicon import signal_file, table
from .scoring import Matrix, editor_weights
from .signals import Feature

# The two lines that an article must be above to be core: against none, and against peripheral.
HEADS = ("core", "focus")
_SHOWN = 5
_WORDS = 3


class Weight(Struct, frozen=True):
    """One piece of evidence: a feature (`signals`), its log-odds, and the article's words that have it."""

    feature: str
    odds: float
    words: tuple[str, ...] = ()


class Weighing(Struct, frozen=True):
    """One line: the log-odds reached and those needed, and the weightiest evidence on both sides."""

    head: str
    odds: float
    needed: float
    pro: tuple[Weight, ...]
    contra: tuple[Weight, ...]


class Scales:
    """Weighs articles with the weights of a lexicon. Immutable once built."""

    def __init__(self, signals: Mapping[str, bytes], tables: Mapping[str, bytes]) -> None:
        editor = editor_weights(signal_file(name, signals[name]) for name in sorted(signals))
        fitted = table("weights.yaml", tables, Matrix)
        self._weights = {
            head: {
                feature: editor.get(feature, {}).get(head, 0.0) + fitted.get(feature, {}).get(head, 0.0)
                for feature in editor.keys() | fitted.keys()
            }
            for head in HEADS
        }

    def weigh(
        self, classifier: Classifier, article: Article, settings: Settings | None = None
    ) -> tuple[Weighing, ...]:
        """One value for each of `HEADS`; `classifier` has the same lexicon and settings."""
        settings = settings or Settings()
        features = classifier.features(article)
        return tuple(
            self._weighing(head, least, features)
            for head, least in zip(HEADS, (settings.core, settings.focus), strict=True)
        )

    def _weighing(self, head: str, least: float, features: Mapping[str, Feature]) -> Weighing:
        weighed = {
            name: features[name].value * weight
            for name in sorted(features)
            if (weight := self._weights[head].get(name))
        }
        ranked = sorted(weighed, key=lambda name: (-abs(weighed[name]), name))
        return Weighing(
            head,
            round(sum(weighed.values()), 3),
            round(math.log(least / (1 - least)), 3),
            tuple(_weight(n, weighed[n], features[n]) for n in ranked if weighed[n] > 0)[:_SHOWN],
            tuple(_weight(n, weighed[n], features[n]) for n in ranked if weighed[n] < 0)[:_SHOWN],
        )


def _weight(name: str, odds: float, feature: Feature) -> Weight:
    words = [field.original[slice(*field.back(start, end))] for field, start, end in feature.places]
    return Weight(name, round(odds, 3), tuple(dict.fromkeys(words))[:_WORDS])
