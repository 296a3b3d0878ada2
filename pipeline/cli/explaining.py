"""How a verdict reads in a terminal: each label with the words that carry it, and why it was given."""

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from pipeline.classify.explain import Explanation, Reason
from pipeline.classify.wording import in_words
from schemas.messages import Assessment, Span

_MOST = 6  # reasons shown for a label, and as many against it


def verdict_lines(a: Assessment) -> Iterator[Text]:
    """A line a label, with the article's own words."""
    facts = [("relevance", f"{a.relevance.label} ({a.relevance.score:.2f})", a.relevance.spans)]
    facts += [("actor", f"{x.id} ({x.role})", x.spans) for x in a.actors]
    facts += [("product", f"{p.name} ({p.actor or 'owner unknown'})", p.spans) for p in a.products]
    facts += [("event", f"{e.id} ({e.score:.2f})", e.spans) for e in a.events]
    facts.append(("status", a.status, a.status_spans))
    if a.expected:
        facts.append(("expected", a.expected.value, a.expected.spans))
    facts += [("amount", in_words(amount), amount.spans) for amount in a.amounts]
    for kind, value, spans in facts:
        yield Text.assemble((f"{kind:10}", "cyan"), f"{value:32} ", _proof(spans))


def reason_lines(verdict: Assessment, explained: Iterable[Explanation]) -> Iterator[Text]:
    """A block a label: how sure, then what spoke for it and what against, in log-odds."""
    if verdict.relevance.label == "none":
        yield Text("\nno word of AI or chips and no name that is AI's own: none, whatever else speaks for it")
    for one in explained:
        line = f", {one.needed:.2f} needed" if one.needed is not None else ""
        words = {"relevance": f"{one.label} and not none", "focus": f"{one.label} and not peripheral"}
        name = words.get(one.kind, one.label)
        given = "" if one.given else " (not given)"
        yield Text.assemble(
            "\n", (f"{one.kind:10}", "cyan"), (f"{name}{given}", "bold"), f"  {one.chance:.2f}{line}"
        )
        for sign in (1, -1):
            reasons = [reason for reason in one.reasons if reason.weight * sign > 0]
            yield from map(_reason, reasons[:_MOST])
            if more := reasons[_MOST:]:
                yield Text(f"{'':10}{sum(r.weight for r in more):+6.2f}  {len(more)} more")


def _reason(reason: Reason) -> Text:
    return Text.assemble(f"{'':10}{reason.weight:+6.2f}  {reason.said:26} ", _quoted(reason.words))


def _proof(spans: Sequence[Span]) -> Text:
    return _quoted(list(dict.fromkeys(span.text for span in spans))[:6])


def _quoted(words: Sequence[str]) -> Text:
    return Text(" · ".join(f"“{w}”" for w in words), style="italic")
