"""A small press for tests of the pages: one story in three languages, a release line, and hostile words."""

import dataclasses
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import Connection

from pipeline.store.tales import save_decision
from pipeline.store.verdicts import save_articles, save_assessments
from pipeline.stories import Settings, State, decide
from schemas.messages import (
    Actor,
    Amount,
    Article,
    Assessment,
    Event,
    FeedRef,
    Forecast,
    Product,
    Relevance,
    Span,
    Story,
)
from schemas.topics import ASSESSMENTS, RELEASES, STORIES, Topic

START = datetime(2025, 4, 1, 8, tzinfo=UTC)
MERGED = "story-merged"
RUMOUR, DELAY, RELEASED, HOSTILE, ASIDE = (n * 24 for n in "abcde")
HOSTILE_TITLE = "<script>document.title = 'owned'</script> & <b>OpenAI</b>"
HOSTILE_TEXT = '"><img src=https://elsewhere.example/x.png>' + "A" * 200


def article(article_id: str, day: int, language: str, title: str, text: str, url: str = "") -> Article:
    return Article(
        article_id=article_id,
        revision=f"{article_id[:4]}-1",
        kind="article",
        url=url or f"https://paper.example/{article_id}",
        title=title,
        text=text,
        language=language,
        published_at=START + timedelta(days=day),
        published_precision="second",
        observed_at=START + timedelta(days=day, minutes=5),
        feed=FeedRef(id=f"paper-{language}", kind="press", rank=2),
    )


ARTICLES = [
    article(
        RUMOUR, 0, "zh", "消息称阿里巴巴将于4月发布Qwen 3", "知情人士称，新模型最快4月推出。公司没有回应。"
    ),
    article(
        DELAY,
        3,
        "en",
        "Alibaba delays Qwen 3",
        "The model needs more time. It is now due at the end of April.",
    ),
    article(
        RELEASED,
        6,
        "de",
        "Alibaba veröffentlicht Qwen 3",
        "Das Modell mit 235 Milliarden Parametern steht ab sofort allen offen.",
    ),
    article(HOSTILE, 7, "en", HOSTILE_TITLE, HOSTILE_TEXT, "javascript:alert(1)"),
    article(ASIDE, 7, "en", "How a bakery uses chatbots", "Orders come in at night."),
]


def spans(of: Article, *words: str) -> list[Span]:
    """Each word where it first stands, in the title or else in the text."""
    found = []
    for word in words:
        field, inside = ("title", of.title) if word in of.title else ("text", of.text)
        start = inside.index(word)
        found.append(Span(field=field, start=start, end=start + len(word), text=word))
    return found


def verdict(
    of: Article, actor: str, product: str, event: str, said: str, status: str, expected: str = ""
) -> Assessment:
    """A core verdict; the words are looked up in the article, `said` are those of event and status."""
    mover = {"阿里巴巴": "alibaba", "Alibaba": "alibaba", "OpenAI": "openai"}[actor]
    return Assessment(
        article_id=of.article_id,
        revision=of.revision,
        classifier="classifier-of-the-test",
        url=of.url,
        title=of.title,
        language=of.language,
        published_at=of.published_at,
        feed=of.feed.id,
        relevance=Relevance(label="core", score=0.97, spans=spans(of, actor)),
        actors=[Actor(id=mover, role="mover", spans=spans(of, actor))],
        products=[Product(name=product, actor=mover, spans=spans(of, product))] if product else [],
        events=[Event(id=event, score=0.9, spans=spans(of, said))],
        status=status,
        status_spans=spans(of, said),
        expected=Forecast(value="2025-04", spans=spans(of, expected)) if expected else None,
    )


def verdicts() -> list[Assessment]:
    rumour, delay, released, hostile, aside = ARTICLES
    return [
        verdict(rumour, "阿里巴巴", "Qwen 3", "roadmap", "发布Qwen 3", "rumoured", "4月"),
        verdict(delay, "Alibaba", "Qwen 3", "roadmap", "delays", "delayed", "the end of April"),
        replace(
            verdict(released, "Alibaba", "Qwen 3", "release", "veröffentlicht", "happened"),
            amounts=[
                Amount(
                    kind="parameters",
                    value="235000000000",
                    unit="parameters",
                    spans=spans(released, "235 Milliarden Parametern"),
                )
            ],
        ),
        verdict(hostile, "OpenAI", "", "strategy", "owned", "none"),
        Assessment(
            article_id=aside.article_id,
            revision=aside.revision,
            classifier="classifier-of-the-test",
            url=aside.url,
            title=aside.title,
            language=aside.language,
            published_at=aside.published_at,
            feed=aside.feed.id,
            relevance=Relevance(label="peripheral", score=0.1, spans=[]),
            actors=[],
            products=[],
            events=[],
            status="none",
            status_spans=[],
            expected=None,
        ),
    ]


def fill(tx: Connection, topics: dict[str, Topic]) -> Story:
    """Write all of it as the workers would, and an older story merged into the one that is returned."""
    told = verdicts()
    save_articles(tx, ARTICLES)
    found = {(v.article_id, v.revision): v for v in told}
    save_assessments(tx, topics[ASSESSMENTS], [a.article_id for a in ARTICLES], found)
    decision = decide(told, State(), Settings())
    story = next(s for s in decision.stories if s.products == ["Qwen 3"])
    merged = replace(
        story, story_id=MERGED, title="Qwen 3 im April?", articles=[], merged_into=story.story_id
    )
    stories = (*decision.stories, merged)
    save_decision(tx, topics[STORIES], topics[RELEASES], dataclasses.replace(decision, stories=stories))
    return story
