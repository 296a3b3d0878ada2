"""The classifier: articles in, verdicts out. Scales out over the partitions of its consumer group.

It runs in two roles, a consumer group each: on news, and at a pace of its own on history.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from pipeline.classify import Classifier
from pipeline.store import outbox, takedown, verdicts
from pipeline.workers.strategy import Prepare, StoreStrategy, Write
from schemas.messages import Article
from schemas.topics import ARTICLES, ASSESSMENTS, BACKFILL, Topic

NAMES = {ARTICLES: "classifier", BACKFILL: "classifier-backfill"}


def strategy(
    engine: Engine, topics: dict[str, Topic], group: str, classifier: Classifier, source: str = ARTICLES
) -> StoreStrategy:
    """What the consumer loop runs on `source`: `news.articles.v1` or `news.backfill.v1`."""
    return StoreStrategy(
        engine,
        group,
        topics[source],
        topics[f"{source}.dead-letters"],
        assessing(classifier, topics[ASSESSMENTS], outbox.HISTORY if source == BACKFILL else outbox.NEWS),
        worker=NAMES[source],
        version=classifier.version,
    )


def assessing(classifier: Classifier, topic: Topic, lane: int) -> Prepare:
    """Assess a batch, then write articles and verdicts together."""

    def prepare(articles: Sequence[Article]) -> Write:
        # A sighting's text is judged too: the row is made of it where the article itself has not come.
        found = {(a.article_id, a.revision): classifier.assess(a) for a in articles}

        def write(tx: Connection) -> None:
            gone = takedown.forgotten(tx, [a.article_id for a in articles])
            kept = [a for a in articles if a.article_id not in gone]
            verdicts.save_articles(tx, kept)
            verdicts.save_assessments(tx, topic, [a.article_id for a in kept], found, lane)

        return write

    return prepare
