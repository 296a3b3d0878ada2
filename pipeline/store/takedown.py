"""Taking articles down: their text out of the store and off the topics, and a mark so that none returns."""

from base64 import b64encode
from collections.abc import Iterable, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, Delete, delete, func, select

from pipeline.store import outbox
from pipeline.store.aggregates import ASSESSMENT, load, put
from pipeline.store.database import add_missing, among
from pipeline.store.models import (
    ArticleRow,
    AssessmentRow,
    CorrectionRow,
    DeadLetterRow,
    ForgottenRow,
    RevisionRow,
    SightingRow,
)
from schemas.codec import tombstone
from schemas.messages import Assessment, Relevance
from schemas.topics import Topic

_LOCK = 7_305_804  # any number: writers of articles hold it shared, a takedown alone


def forgotten(tx: Connection, article_ids: Iterable[str]) -> set[str]:
    """Those of the articles that were taken down. None more is until the transaction has ended."""
    tx.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))
    row = ForgottenRow
    return set(tx.scalars(select(row.article_id).where(among(row.article_id, article_ids))))


def of_feed(tx: Connection, feed_id: str, limit: int) -> list[str]:
    """Articles whose text is that of a feed."""
    row = ArticleRow
    return list(tx.scalars(select(row.article_id).where(row.feed_id == feed_id).limit(limit)))


def count_of_feed(tx: Connection, feed_id: str) -> int:
    """How many articles' text is that of a feed."""
    return tx.scalar(select(func.count()).where(ArticleRow.feed_id == feed_id)) or 0


def forget(tx: Connection, topic: Topic, article_ids: Sequence[str]) -> dict[str, int]:
    """Take articles down; how many rows of what that concerned.

    Their last verdict says nothing, so that the storyteller takes them out of stories and release lines; a
    record without a value then takes it off `topic`, the one that carries verdicts.
    """
    tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    add_missing(tx, ForgottenRow, [{"article_id": i} for i in sorted(set(article_ids))])
    verdicts = load(tx, ASSESSMENT, article_ids, lock=True)
    last = put(tx, ASSESSMENT, topic, [_blank(a) for _, a in sorted(verdicts.items())])
    now = tx.execute(select(func.clock_timestamp())).scalar_one()
    outbox.add(tx, [tombstone(topic, a.article_id, time=now, version=a.version) for a in last])
    keys = [b64encode(i.encode()).decode() for i in article_ids]
    return {
        "verdicts": tx.execute(_of(AssessmentRow, article_ids)).rowcount,
        "sightings": tx.execute(_of(SightingRow, article_ids)).rowcount,
        "revisions": tx.execute(_of(RevisionRow, article_ids)).rowcount,
        "corrections": tx.execute(_of(CorrectionRow, article_ids)).rowcount,
        "articles": tx.execute(_of(ArticleRow, article_ids)).rowcount,
        "dead letters": tx.execute(
            delete(DeadLetterRow).where(DeadLetterRow.body["key"].astext.in_(keys))
        ).rowcount,
    }


def _of(
    row: type[AssessmentRow | CorrectionRow | SightingRow | RevisionRow | ArticleRow], ids: Sequence[str]
) -> Delete:
    return delete(row).where(row.article_id.in_(ids))


def _blank(a: Assessment) -> Assessment:
    return replace(
        a,
        url="",
        title="",
        relevance=Relevance(label="none", score=0.0, spans=[]),
        actors=[],
        products=[],
        events=[],
        status="none",
        status_spans=[],
        expected=None,
        sightings=[],
    )
