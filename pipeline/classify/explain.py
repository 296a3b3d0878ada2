"""Why a verdict is what it is: for each label the words that carried it, what spoke against, and how much.

A label's log-odds are a sum, so its reasons are the summands. A phrase counts twice, as itself and as its
signal: the two are one reason here.
"""

from collections.abc import Iterable

from msgspec import Struct

from schemas.messages import Article, Assessment

from .classifier import Classifier
from .lexicon import EVENTS, STATUSES
from .scoring import Weighed, probability
from .signals import Feature

_SHAPES = {
    "bias": "to begin with",
    "actor": "an actor is named",
    "native": "a name that is AI's own",
    "product": "a product is named",
    "version": "a version is named",
    "first": "an actor comes first",
    "actors-2": "two actors",
    "actors-3": "three actors",
    "own-site": "on the actor's own site",
    "no-text": "a title alone",
}
_SHOWN = 0.05  # in log-odds: what weighs less is counted among the rest


class Reason(Struct, frozen=True):
    """What has a share in a label's log-odds: a signal or a shape, with the article's words if it has any."""

    name: str
    weight: float
    words: list[str]

    @property
    def said(self) -> str:
        """Its name, or what a shape is in words."""
        return _SHAPES.get(self.name, self.name)


class Explanation(Struct, frozen=True):
    """One label: whether it was given, its probability and the least one where there is a line.

    `reasons` are the strongest first, for it (positive) and against it; `rest` is what the small ones add.
    """

    kind: str
    label: str
    given: bool
    chance: float
    needed: float | None
    reasons: list[Reason]
    rest: float


def explain(classifier: Classifier, article: Article) -> tuple[Assessment, list[Explanation]]:
    """The verdict on an article, and why: relevance, each event and status that was given, and the next best.

    An event that a heading far down was read for has its words in the verdict alone.
    """
    verdict, weighed = classifier.assess(article), classifier.weighed(article)
    lines = classifier.settings
    core = verdict.relevance.label == "core"
    told = [
        _one(weighed, "relevance", "core", "core", core, lines.core),
        _one(weighed, "focus", "core", "focus", core, lines.focus),
    ]
    if not core:
        return verdict, told
    given = [event.id for event in verdict.events]
    odds = weighed.log_odds()
    others = sorted((e for e in EVENTS if e not in given), key=lambda e: -odds[e])[:1]
    for event in (*given, *others):
        needed = None if event == given[0] else lines.event
        told.append(_one(weighed, "event", event, event, event in given, needed))
    by_odds = sorted(STATUSES, key=lambda status: -odds[f"status-{status}"])
    for status in by_odds[:2]:
        given_status = status == verdict.status
        told.append(_one(weighed, "status", status, f"status-{status}", given_status, None))
    return verdict, told


def _one(
    weighed: Weighed,
    kind: str,
    label: str,
    head: str,
    given: bool,
    needed: float | None,
) -> Explanation:
    together: dict[str, float] = {}
    for name, share in weighed.shares(head).items():
        reason = _reason(name)
        together[reason] = together.get(reason, 0.0) + share
    reasons = [
        Reason(name, round(weight, 3), _words(f for n, f in weighed.features.items() if _reason(n) == name))
        for name, weight in sorted(together.items(), key=lambda item: (-abs(item[1]), item[0]))
        if abs(weight) >= _SHOWN
    ]
    whole = sum(together.values())
    rest = whole - sum(reason.weight for reason in reasons)
    return Explanation(kind, label, given, round(probability(whole), 4), needed, reasons, round(rest, 3))


def _reason(feature: str) -> str:
    """`delay@title` and `delay:verschiebt` are both of the signal `delay`."""
    return feature.partition("@")[0].partition(":")[0]


def _words(features: Iterable[Feature]) -> list[str]:
    found = []
    for feature in features:
        for field, start, end in feature.places:
            first, last = field.back(start, end)
            found.append(field.original[first:last])
    return list(dict.fromkeys(found))[:4]
