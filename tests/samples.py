"""Made-up articles and a stub classifier for tests of the machinery, not of verdicts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.codec import OutRecord, record
from schemas.messages import Actor, Article, Assessment, DeadLetter, Event, FeedRef, Product, Relevance, Span
from schemas.topics import Topic

START = datetime(2025, 4, 1, 8, 0, tzinfo=UTC)


def article(
    number: int, *, revision: int = 0, kind: str = "article", feed: str = "feed-a", later: int = 0
) -> Article:
    """Article `number`; `later` is minutes after the first observation."""
    return Article(
        article_id=f"{number:024x}",
        revision=f"r{number}-{revision}",
        kind=kind,
        url=f"https://news.example/{number}",
        title=f"OpenAI releases GPT-{number}",
        text=f"Revision {revision} of text {number}.",
        language="en",
        published_at=START + timedelta(minutes=number),
        published_precision="second",
        observed_at=START + timedelta(minutes=number + later),
        feed=FeedRef(id=feed, kind="press", rank=2),
    )


def dead_letter(topic: str, **changes: Any) -> DeadLetter:
    """A record of `topic` that could not be decoded."""
    made = DeadLetter(
        topic=topic,
        partition=0,
        offset=0,
        timestamp=START,
        key=b"k",
        value=b"v",
        headers=[],
        reason="decode",
        errors=["x"],
        fingerprint="f",
        worker="classifier",
        worker_version="v",
        failed_at=START,
    )
    return msgspec.structs.replace(made, **changes)


def out(topic: Topic, given: Article) -> OutRecord:
    """The record a poll publishes of an article."""
    event_id = f"{given.article_id}:{given.revision}:{given.feed.id}"
    return record(topic, given, time=given.observed_at, event_id=event_id)


class StubClassifier:
    """Calls everything core, moved by OpenAI, with the title's last word as product; raises on `poison`."""

    version = "stub-1"

    def assess(self, article: Article) -> Assessment:
        if "poison" in article.text:
            raise ValueError(f"poison in {article.article_id}")
        name = article.title.split()[-1]
        start = article.title.index(name)
        span = Span(field="title", start=start, end=start + len(name), text=name)
        return Assessment(
            article_id=article.article_id,
            revision=article.revision,
            classifier=self.version,
            url=article.url,
            title=article.title,
            language=article.language,
            published_at=article.published_at,
            feed=article.feed.id,
            relevance=Relevance(label="core", score=0.9, spans=[span]),
            actors=[Actor(id="openai", role="mover", spans=[span])],
            products=[Product(name=name, actor="openai", spans=[span])],
            events=[Event(id="release", score=0.9, spans=[span])],
            status="happened",
            status_spans=[span],
            expected=None,
        )
