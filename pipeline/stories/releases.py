"""The release timeline: what each article states about a product version, and the state folded from it.

A `Release` is a pure fold over its statements, oldest first: the same statements give the same state in
whatever order they came.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date

from msgspec.structs import replace

from pipeline.stories.facts import advance, has_version, movers, release_id_of, titled
from schemas.messages import Assessment, Product, Release, ReleaseStatement

_TELLING = ("release", "roadmap")
_SENTENCE = 100  # characters: most sentences of the press are shorter than twice this


def statements(assessment: Assessment) -> dict[str, Release]:
    """The releases an article speaks of, by id, each with its one statement.

    Only a mover's own product with a version counts, where a release or what is ahead is the main matter or
    the next to it: those in the title, else the first one beside the words that carry status, event or date.
    A rival's model, or one of old in the last paragraph, has stated nothing.
    """
    if assessment.relevance.label != "core" or assessment.status == "none":
        return {}
    if not any(e.id in _TELLING for e in assessment.events[:2]):
        return {}
    statement = ReleaseStatement(
        article_id=assessment.article_id,
        url=assessment.url,
        title=assessment.title,
        language=assessment.language,
        feed=assessment.feed,
        published_at=assessment.published_at,
        status=assessment.status,
        expected=assessment.expected.value if assessment.expected else None,
        quote=_quote(assessment),
    )
    own = movers(assessment)
    versions = [p for p in assessment.products if p.actor in own and has_version(p.name)]
    meant = [p for p in versions if p in titled(assessment)] or [p for p in versions if _told(p, assessment)][
        :1
    ]
    found: dict[str, Release] = {}
    for product in meant:
        actor = str(product.actor)  # a mover's own, so never None
        release_id = release_id_of(actor, product.name)
        found[release_id] = release(release_id, actor, product.name, [statement])
    return found


def retell(known: Iterable[Release], assessment: Assessment) -> list[Release]:
    """The releases among `known` and new ones that change by an assessment, in their new state.

    What the same article stated before is replaced, so that saying it twice changes nothing, and an
    article that takes its word back leaves no trace.
    """
    old = {r.release_id: r for r in known}
    new = statements(assessment)
    changed = []
    for release_id in sorted(old.keys() | new.keys()):
        before = old.get(release_id)
        named = before or new[release_id]
        kept = [s for s in before.statements if s.article_id != assessment.article_id] if before else []
        added = new[release_id].statements if release_id in new else []
        after = release(release_id, named.actor, named.product, [*kept, *added])
        if before is None or after != replace(before, version=0):
            changed.append(after)
    return changed


def release(release_id: str, actor: str, product: str, told: Iterable[ReleaseStatement]) -> Release:
    """Fold statements into a state; without any, the status is `none`."""
    ordered = sorted(told, key=lambda s: (s.published_at, s.article_id))
    status, expected, slips = "none", None, 0
    undated = False  # a delay was reported and counted, but not yet the new date
    for s in ordered:
        if status in ("happened", "denied") and advance(status, s.status) == status:
            continue  # the matter is closed: dates told now are of something else
        later = s.expected is not None and expected is not None and _is_later(s.expected, expected)
        if later:
            slips += not undated  # the new date of a delay that was counted when it was reported
            undated = False
        elif s.status == "delayed" != status:
            slips += 1
            undated = True
        expected = s.expected or expected
        status = advance(status, s.status)
    return Release(
        release_id=release_id,
        actor=actor,
        product=product,
        status=status,
        expected=expected,
        slips=slips,
        statements=ordered,
    )


def _told(product: Product, assessment: Assessment) -> bool:
    """Whether a product stands within about a sentence of the words that carry the statement."""
    carriers = [*assessment.status_spans, *assessment.events[0].spans]
    carriers += assessment.expected.spans if assessment.expected else []
    return any(
        p.field == c.field and p.start - _SENTENCE < c.end and c.start < p.end + _SENTENCE
        for p in product.spans
        for c in carriers
    )


def _quote(assessment: Assessment) -> str:
    """The words that carry the statement: of the status, else of the main event, else the title."""
    main = assessment.events[0].spans if assessment.events else []
    return next((s.text for s in (*assessment.status_spans, *main)), assessment.title)


def _is_later(new: str, old: str) -> bool:
    """Whether `new` begins after `old` has ended: `2025-04-28` makes `2025-04` exact and moves nothing."""
    return _period(new)[0] > _period(old)[1]


def _period(expected: str) -> tuple[date, date]:
    """First and last day of `2025`, `2025-Q3`, `2025-04` or `2025-04-17`."""
    year, *rest = expected.split("-")
    if len(rest) == 2:
        day = date.fromisoformat(expected)
        return day, day
    if not rest:
        first, last = 1, 12
    elif rest[0].startswith("Q"):
        last = 3 * int(rest[0][1])
        first = last - 2
    else:
        first = last = int(rest[0])
    return date(int(year), first, 1), date(int(year), last, monthrange(int(year), last)[1])
