"""What is kept for a while only: deleted in batches, so that no lock is held for long.

An article that was let go leaves no mark. Stories and release lines keep what they state of it, and so do the
members that they are folded from. The poller's memory knows it on (`pipeline.store.known`), so it is no news
where feeds carry it still; what comes about it all the same, a correction, another feed's sighting or a
replay, is told by its date and refused (`let_go`).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, func, select

from pipeline.store import outbox
from pipeline.store.database import among
from pipeline.store.dead_letters import SETTLED
from pipeline.store.ledger import DeadLetterRow
from pipeline.store.models import ArticleRow, PollRow, SightingRow
from pipeline.store.verdicts import remove_articles
from schemas.messages import Article
from schemas.topics import Topic


def old_articles(tx: Connection, age: timedelta, limit: int, *, topic: Topic) -> int:
    """Delete articles that were published, read and first carried by each feed longer than `age` ago.

    How many, at most `limit`. Those that somebody works on are left for the next time. `topic` is the one of
    verdicts.
    """
    a, before = ArticleRow, func.now() - age
    recent = exists().where(SightingRow.article_id == a.article_id, SightingRow.seen_at >= before)
    old = (
        select(a.article_id)
        .where(a.published_at < before, a.observed_at < before, ~recent)
        .order_by(a.published_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = tx.scalars(old).all()
    if ids:
        remove_articles(tx, topic, ids, outbox.HISTORY)
    return len(ids)


def let_go(tx: Connection, articles: Iterable[Article], age: timedelta | None) -> set[str]:
    """Those of the messages' articles that are not stored and past their time; with no `age` none is."""
    if age is None:
        return set()
    before = tx.execute(select(func.now() - age)).scalar_one()
    late: dict[str, bool] = {}
    for a in articles:
        late[a.article_id] = late.get(a.article_id, True) and is_late(a, before)
    row, ids = ArticleRow, [i for i, is_so in late.items() if is_so]
    return set(ids).difference(tx.scalars(select(row.article_id).where(among(row.article_id, ids))))


def is_late(a: Article, before: datetime) -> bool:
    """Whether a message is about an article that, if it is not stored, was let go as of `before`.

    A correction or a sighting can come at any time; the article itself may be old when it is first read.
    """
    return a.published_at < before and (a.kind != "article" or a.observed_at < before)


def old_polls(tx: Connection, age: timedelta, limit: int) -> int:
    """Delete records of polls older than `age`; how many there were, at most `limit`."""
    old = select(PollRow.id).where(PollRow.at < func.now() - age).order_by(PollRow.at).limit(limit)
    return tx.execute(delete(PollRow).where(PollRow.id.in_(old))).rowcount


def settled_letters(tx: Connection, age: timedelta, limit: int) -> int:
    """Delete settled dead letters older than `age`; those that are open or under way stay."""
    row = DeadLetterRow
    old = (
        select(row.id)
        .where(row.state.in_(SETTLED), row.failed_at < func.now() - age)
        .order_by(row.id)
        .limit(limit)
    )
    return tx.execute(delete(row).where(row.id.in_(old))).rowcount
