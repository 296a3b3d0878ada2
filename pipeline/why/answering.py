"""What became of an address, step by step, in words. Made of values alone, the time included.

Words of feeds stand in it as they came: whoever shows it escapes them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pipeline.classify.explain import Explanation, Reason
from pipeline.store.tracing import Carrier, Letter, Placed, Trace
from pipeline.stories.facts import product_key
from pipeline.stories.fold import centre
from pipeline.stories.likeness import overlap
from pipeline.stories.values import Member
from pipeline.why.asking import Asked
from schemas.messages import Assessment
from schemas.topics import ARTICLES, BACKFILL

Outcome = Literal[
    "never-seen",
    "refused",
    "taken-down",
    "dead-letter",
    "in-flight",
    "not-judged",
    "not-core",
    "not-told",
    "story",
]
"""How far an article has come: the last step that it reached, or the one that stopped it."""

_SHOWN = 10
_WEIGHTIEST = 5
_SOON = timedelta(minutes=10)  # what was published since then may well be on its way
_KEPT = timedelta(days=30)  # how long the topic of articles holds a record


@dataclass(frozen=True)
class Step:
    """One step of the way: what is said of it, and what is worth knowing beside."""

    name: str
    says: str
    details: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """What became of an address. `found`: anything at all is known of it."""

    asked: str
    article_id: str
    outcome: Outcome
    steps: Sequence[Step]

    @property
    def found(self) -> bool:
        return self.outcome != "never-seen"


def answer(
    question: Asked, trace: Trace, explained: Sequence[Explanation], classifier: str, now: datetime
) -> Answer:
    """Say it. `explained` is the stored article's verdict by `classifier`, the one at hand."""
    steps = [Step("address", *_address(question, trace)), Step("feeds", *_feeds(question, trace))]
    steps.append(Step("seen", *_seen(trace)))
    if trace.refusals:
        steps.append(Step("refused", *_refused(trace)))
    if trace.forgotten_at:
        at = _when(trace.forgotten_at)
        steps.append(
            Step("taken down", f"on {at} (`racewire forget`); it is neither published nor stored again")
        )
    if trace.known or trace.article:
        steps.append(Step("stored", *_stored(trace, now)))
    if trace.letters:
        steps.append(Step("dead letters", f"{len(trace.letters)} of its records", _letters(trace.letters)))
    if trace.article:
        steps.append(Step("verdict", *_verdict(trace, explained, classifier)))
    if trace.verdict:
        steps.append(Step("story", *_story(trace)))
    if trace.releases:
        steps.append(Step("releases", f"it feeds {len(trace.releases)} release lines", _releases(trace)))
    return Answer(question.words, trace.article_id, outcome(trace), steps)


def outcome(trace: Trace) -> Outcome:
    """The one word for it."""
    if trace.forgotten_at:
        return "taken-down"
    if trace.placed:
        return "story"
    if trace.verdict:
        return "not-told" if trace.verdict.relevance.label == "core" else "not-core"
    if any(letter.state in ("open", "redriven", "discarded") for letter in trace.letters):
        return "dead-letter"
    if trace.article:
        return "not-judged"
    if trace.known:
        return "in-flight"
    return "refused" if trace.refusals else "never-seen"


Said = tuple[str, Sequence[str]]


def _address(question: Asked, trace: Trace) -> Said:
    if question.bad:
        return f"can be no article's: {question.bad}", ()
    told = []
    if trace.alias:
        told.append(f"{trace.alias} is another address of {trace.article_id}: its page names that one")
    url = trace.article.url if trace.article else question.url
    return f"{url or 'none known'}, id {trace.article_id}", told


def _feeds(question: Asked, trace: Trace) -> Said:
    mine = {*(trace.known.carriers if trace.known else ()), *(s.feed for s in trace.sightings)}
    if not trace.carriers:
        host = question.hosts[0] if question.hosts else ""
        advice = f"; `racewire feeds add {host}` looks for one" if host else ""
        return f"the registry has no feed of {host or 'its site'}{advice}", ()
    says = f"{len(trace.carriers)} of its site or carrying it"
    return says, [_carrier(c, c.feed.id in mine) for c in trace.carriers[:_SHOWN]]


