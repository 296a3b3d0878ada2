"""How much of publishers' words leaves for others: one rule, for their topics and for the pages.

`full` is all that a message has. `quotes` leaves titles and short quotations: of an article's text at most
QUOTED characters in a message. `title` leaves titles alone, `none` no words at all. Labels, names, figures,
dates and addresses are facts and stay. A `Span` stays as it is or is left out, so that it is always true.

Not here: where it is applied. That is the relay (`pipeline/workers/relay.py`) and the pages
(`pipeline/web/reading.py`); the store and `news.*` are for ourselves and stay whole.
"""

from typing import Literal, TypeVar

from msgspec.structs import replace

from schemas.messages import Article, Assessment, Message, Release, ReleaseStatement, Span, Story

Words = Literal["full", "quotes", "title", "none"]
QUOTED = 200  # characters: a sentence or two, what a search engine shows of a page

M = TypeVar("M", bound=Message)


def republished(message: M, words: Words) -> M:
    """The message as others get it. What is no article, verdict, story or release is left as it is."""
    if words == "full":
        return message
    found: Message = message
    if isinstance(message, Article):
        found = replace(message, title=_title(message.title, words), text="")
    elif isinstance(message, Assessment):
        found = _verdict(message, words)
    elif isinstance(message, Story):
        articles = [replace(a, title=_title(a.title, words)) for a in message.articles]
        found = replace(message, title=_title(message.title, words), articles=articles)
    elif isinstance(message, Release):
        found = replace(message, statements=[_statement(s, words) for s in message.statements])
    return found  # type: ignore[return-value]  # each is of its own type still


def _title(title: str, words: Words) -> str:
    return "" if words == "none" else title


def _statement(said: ReleaseStatement, words: Words) -> ReleaseStatement:
    """What carries a statement is its title where its quote may not be shown, as where there is none."""
    title = _title(said.title, words)
    stays = said.quote in title or (words == "quotes" and len(said.quote) <= QUOTED)
    return replace(said, title=title, quote=said.quote if stays else title)


def _verdict(verdict: Assessment, words: Words) -> Assessment:
    """Spans are taken in the order of the message, as long as what they quote of the text is short enough."""
    quoted: set[int] = set()

    def kept(spans: list[Span]) -> list[Span]:
        return [span for span in spans if fits(span)]

    def fits(span: Span) -> bool:
        if span.field == "title" or words != "quotes":
            return span.field == "title" and words != "none"
        more = quoted.union(range(span.start, span.end)) if len(span.text) <= QUOTED else None
        if more is None or len(more) > QUOTED:
            return False
        quoted.update(more)
        return True

    relevance = replace(verdict.relevance, spans=kept(verdict.relevance.spans))
    expected = verdict.expected
    return replace(
        verdict,
        title=_title(verdict.title, words),
        relevance=relevance,
        actors=[replace(a, spans=kept(a.spans)) for a in verdict.actors],
        products=[replace(p, spans=kept(p.spans)) for p in verdict.products],
        events=[replace(e, spans=kept(e.spans)) for e in verdict.events],
        status_spans=kept(verdict.status_spans),
        amounts=[replace(a, spans=kept(a.spans)) for a in verdict.amounts],
        expected=expected and replace(expected, spans=kept(expected.spans)),
    )
