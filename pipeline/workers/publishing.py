"""From decisions to records: on which topic a message goes, and by which id readers tell it again."""

from collections.abc import Iterator, Mapping

from pipeline.feeds.outcomes import Decision
from schemas.codec import OutRecord, record
from schemas.topics import ARTICLES, BACKFILL, Topic


def records(topics: Mapping[str, Topic], decision: Decision) -> Iterator[OutRecord]:
    """The decision's messages, numbered by article: published again, they have the same ids."""
    numbers = {known.article_id: known.published for known in decision.memory}
    for outcome in decision.outcomes:
        if (article := outcome.article) is not None:
            topic = topics[BACKFILL if outcome.history else ARTICLES]
            number = numbers[article.article_id]
            event_id = f"{article.article_id}:{number}:{article.revision}:{article.feed.id}"
            yield record(topic, article, time=article.observed_at, version=number, event_id=event_id)
