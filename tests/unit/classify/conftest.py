"""An article in one line, assessed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipeline.assets import classifier
from pipeline.classify import Classifier
from schemas.messages import Article, Assessment, FeedRef

Assess = Callable[..., Assessment]


def make_article(title: str, text: str = "", published: str = "2025-04-01", url: str = "") -> Article:
    """An article of an ordinary newspaper."""
    day = datetime.fromisoformat(published).replace(tzinfo=UTC)
    return Article(
        article_id="a1",
        revision="r1",
        kind="article",
        url=url,
        title=title,
        text=text,
        language="und",
        published_at=day,
        published_precision="day",
        observed_at=day,
        feed=FeedRef(id="paper", kind="press", rank=2),
    )


@pytest.fixture(scope="session")
def shipped() -> Classifier:
    return classifier()


@pytest.fixture(scope="session")
def assess(shipped: Classifier) -> Assess:
    return lambda *args, **kwargs: shipped.assess(make_article(*args, **kwargs))
