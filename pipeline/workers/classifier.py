"""The classifier: articles in, verdicts out. Scales out over the partitions of its consumer group."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from pipeline.classify import Classifier
from pipeline.store import verdicts
from pipeline.workers.strategy import StoreStrategy
from schemas.messages import Article, Assessment
from schemas.topics import ARTICLES, ASSESSMENTS, Topic

NAME = "classifier"


def strategy(
    engine: Engine, topics: dict[str, Topic], group: str, classifier: Classifier, *, cautious: int = 500
) -> StoreStrategy:
    """What the consumer loop runs on `news.articles.v1`."""

    def assess(article: Article) -> tuple[Article, Assessment]:
        # A sighting's text is judged too: the row is made of it where the article itself has not come.
        return article, classifier.assess(article)

    def write(tx: Connection, done: Sequence[tuple[Article, Assessment]]) -> None:
        articles = [article for article, _ in done]
        found = {(a.article_id, a.revision): a for _, a in done}
        verdicts.save_articles(tx, articles)
        verdicts.save_assessments(tx, topics[ASSESSMENTS], [a.article_id for a in articles], found)

    return StoreStrategy(
        engine,
        group,
        topics[ARTICLES],
        topics[f"{ARTICLES}.dead-letters"],
        assess,
        write,
        worker=NAME,
        version=classifier.version,
        cautious=cautious,
    )
