"""What operators and readers say is right of a verdict instead. The newest word on an article counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from pipeline.classify.labels import Change, Label, check, label_of
from pipeline.store.aggregates import ASSESSMENT, load
from pipeline.store.database import table_of
from pipeline.store.models import ArticleRow, CorrectionRow, RevisionRow
from pipeline.store.verdicts import article_of
from schemas.messages import Article

NAME, NOTE = 100, 1_000  # characters of who says so, and why
MOST = 20  # of one article: whoever may read may also write, and nobody has more to say


@dataclass(frozen=True)
class Correction:
    """One person's word: the whole label, which revision it is of, and which classifier it contradicts."""

    id: int
    article_id: str
    revision: str
    classifier: str
    label: Label
    given_by: str
    note: str
    given_at: datetime


class CorrectionError(Exception):
    """A correction is not taken; the message says why."""


def add(tx: Connection, article_id: str, change: Change, given_by: str, note: str) -> Correction:
    """Take a correction of the newest verdict on an article. Raises CorrectionError, LabelError."""
    verdict = load(tx, ASSESSMENT, [article_id], lock=True).get(article_id)
    if verdict is None:
        raise CorrectionError(f"there is no verdict on {article_id} to correct")
    row = CorrectionRow
    if (tx.scalar(select(func.count()).where(row.article_id == article_id)) or 0) >= MOST:
        raise CorrectionError(f"{article_id} has been corrected {MOST} times: that is enough")
    label = label_of(verdict, change)
    check(label)
    made = tx.execute(
        insert(row)
        .values(
            article_id=article_id,
            revision=verdict.revision,
            classifier=verdict.classifier,
            label=msgspec.to_builtins(label),
            given_by=given_by,
            note=note,
        )
        .returning(table_of(row))
    ).one()
    return _correction(made)


def listed(tx: Connection, limit: int, article_id: str | None = None) -> list[Correction]:
    """The newest first, of one article where given."""
    query = select(table_of(CorrectionRow)).order_by(CorrectionRow.id.desc()).limit(limit)
    if article_id is not None:
        query = query.where(CorrectionRow.article_id == article_id)
    return [_correction(row) for row in tx.execute(query)]


def labelled(tx: Connection) -> Iterator[tuple[Article, Label]]:
    """The newest label of every corrected article, with the words it is of."""
    c, a, r = CorrectionRow, ArticleRow, RevisionRow
    newest = select(table_of(c)).ext(distinct_on(c.article_id)).order_by(c.article_id, c.id.desc()).subquery()
    query = (
        select(
            table_of(a), newest.c.label, r.revision.label("of"), r.title.label("words"), r.text.label("body")
        )
        .join(newest, newest.c.article_id == a.article_id)
        .join(r, (r.article_id == a.article_id) & (r.revision == newest.c.revision))
        .order_by(a.article_id)
    )
    for row in tx.execute(query):
        article = replace(article_of(row._mapping), revision=row.of, title=row.words, text=row.body)
        yield article, msgspec.convert(row.label, Label)


def _correction(row: Row[Any]) -> Correction:
    values = dict(row._mapping)
    return Correction(**{**values, "label": msgspec.convert(values["label"], Label)})
