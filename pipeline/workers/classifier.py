"""The classifier: articles in, verdicts out. Scales out over the partitions of its consumer group.

It runs in two roles, a consumer group each: on news, and at a pace of its own on history.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, Engine

from pipeline.classify import Classifier
from pipeline.store import outbox, retention, takedown, verdicts
from pipeline.workers.strategy import StoreStrategy
from schemas.messages import Article, Assessment
from schemas.topics import ARTICLES, ASSESSMENTS, BACKFILL, Topic

NAMES = {ARTICLES: "classifier", BACKFILL: "classifier-backfill"}


def strategy(
    engine: Engine,
    topics: dict[str, Topic],
    group: str,
    classifier: Classifier,
    source: str = ARTICLES,
    *,
    keep: timedelta | None = None,
) -> StoreStrategy:
    """What the consumer loop runs on `source`: `news.articles.v1` or `news.backfill.v1`.

    What retention has let go after `keep` is not stored again.
    """
    lane = outbox.HISTORY if source == BACKFILL else outbox.NEWS

    def assess(article: Article) -> tuple[Article, Assessment]:
        # A sighting's text is judged too: the row is made of it where the article itself has not come.
        return article, classifier.assess(article)

    def write(tx: Connection, done: Sequence[tuple[Article, Assessment]]) -> None:
        gone = takedown.forgotten(tx, [article.article_id for article, _ in done])
        gone |= retention.let_go(tx, [article for article, _ in done], keep)
        articles = [article for article, _ in done if article.article_id not in gone]
        found, spare = (
            {(v.article_id, v.revision): v for article, v in done if (article.kind == "sighting") is sighted}
            for sighted in (False, True)
        )
        ids = [article.article_id for article in articles]
        verdicts.save_articles(tx, articles)
        verdicts.save_assessments(tx, topics[ASSESSMENTS], ids, found, lane, spare)

    return StoreStrategy(
        engine,
        group,
        topics[source],
        topics[f"{source}.dead-letters"],
        assess,
        write,
        worker=NAMES[source],
        version=classifier.version,
    )
