"""Corrections of the editors' weights fitted to labelled articles: the learned part of the linear layer.

One logistic regression a label, drawn towards the weights the lexicon's editors wrote (so that little data
changes little) by accelerated gradient descent: the same labels give the same weights. Cross-validation
leaves out whole sources or whole months, never articles at random: an outlet writes alike, so does a month.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.messages import Article, Assessment

from .classifier import Classifier
from .labels import Label
from .lexicon import EVENTS, HEADS, STATUSES, signal_file
from .scoring import Matrix, editor_weights

Files = Mapping[str, bytes]
Floats = NDArray[np.float32]
Rows = NDArray[np.bool_]

FOLDS = 5
GROUPS: dict[str, Callable[[Label], str]] = {
    "source": lambda label: label.source,
    "month": lambda label: label.date[:7] or label.source,
}

# How strongly the editors' weights hold, and how much less a single phrase is held to its signal's.
_STRENGTH, _PHRASE = 4.0, 0.5
_STEPS = 120
# Of the power iteration, and what it may be short of.
_POWERS, _MARGIN = 30, 1.05
# Corrections below this are left out; phrases met in fewer articles than _RARE are not corrected one by one.
_SMALL = 0.1
_RARE = 3
# How much more a rare status counts: by this power of its rarity.
_RARITY = 0.25
# What the events and the status of a chosen label count.
_CHOSEN = 0.5
# What an event counts that is not the main one of its article.
_SECOND = 0.75


class Fitter:
    """The features of labelled articles as a matrix, and the fit on any part of them."""

    def __init__(
        self, actors: Files, signals: Files, tables: Files, labelled: Sequence[tuple[Article, Label]]
    ):
        self._files = (actors, signals, tables)
        self.articles = [article for article, _ in labelled]
        self.labels = [label for _, label in labelled]
        editor = editor_weights([signal_file(name, signals[name]) for name in sorted(signals)])
        subject = self.classifier({})
        found = [
            {name: feature.value for name, feature in subject.weighed(article).features.items()}
            for article in self.articles
        ]
        seen = Counter(name for features in found for name in features)
        self._names = sorted(editor.keys() | {name for name, count in seen.items() if count >= _RARE})
        self._prior = np.array(
            [[editor.get(name, {}).get(head, 0.0) for head in HEADS] for name in self._names], np.float32
        )
        pull = np.array([_PHRASE if ":" in name else 1.0 for name in self._names], np.float32)
        self._scale: Floats = 1 / np.sqrt(_STRENGTH * pull)
        self._scale[self._names.index("bias")] = 1.0
        column = {name: index for index, name in enumerate(self._names)}
        self._values = np.zeros((len(found), len(self._names)), np.float32)
        for row, features in enumerate(found):
            for name, value in features.items():
                if name in column:
                    self._values[row, column[name]] = value

    def classifier(self, fitted: Matrix) -> Classifier:
        """The lexicon with these corrections instead of its own."""
        actors, signals, tables = self._files
        return Classifier.build(actors, signals, {**tables, "weights.json": msgspec.json.encode(fitted)})

    def fit(self, rows: Rows | None = None) -> Matrix:
        """Corrections from the labels of these rows, of all if none are given."""
        rows = np.ones(len(self.labels), dtype=bool) if rows is None else rows
        is_core, is_none = (self._rows("relevance", kind) for kind in ("core", "none"))
        drawn = np.array([not label.chosen for label in self.labels])
        corrections = np.zeros_like(self._prior)
        for head, use in (("core", is_core | is_none), ("focus", ~is_none)):
            at = [HEADS.index(head)]
            chosen = rows & use & drawn
            corrections[:, at] = self._regress(chosen, is_core[chosen][:, None], at, np.ones(chosen.sum()))
        chosen = rows & is_core
        given = [label.events for label in self.labels]
        truth = [
            [_SECOND * (e in events) + (1 - _SECOND) * (e in events[:1]) for events in given] for e in EVENTS
        ]
        at = [HEADS.index(event) for event in EVENTS]
        count = np.where(drawn, 1.0, _CHOSEN)[chosen]
        corrections[:, at] = self._regress(chosen, np.array(truth).T[chosen], at, count)
        said = Counter(label.status for label, core in zip(self.labels, chosen, strict=True) if core)
        rarity = np.array([(said[label.status] or 1) ** -_RARITY for label in self.labels])[chosen]
        at = [HEADS.index(f"status-{status}") for status in STATUSES]
        truth = [list(self._rows("status", status)) for status in STATUSES]
        corrections[:, at] = self._regress(
            chosen, np.array(truth).T[chosen], at, count * rarity / rarity.mean()
        )
        fitted: Matrix = {}
        for name, row in zip(self._names, corrections, strict=True):
            weights = {
                head: round(float(w), 2) for head, w in zip(HEADS, row, strict=True) if abs(w) >= _SMALL
            }
            if weights:
                fitted[name] = weights
        return fitted

    def unseen(self, group: Callable[[Label], str]) -> Iterator[tuple[Label, Article, Assessment]]:
        """Every scored article assessed by weights that were fitted without its group."""
        folds = np.array([zlib.crc32(group(label).encode()) % FOLDS for label in self.labels])
        for fold in range(FOLDS):
            subject = self.classifier(self.fit(folds != fold))
            for row in np.flatnonzero(folds == fold):
                if self.labels[row].scored:
                    yield self.labels[row], self.articles[row], subject.assess(self.articles[row])

    def _rows(self, key: str, value: str) -> Rows:
        return np.array([getattr(label, key) == value for label in self.labels])

    def _regress(self, rows: Rows, truth: NDArray[Any], heads: list[int], counts: NDArray[Any]) -> Floats:
        """Corrections that fit `truth` best, each drawn to 0; `counts` say how much each row does."""
        values = self._values[rows] * self._scale
        given = self._values[rows] @ self._prior[:, heads]
        truth = truth.astype(np.float32)
        count = counts[:, None].astype(np.float32)
        steep = 1 + _largest_eigenvalue(values * np.sqrt(count)) / 4
        momentum = np.float32((np.sqrt(steep) - 1) / (np.sqrt(steep) + 1))
        here = ahead = np.zeros((values.shape[1], len(heads)), np.float32)
        for _ in range(_STEPS):
            chance = 1 / (1 + np.exp(-np.clip(given + values @ ahead, -30, 30)))
            there = ahead - (values.T @ (count * (chance - truth)) + ahead) / np.float32(steep)
            here, ahead = there, there + momentum * (there - here)
        corrections: Floats = here * self._scale[:, None]
        return corrections


def _largest_eigenvalue(values: Floats) -> float:
    """That of `values.T @ values`, from above, by power iteration; no feature is below 0."""
    vector, norm = np.ones(values.shape[1], np.float32), 1.0
    for _ in range(_POWERS):
        vector = values.T @ (values @ (vector / norm))
        norm = float(np.linalg.norm(vector))
    return norm * _MARGIN
