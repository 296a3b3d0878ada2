"""How good assessments are against labels: the guide's figures, their intervals, the gain of a version.

Figures are counted article by article, so that resampling articles (the bootstrap) gives intervals, and the
same resamples for two versions (paired) tell whether their difference is chance. Nothing here reads files.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.messages import Assessment

from .labels import Label
from .lexicon import EVENTS, STATUSES

Floats = NDArray[np.float64]
Pair = tuple[Label, Assessment]

RESAMPLES = 1_000
# A label seen less often says nothing about a classifier: it is left out of a macro figure.
_SUPPORT = 8
_BINS = 10


class Figure(Struct, frozen=True):
    """A figure with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


class Difference(Struct, frozen=True):
    """What another version gains in a figure, its 95 % interval, and how likely chance alone does as much."""

    name: str
    gain: float
    low: float
    high: float
    chance: float


class Scores:
    """Counts by article of one version's assessments.

    `listed`: ids of actors that count as listed (see the guide); all others are the long tail.
    """

    def __init__(self, pairs: Sequence[Pair], listed: Collection[str]) -> None:
        self._size = len(pairs)
        self._odds = np.array([found.relevance.score for _, found in pairs])
        self._truth = np.array(
            [{"core": 1, "none": 0}.get(label.relevance, -1) for label, _ in pairs], dtype=np.int64
        )
        # By figure its members (a macro figure has several): hits, false hits, misses of each article.
        self._figures: dict[str, list[Floats]] = {
            "relevance F1": [_table(pairs, _relevance)],
            "actors F1 (listed)": [_table(pairs, _actors(set(listed)))],
            "actors F1 (all)": [_table(pairs, _actors(None))],
            "products F1": [_table(pairs, _products)],
            "events macro-F1": _frequent(_table(pairs, _event(event)) for event in EVENTS),
            "main event right": [_table(pairs, _main)],
            "status macro-F1": _frequent(_table(pairs, _status({status})) for status in STATUSES),
            "status right": [_table(pairs, _status(set(STATUSES)))],
            "when F1": [_table(pairs, _when)],
            "roles right": [_table(pairs, _roles)],
        }

    def figures(self) -> list[Figure]:
        """Every figure that these labels can tell."""
        return [
            Figure(name, value, *_interval(samples))
            for name, (value, samples) in self._sampled().items()
            if not np.isnan(value)
        ]

    def against(self, other: "Scores") -> list[Difference]:
        """What `other`, on the same articles in the same order, gains over this version."""
        if self._size != other._size:
            raise ValueError(f"one version has {self._size} articles, the other {other._size}")
        mine, theirs = self._sampled(), other._sampled()
        found = []
        for name, (value, samples) in mine.items():
            gain, gains = theirs[name][0] - value, theirs[name][1] - samples
            if not np.isnan(gain):
                tail = min(np.mean(gains <= 0), np.mean(gains >= 0))
                found.append(Difference(name, gain, *_interval(gains), min(1.0, 2 * float(tail))))
        return found

    def reliability(self) -> list[tuple[float, float, int]]:
        """By tenth of the score: mean score, share that is core, articles (core and none only)."""
        known = self._truth >= 0
        bins = np.minimum((self._odds[known] * _BINS).astype(int), _BINS - 1)
        return [
            (
                float(self._odds[known][bins == each].mean()),
                float(self._truth[known][bins == each].mean()),
                int((bins == each).sum()),
            )
            for each in range(_BINS)
            if (bins == each).any()
        ]

    def _sampled(self) -> dict[str, tuple[float, Floats]]:
        """By figure its value and those on the resamples, which depend on the number of articles alone."""
        generator = np.random.default_rng(self._size)
        weights = generator.multinomial(self._size, np.full(self._size, 1 / self._size), RESAMPLES)
        weights = np.vstack([np.ones(self._size, dtype=np.int64), weights])
        found = {}
        for name, tables in self._figures.items():
            values = np.mean([_f1(weights @ table) for table in tables], axis=0) if tables else None
            found[name] = (np.nan, np.full(RESAMPLES, np.nan)) if values is None else (values[0], values[1:])
        order = np.argsort(self._odds, kind="stable")
        known = order[self._truth[order] >= 0]
        areas = np.array([_area(self._odds[known], self._truth[known], row[known]) for row in weights])
        errors = np.array([_error(self._odds[known], self._truth[known], row[known]) for row in weights])
        found["relevance AUC"] = (areas[0], areas[1:])
        found["calibration error"] = (errors[0], errors[1:])
        return {name: (float(value), samples) for name, (value, samples) in found.items()}


