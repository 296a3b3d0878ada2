"""The report of `eval` as one HTML page that needs nothing else: no script, no other file, no network."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct

from pipeline.classify.labels import Label
from pipeline.classify.lexicon import EVENTS, STATUSES
from pipeline.classify.scores import Difference, Pair, Scores, main_event, matrix
from schemas.messages import Article, Assessment, Span

Triple = tuple[Label, Article, Assessment]

# A group with fewer articles says nothing; as many of the worst mistakes of a kind are shown.
_LEAST, _WORST = 20, 15
_SHORT = (
    "relevance F1",
    "relevance AUC",
    "actors F1 (all)",
    "products F1",
    "main event right",
    "status right",
)
_RELEVANCE = ("core", "peripheral", "none")


class Mistake(Struct, frozen=True):
    """An article judged wrong: what it should be, what was said, how sure, and the words that carried it."""

    title: str
    url: str
    source: str
    true: str
    given: str
    score: float
    words: list[str]


def page(
    title: str,
    scores: Scores,
    triples: Sequence[Triple],
    listed: Collection[str],
    differences: Sequence[Difference],
) -> str:
    """The page. `listed` are the actors that count as listed, `differences` the gain over another version."""
    pairs = [(label, found) for label, _, found in triples]
    core = [pair for pair in pairs if pair[0].relevance == "core"]
    missed = [*EVENTS, "not core"]
    environment = Environment(
        loader=PackageLoader("pipeline.cli", "."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(
        title=title,
        version=", ".join(sorted({found.classifier for _, found in pairs})[:3]),
        articles=len(pairs),
        figures=scores.figures(),
        differences=differences,
        reliability=scores.reliability(),
        columns=_SHORT,
        groups={
            "Languages": _groups(pairs, listed, lambda label: label.lang),
            "Sources": _groups(pairs, listed, lambda label: label.source),
        },
        matrices={
            "Relevance": (
                _RELEVANCE,
                matrix(pairs, _RELEVANCE, lambda p: (p[0].relevance, p[1].relevance.label)),
            ),
            "Main event": (
                missed,
                matrix(core, missed, lambda p: (p[0].events[0], main_event(p[1]) or "not core")),
            ),
            "Status": (STATUSES, matrix(core, STATUSES, lambda p: (p[0].status, p[1].status))),
        },
        mistakes={
            "Relevance": _worst(triples, _wrong_relevance),
            "Main event": _worst(triples, _wrong_event),
            "Status": _worst(triples, _wrong_status),
        },
    )


def _groups(
    pairs: Sequence[Pair], listed: Collection[str], key: Callable[[Label], str]
) -> list[tuple[str, int, dict[str, float]]]:
    """The figures of each group that is large enough, the largest first."""
    by_key: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_key[key(pair[0])].append(pair)
    large = sorted(
        ((k, v) for k, v in by_key.items() if len(v) >= _LEAST), key=lambda kv: (-len(kv[1]), kv[0])
    )
    return [
        (name, len(group), {figure.name: figure.value for figure in Scores(group, listed).figures()})
        for name, group in large
    ]


Wrong = Callable[[Label, Assessment], tuple[str, str, float, list[Span]] | None]


def _worst(triples: Sequence[Triple], wrong: Wrong) -> list[Mistake]:
    """The mistakes that were made most surely."""
    found = []
    for label, article, assessment in triples:
        if told := wrong(label, assessment):
            true, given, score, spans = told
            words = [span.text for span in spans]
            found.append(Mistake(article.title, article.url, label.source, true, given, score, words))
    return sorted(found, key=lambda mistake: (-mistake.score, mistake.title))[:_WORST]


def _wrong_relevance(label: Label, found: Assessment) -> tuple[str, str, float, list[Span]] | None:
    given = found.relevance
    if {label.relevance, given.label} != {"core", "none"}:
        return None
    sure = given.score if given.label == "core" else 1 - given.score
    return label.relevance, given.label, sure, given.spans


def _wrong_event(label: Label, found: Assessment) -> tuple[str, str, float, list[Span]] | None:
    if label.relevance != "core" or not found.events or found.events[0].id in label.events:
        return None
    return ", ".join(label.events), found.events[0].id, found.events[0].score, found.events[0].spans


def _wrong_status(label: Label, found: Assessment) -> tuple[str, str, float, list[Span]] | None:
    if label.relevance != "core" or found.relevance.label != "core" or label.status == found.status:
        return None
    return label.status, found.status, found.relevance.score, found.status_spans
