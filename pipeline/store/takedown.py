"""Taking articles down: their text out of the store and off the topics, and a mark so that none returns."""

from base64 import b64encode
from collections.abc import Iterable, Sequence

from sqlalchemy import CompoundSelect, Connection, delete, exists, func, select

from pipeline.store import outbox
from pipeline.store.aggregates import ASSESSMENT, load, put
from pipeline.store.database import add_missing, among
from pipeline.store.ledger import DeadLetterRow
from pipeline.store.models import ArticleRow, ForgottenRow, MemberRow
from pipeline.store.tales import members
from pipeline.store.verdicts import remove_articles
from schemas.codec import record, tombstone
from schemas.messages import Assessment, Relevance, StoryArticle
from schemas.topics import Topic

_LOCK = 7_305_804  # any number: writers of articles hold it shared, a takedown alone


def forgotten(tx: Connection, article_ids: Iterable[str]) -> set[str]:
    """Those of the articles that were taken down. None more is until the transaction has ended."""
    tx.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))
    row = ForgottenRow
    return set(tx.scalars(select(row.article_id).where(among(row.article_id, article_ids))))


def of_feed(tx: Connection, feed_id: str, limit: int) -> list[str]:
    """Articles whose text is that of a feed, also those that only stories still name."""
    return list(tx.scalars(_of_feed(feed_id).limit(limit)))


def count_of_feed(tx: Connection, feed_id: str) -> int:
    """How many articles `of_feed` finds."""
    return tx.scalar(select(func.count()).select_from(_of_feed(feed_id).subquery())) or 0


def _of_feed(feed_id: str) -> CompoundSelect[str]:
    article, member, mark = ArticleRow, MemberRow, ForgottenRow
    named = select(member.article_id).where(
        member.body["article"]["feed"].astext == feed_id,
        ~exists().where(article.article_id == member.article_id),
        ~exists().where(mark.article_id == member.article_id),
    )
    return select(article.article_id).where(article.feed_id == feed_id).union_all(named)


def forget(tx: Connection, topic: Topic, article_ids: Sequence[str]) -> dict[str, int]:
    """Take articles down; how many rows of what that concerned.

    Their last verdict says nothing, so that the storyteller takes them out of stories and release lines; a
    record without a value then takes it off `topic`, the one that carries verdicts.
    """
    tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    add_missing(tx, ForgottenRow, [{"article_id": i} for i in sorted(set(article_ids))])
    row = ArticleRow  # in the order in which everybody locks: articles first
    tx.execute(
        select(row.article_id)
        .where(among(row.article_id, article_ids))
        .order_by(row.article_id)
        .with_for_update()
    )
    verdicts = load(tx, ASSESSMENT, article_ids, lock=True)
    put(tx, ASSESSMENT, topic, [_blank(a, a.revision, a.classifier) for _, a in sorted(verdicts.items())])
    _untell(tx, topic, [i for i in article_ids if i not in verdicts])
    keys = [b64encode(i.encode()).decode() for i in article_ids]
    letters = delete(DeadLetterRow).where(DeadLetterRow.body["key"].astext.in_(keys))
    return remove_articles(tx, topic, article_ids) | {"dead letters": tx.execute(letters).rowcount}


def _untell(tx: Connection, topic: Topic, article_ids: Sequence[str]) -> None:
    """Have the storyteller take articles out that retention has let go: their stories still name them."""
    now = tx.execute(select(func.clock_timestamp())).scalar_one()
    for article_id, member in sorted(members(tx, article_ids).items()):
        last = record(topic, _blank(member.article, "gone", "none"), time=now, version=1)
        outbox.add(tx, [last, tombstone(topic, article_id, time=now, version=1)])


def _blank(a: Assessment | StoryArticle, revision: str, classifier: str) -> Assessment:
    """A verdict on an article that says nothing of it."""
    return Assessment(
        article_id=a.article_id,
        version=1,  # or what the store counts
        revision=revision,
        classifier=classifier,
        url="",
        title="",
        language=a.language,
        published_at=a.published_at,
        feed=a.feed,
        relevance=Relevance(label="none", score=0.0, spans=[]),
        actors=[],
        products=[],
        events=[],
        status="none",
        status_spans=[],
        expected=None,
        sightings=[],
    )