def _carrier(c: Carrier, carries: bool) -> str:
    parts = [f"{c.feed.id} ({c.feed.url})"]
    if carries:
        parts.append("carries it")
    if c.shows:
        parts.append("has it in its last document")
    parts.append(f"removed from the registry on {_when(c.removed_at)}" if c.removed_at else c.status)
    if c.polled_at is None:
        parts.append("never polled")
    else:
        took = f"{c.fetch}: {c.detail}" if c.detail else c.fetch
        figures = f"{c.entries} entries, {c.fresh} new, {c.rejects} refused" if c.entries else "nothing read"
        parts.append(f"last poll {_when(c.polled_at)} ({took}; {figures})")
    if not c.removed_at:
        parts.append(f"next {_when(c.next_poll_at)}" if c.next_poll_at else "polled no more")
    return ", ".join(parts)


def _seen(trace: Trace) -> Said:
    moments = [s.seen_at for s in trace.sightings] + [at for *_, at in trace.revisions]
    known = trace.known
    if known is None:
        if not trace.article:
            return "never, by any feed: no poll remembers it", ()
        return f"since {_when(min(moments))}, and no poll remembers it any more", _carried(trace)
    if known.precision == "observed":
        moments.append(known.published_at)
    since = f"since {_when(min(moments))}" if moments else "yes"
    of = "history" if known.history else "news"
    says = f"{since}, as {of}; {known.owner} owns it; {known.published} messages about it"
    if known.observed_at:
        says += f", the last on {_when(known.observed_at)}"
    return says, _carried(trace) or [f"carried by {', '.join(sorted(known.carriers))}"]


def _carried(trace: Trace) -> list[str]:
    return [f"{_when(s.seen_at)} {s.feed} {s.url}" for s in trace.sightings[:_SHOWN]]


def _refused(trace: Trace) -> Said:
    last = trace.refusals[0]
    details = [
        f"{_when(r.at)} {r.feed_id}, poll {r.poll}: {r.reason}: {r.why}" for r in trace.refusals[:_SHOWN]
    ]
    return f"by {len(trace.refusals)} of the newest polls, last as {last.reason}", details


def _stored(trace: Trace, now: datetime) -> Said:
    if trace.article and trace.stored_at:
        says = f"on {_when(trace.stored_at)}, now as revision {trace.article.revision}"
        if trace.provisional:
            says += "; only a sighting has come as yet, its own record has not"
        return says, [
            f"{_when(at)} {feed} {revision} “{title}”" for revision, title, feed, at in trace.revisions
        ]
    topic = BACKFILL if trace.known and trace.known.history else ARTICLES
    at = trace.known.observed_at if trace.known else None
    if trace.forgotten_at:
        return "no: it was taken down", ()
    if any(letter.state == "open" for letter in trace.letters):
        return f"no: published on {topic}, and its record became a dead letter", ()
    if at is None or now - at > _KEPT:
        return f"no: {topic} holds it no more and the store has lost it, or was restored without it", ()
    if now - at > _SOON:
        advice = "`racewire status` shows who is behind, `racewire reconcile` whether it is lost"
        return f"not yet: published on {topic} on {_when(at)}; {advice}", ()
    return f"not yet: published on {topic} on {_when(at)} and on its way", ()


def _letters(letters: Sequence[Letter]) -> list[str]:
    return [
        f"{d.number} ({d.state}) {_when(d.letter.failed_at)} {d.letter.topic}: {d.letter.reason}: "
        f"{(*d.letter.errors, 'no reason kept')[0]}; `racewire dead-letters show {d.number}`"
        for d in letters[:_SHOWN]
    ]


def _verdict(trace: Trace, explained: Sequence[Explanation], classifier: str) -> Said:
    v = trace.verdict
    if v is None:
        return "none yet: `racewire reassess` judges what has none", ()
    says = f"{v.relevance.label}, {v.relevance.score:.2f} sure of core; version {v.version} by classifier "
    says += f"{v.classifier}, written {_when(trace.written_at)}"
    details = []
    if trace.article and v.revision != trace.article.revision:
        details.append(f"it is on an earlier revision, {v.revision}")
    if v.classifier != classifier:
        details.append(
            f"the classifier at hand is {classifier}, whose weights are shown: `racewire reassess`"
        )
    return says, [*details, *_missing(v, explained), *_evidence(explained), *_labels(v)]


