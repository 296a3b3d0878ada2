"""What leaves for others has no more of publishers' words than the setting allows, whatever the words are.

Titles are of Cyrillic letters, texts of Greek ones and everything else of Latin: so each is found anywhere.
"""

import re
from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.messages import (
    Actor,
    Article,
    Assessment,
    Event,
    FeedRef,
    Forecast,
    Message,
    Product,
    Release,
    ReleaseStatement,
    Relevance,
    Span,
    Story,
    StoryArticle,
)
from schemas.republish import QUOTED, Words, republished

LEVELS: tuple[Words, ...] = get_args(Words)
AT = datetime(2025, 4, 1, tzinfo=UTC)
TITLE, TEXT = re.compile("[а-я]"), re.compile("[α-ω]")
titles, texts = st.text("абвгд ", max_size=300), st.text("αβγδε ", max_size=900)
facts = {"article_id": "a", "url": "https://paper.example/a", "language": "en", "published_at": AT}


@st.composite
def articles(draw: st.DrawFn) -> Article:
    return Article(
        **facts,
        revision="r",
        kind="article",
        title=draw(titles),
        text=draw(texts),
        published_precision="second",
        observed_at=AT,
        feed=FeedRef(id="f", kind="press", rank=1),
    )


@st.composite
def verdicts(draw: st.DrawFn) -> tuple[Article, Assessment]:
    """An article and a verdict whose spans are its own words, of any length and at any place."""
    article = draw(articles())

    def spans() -> list[Span]:
        found = []
        for field in draw(st.lists(st.sampled_from(["title", "text"]), max_size=4)):
            words = getattr(article, field)
            start, end = sorted(draw(st.tuples(*[st.integers(0, len(words))] * 2)))
            found.append(Span(field=field, start=start, end=end, text=words[start:end]))
        return found

    verdict = Assessment(
        **facts,
        revision="r",
        classifier="c",
        title=article.title,
        feed="f",
        relevance=Relevance(label="core", score=1, spans=spans()),
        actors=[Actor(id="openai", role="mover", spans=spans())],
        products=[Product(name="GPT-9", actor="openai", spans=spans())],
        events=[Event(id="release", score=1, spans=spans())],
        status="happened",
        status_spans=spans(),
        expected=draw(st.sampled_from([None, Forecast(value="2025", spans=spans())])),
    )
    return article, verdict


@st.composite
def tales(draw: st.DrawFn) -> Message:
    """A story or a release line; a quote is of the title or of the text."""
    title = draw(titles)
    named = {**facts, "title": title, "feed": "f", "status": "happened"}
    if draw(st.booleans()):
        return Story(
            story_id="s",
            title=draw(titles),
            actors=["openai"],
            products=["GPT-9"],
            events=["release"],
            status="happened",
            languages=["en"],
            articles=[StoryArticle(**named)],
            first_published_at=AT,
            last_published_at=AT,
        )
    quote = draw(st.one_of(texts, st.integers(0, len(title)).map(lambda start: title[start:])))
    told = ReleaseStatement(**named, expected=None, quote=quote)
    return Release(
        release_id="r",
        actor="openai",
        product="GPT-9",
        status="happened",
        expected=None,
        slips=0,
        statements=[told],
    )


def spans_of(verdict: Assessment) -> list[Span]:
    labelled = [verdict.relevance, *verdict.actors, *verdict.products, *verdict.events]
    labelled += [verdict.expected] if verdict.expected else []
    return [*(span for one in labelled for span in one.spans), *verdict.status_spans]


def check(message: Message, words: Words) -> Message:
    """The message as others get it, which has no word that it may not have."""
    found = republished(message, words)
    sent = encode(found).decode()
    if words == "full":
        assert found == message
    if words == "none":
        assert not TITLE.search(sent)
    if words in ("none", "title"):
        assert not TEXT.search(sent)
    assert republished(found, words) == found
    return found


@pytest.mark.parametrize("words", LEVELS)
@given(articles(), tales())
def test_articles_stories_and_release_lines(words: Words, article: Article, tale: Message) -> None:
    shown = check(article, words)
    assert isinstance(shown, Article)
    assert shown.text == (article.text if words == "full" else "")
    told = check(tale, words)
    if isinstance(told, Release) and words != "full":
        (said,) = told.statements
        assert said.quote in said.title or (words == "quotes" and len(said.quote) <= QUOTED)


@pytest.mark.parametrize("words", LEVELS)
@given(verdicts())
def test_a_verdicts_spans_are_true_and_few_enough(words: Words, given: tuple[Article, Assessment]) -> None:
    article, verdict = given
    found = check(verdict, words)
    assert isinstance(found, Assessment)
    spans = spans_of(found)
    assert all(getattr(article, s.field)[s.start : s.end] == s.text for s in spans)
    if words == "full":
        return
    quoted = {at for s in spans if s.field == "text" for at in range(s.start, s.end)}
    assert len(quoted) <= (QUOTED if words == "quotes" else 0)
    of_title = [s for s in spans_of(verdict) if s.field == "title"]
    assert [s for s in spans if s.field == "title"] == (of_title if words != "none" else [])
    few = {at for s in spans_of(verdict) if s.field == "text" for at in range(s.start, s.end)}
    if words == "quotes" and len(few) <= QUOTED:
        assert found == verdict  # what is quoted sparingly stays whole


@pytest.mark.parametrize("words", LEVELS)
def test_facts_stay(words: Words) -> None:
    tale = republished(
        Story(
            story_id="s",
            version=3,
            title="t",
            actors=["openai"],
            products=["GPT-9"],
            events=[],
            status="happened",
            languages=["en"],
            articles=[StoryArticle(**facts, title="t", feed="f", status="happened")],
            first_published_at=AT,
            last_published_at=AT,
        ),
        words,
    )
    assert (tale.version, tale.products, tale.articles[0].url) == (3, ["GPT-9"], facts["url"])