def matrix(
    pairs: Sequence[Pair], names: Sequence[str], of: Callable[[Pair], tuple[str, str]]
) -> list[list[int]]:
    """A confusion matrix: a row a true label, a column a label given; `of` tells both of a pair."""
    counts = [[0] * len(names) for _ in names]
    for pair in pairs:
        true, given = of(pair)
        counts[names.index(true)][names.index(given)] += 1
    return counts


def product_key(name: str) -> str:
    """Spellings that readers take for the same product."""
    return re.sub(r"[\W_]+", "", name.casefold())


def main_event(found: Assessment) -> str:
    """The main event given, empty if the article was not called core."""
    return found.events[0].id if found.events else ""


Count = Callable[[Label, Assessment], tuple[float, float, float]]


def _table(pairs: Sequence[Pair], count: Count) -> Floats:
    return np.array([count(label, found) for label, found in pairs], dtype=float).reshape(len(pairs), 3)


def _frequent(tables: Iterable[Floats]) -> list[Floats]:
    return [table for table in tables if table[:, [0, 2]].sum() >= _SUPPORT]


def _sets(true: Collection[str], given: Collection[str]) -> tuple[float, float, float]:
    true, given = set(true), set(given)
    return len(true & given), len(given - true), len(true - given)


def _right(right: bool) -> tuple[float, float, float]:
    """A share that is right, written as counts: of `n` wrong ones F1 sees 2n mistakes and halves them."""
    return float(right), float(not right), float(not right)


_NOTHING = (0.0, 0.0, 0.0)


def _relevance(label: Label, found: Assessment) -> tuple[float, float, float]:
    if label.relevance == "peripheral":
        return _NOTHING
    given = ["core"] if found.relevance.label == "core" else []
    return _sets(["core"] if label.relevance == "core" else [], given)


def _actors(listed: set[str] | None) -> Count:
    def count(label: Label, found: Assessment) -> tuple[float, float, float]:
        if label.relevance == "none":
            return _NOTHING
        true, given = set(label.actors or []), {actor.id for actor in found.actors}
        return _sets(true, given) if listed is None else _sets(true & listed, given & listed)

    return count


def _products(label: Label, found: Assessment) -> tuple[float, float, float]:
    if label.relevance == "none":
        return _NOTHING
    given = [product_key(product.name) for product in found.products]
    return _sets([product_key(name) for name in label.products or []], given)


def _event(event: str) -> Count:
    def count(label: Label, found: Assessment) -> tuple[float, float, float]:
        if label.relevance != "core":
            return _NOTHING
        return _sets({event} & set(label.events), {event} & {each.id for each in found.events})

    return count


def _main(label: Label, found: Assessment) -> tuple[float, float, float]:
    return _right(main_event(found) == label.events[0]) if label.relevance == "core" else _NOTHING


def _status(counted: set[str]) -> Count:
    def count(label: Label, found: Assessment) -> tuple[float, float, float]:
        if label.relevance != "core":
            return _NOTHING
        return _sets({label.status} & counted, {found.status} & counted)

    return count


def _when(label: Label, found: Assessment) -> tuple[float, float, float]:
    if label.relevance != "core":
        return _NOTHING
    return _sets([label.when] if label.when else [], [found.expected.value] if found.expected else [])


def _roles(label: Label, found: Assessment) -> tuple[float, float, float]:
    """Of the actors found: the share whose role is right."""
    given = {actor.id: actor.role for actor in found.actors if actor.id in label.roles}
    right = sum(label.roles[actor] == role for actor, role in given.items())
    return float(right), float(len(given) - right), float(len(given) - right)


def _f1(sums: Floats) -> Floats:
    whole = 2 * sums[:, 0] + sums[:, 1] + sums[:, 2]
    scores: Floats = np.divide(2 * sums[:, 0], whole, out=np.full(len(sums), np.nan), where=whole > 0)
    return scores


def _area(odds: Floats, truth: NDArray[np.int64], weights: NDArray[np.int64]) -> float:
    """The area under the ROC curve of weighted articles sorted by odds; ties count one half."""
    _, place = np.unique(odds, return_inverse=True)
    core = np.bincount(place, weights * truth)
    none = np.bincount(place, weights * (1 - truth))
    pairs = core.sum() * none.sum()
    return float(((np.cumsum(none) - none / 2) * core).sum() / pairs) if pairs else float("nan")


def _error(odds: Floats, truth: NDArray[np.int64], weights: NDArray[np.int64]) -> float:
    """The mean gap between score and share that is core, over tenths of the score."""
    bins = np.minimum((odds * _BINS).astype(int), _BINS - 1)
    gaps = np.abs(np.bincount(bins, weights * (odds - truth)))
    return float(gaps.sum() / weights.sum()) if weights.sum() else float("nan")


def _interval(samples: Floats) -> tuple[float, float]:
    low, high = np.nanpercentile(samples, [2.5, 97.5]) if len(samples) else (np.nan, np.nan)
    return float(low), float(high)
