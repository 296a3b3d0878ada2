"""What a verdict found, each finding with the words that prove it, ready to be marked and listed."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.classify.wording import in_words
from pipeline.web.highlight import Mark
from schemas.messages import Assessment, Span

KINDS = {
    "actor": "an organisation in the race",
    "product": "its model, app or chip",
    "event": "what kind of development it is",
    "status": "how far it has come",
    "expected": "when it is to come",
    "amount": "a figure the article states",
    "relevance": "why it is about the race",
}
"""Every kind of finding, in the order of the legend, and what it means."""


@dataclass(frozen=True)
class Finding:
    """One label of a verdict. `detail` is what else is said of it: a role, an owner, a score."""

    kind: str
    label: str
    detail: str
    spans: tuple[Span, ...]

    @property
    def words(self) -> list[str]:
        """The article's own words, each once."""
        return list(dict.fromkeys(s.text for s in self.spans))


def findings(verdict: Assessment) -> list[Finding]:
    """All that a verdict says, in the order of `KINDS`."""
    found = [Finding("actor", a.id, a.role, tuple(a.spans)) for a in verdict.actors]
    found += [Finding("product", p.name, p.actor or "", tuple(p.spans)) for p in verdict.products]
    found += [Finding("event", e.id, f"{e.score:.2f}", tuple(e.spans)) for e in verdict.events]
    if verdict.status != "none":
        found.append(Finding("status", verdict.status, "", tuple(verdict.status_spans)))
    if verdict.expected is not None:
        found.append(Finding("expected", verdict.expected.value, "", tuple(verdict.expected.spans)))
    found += [Finding("amount", in_words(a), a.kind, tuple(a.spans)) for a in verdict.amounts]
    relevance = verdict.relevance
    return [
        *found,
        Finding("relevance", relevance.label, f"{relevance.score:.2f}", tuple(relevance.spans)),
    ]


def marks(found: Iterable[Finding], field: str, text: str) -> list[Mark]:
    """The places of findings in the title or the text.

    A span that does not fit the words is of another revision and is left out.
    """
    return [
        Mark(s.start, s.end, f.kind, f"{f.label} ({f.detail})" if f.detail else f.label)
        for f in found
        for s in f.spans
        if s.field == field and text[s.start : s.end] == s.text
    ]