def _missing(v: Assessment, explained: Sequence[Explanation]) -> Iterator[str]:
    """What kept it from being core, or by how much it is."""
    if v.relevance.label == "none":
        yield "none: no word of AI or chips is in it, so nothing else counts"
    for line in _lines(explained):
        needed = line.needed or 0.0
        missing = "" if line.chance >= needed else ": that is missing"
        sure = f"{line.chance:.2f} sure that it is {_LINES[line.kind]}"
        yield f"{line.kind}: {sure}, {needed:.2f} needed{missing}"


_LINES = {"relevance": "core and not none", "focus": "core and not peripheral"}


def _lines(explained: Sequence[Explanation]) -> list[Explanation]:
    return [one for one in explained if one.kind in _LINES]


def _evidence(explained: Sequence[Explanation]) -> Iterator[str]:
    for line in _lines(explained):
        for side, sign in (("for", 1), ("against", -1)):
            for reason in [r for r in line.reasons if r.weight * sign > 0][:_WEIGHTIEST]:
                yield f"{side} {line.kind}: {_reason(reason)}"


def _reason(reason: Reason) -> str:
    words = ", ".join(f"“{word[:80]}”" for word in reason.words)
    return f"{reason.weight:+.2f} {reason.said}" + (f" {words}" if words else "")


def _labels(v: Assessment) -> Iterator[str]:
    yield "actors: " + (", ".join(f"{a.id} ({a.role})" for a in v.actors) or _no("actor", v))
    if v.products:
        yield "products: " + ", ".join(p.name for p in v.products)
    yield "events: " + (", ".join(f"{e.id} {e.score:.2f}" for e in v.events) or _no("event", v))
    if v.status != "none":
        yield f"status: {v.status}" + (f", expected {v.expected.value}" if v.expected else "")


def _no(kind: str, v: Assessment) -> str:
    label = v.relevance.label
    if kind == "actor" and label != "none":
        return "none found: nobody of the lexicon is named"
    return f"not looked for: it is {label}" if label != "core" else "none found"


def _story(trace: Trace) -> Said:
    if trace.placed is None:
        if trace.verdict and trace.verdict.relevance.label == "core":
            return "not told yet: the storyteller has not come to this verdict (`racewire status`)", ()
        return "none: stories are of core articles alone", ()
    placed = trace.placed
    s = placed.story
    says = f"{s.story_id} “{s.title}”: {len(s.articles)} articles, version {s.version}"
    return f"{says} told {_when(placed.written_at)}", list(_members(placed, trace.article_id))


def _members(placed: Placed, article_id: str) -> Iterator[str]:
    middle = centre(placed.members)
    me = [m for m in placed.members if m.article.article_id == article_id]
    others = [m for m in placed.members if m not in me]
    for m in (*me, *others[:_SHOWN]):
        a = m.article
        mark = "this article" if m in me else f"{a.feed} ({a.language}) “{a.title}”"
        yield f"{a.published_at:%Y-%m-%d} {mark}: " + (
            "it founded the story" if m == middle else _shared(m, middle)
        )
    if len(placed.story.articles) > _SHOWN + 1:
        yield "and more"


def _shared(m: Member, middle: Member) -> str:
    """What an article has in common with the one that the story is about."""
    keys = {product_key(p) for p in middle.products}
    shared = [a for a in m.actors if a in middle.actors]
    shared += [p for p in m.products if product_key(p) in keys]
    shared += [e for e in m.events if e in middle.events]
    words = f"{overlap(middle.article.title, m.article.title):.0%} of the title's words"
    return f"shares {', '.join(shared) or 'nothing any more'} and {words} with its founder"


def _releases(trace: Trace) -> list[str]:
    told = []
    for r, at in trace.releases:
        mine = next((s for s in r.statements if s.article_id == trace.article_id), None)
        says = (
            f": this article says {mine.status}" + (f" “{mine.quote}”" if mine.quote else "") if mine else ""
        )
        told.append(f"{r.release_id} ({r.product}), {r.status}, version {r.version} told {_when(at)}{says}")
    return told


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown time"
