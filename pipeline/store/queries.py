"""Reading: what the pages, the command line and the demo show. Every query is bounded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from pipeline.feeds.values import RECENT, Feed, FeedState
from pipeline.store import dead_letters, outbox
from pipeline.store.database import table_of
from pipeline.store.ledger import ClaimRow, ConsumerOffsetRow
from pipeline.store.models import (
    ArticleRow,
    AssessmentRow,
    FeedRow,
    MemberRow,
    PollRow,
    ReleaseRow,
    RevisionRow,
    SightingRow,
    StoryRow,
)
from pipeline.store.verdicts import article_of
from schemas.messages import Article, Assessment, Release, Story

COUNTED = 1_000  # rows that are counted: a page is to cost the same in any store
_AHEAD = timedelta(days=2)  # how much later than it is first seen an article may say it was published
_LABELS = ("core", "peripheral", "none")


@dataclass(frozen=True)
class Judged:
    """An article in its current revision, the verdict on it, and the story it is in."""

    article: Article
    assessment: Assessment
    story_id: str | None = None
    revisions: Sequence[tuple[str, str, str, datetime]] = ()  # revision, title, feed, observed at


@dataclass(frozen=True)
class FeedView:
    """A feed as an operator sees it. `articles` are those that it carries, its own or not, and that were
    published in the last 30 days; `judged` have a verdict, `core` were called so. `a_day` is how many come
    a day, from the oldest of them on.
    """

    feed: Feed
    state: FeedState
    removed_at: datetime | None
    leased: bool
    articles: int = 0
    judged: int = 0
    core: int = 0
    a_day: float = 0.0


@dataclass(frozen=True)
class Overview:
    """The store in figures. Of `outbox`, `outbox_history` wait behind the news.

    Articles, those of each label, stories and releases are counted up to `COUNTED`, and what is more is
    Postgres's estimate to two digits. `overdue` feeds have been due for longer than the caller's patience.
    """

    articles: int
    labels: Mapping[str, int]
    stories: int
    releases: int
    outbox: int
    outbox_history: int
    dead_letters: Mapping[str, int]
    last_poll_at: datetime | None
    last_success_at: datetime | None
    overdue: int


@dataclass(frozen=True)
class Reader:
    """A consumer group: how many processes read for it, and when it wrote last."""

    group: str
    processes: int
    moved_at: datetime


def newest(tx: Connection, limit: int = 50, label: str | None = "core") -> list[Judged]:
    """The newest articles by publication, those called `label` or all."""
    query = _judged().order_by(AssessmentRow.published_at.desc(), AssessmentRow.article_id).limit(limit)
    if label is not None:
        query = query.where(AssessmentRow.label == label)
    return [_judged_of(row) for row in tx.execute(query)]


def judged(tx: Connection, article_ids: Iterable[str]) -> dict[str, Judged]:
    """Articles with their verdicts by id."""
    query = _judged().where(ArticleRow.article_id.in_(set(article_ids)))
    return {row.article_id: _judged_of(row) for row in tx.execute(query)}


def beginning(tx: Connection, ids: InstrumentedAttribute[str], words: str) -> list[str]:
    """The first two of the ids that begin so: one that is whole comes before all that begin with it.

    By their order and not by LIKE, which a key's index cannot answer in every collation.
    """
    found = tx.scalars(select(ids).where(ids >= words).order_by(ids).limit(2))
    return [i for i in found if i.startswith(words)]


def article(tx: Connection, id_or_url: str) -> Judged | None:
    """One article by its id, the beginning of its id where that names one, or its address as published."""
    a, asked = ArticleRow.article_id, id_or_url
    found = beginning(tx, a, asked)
    if asked in found:
        found = [asked]
    elif published := tx.scalar(select(a).where(ArticleRow.url == asked).limit(1)):
        found = [published]
    if len(found) != 1:
        return None
    (article_id,) = found
    r = RevisionRow
    history = select(r.revision, r.title, r.feed_id, r.observed_at).order_by(r.observed_at)
    one = judged(tx, [article_id]).get(article_id)
    if one is None:
        return None
    return replace(one, revisions=tx.execute(history.where(r.article_id == article_id)).all())


def stories(tx: Connection, limit: int = 50) -> list[Story]:
    """The stories with the newest articles; those that were merged away are left out."""
    s = StoryRow
    found = tx.scalars(
        select(s.body)
        .where(s.body["articles"] != func.jsonb_build_array())
        .order_by(s.last_published_at.desc(), s.story_id)
        .limit(limit)
    )
    return [msgspec.convert(body, Story) for body in found]


def story(tx: Connection, story_id: str) -> Story | None:
    """One story, also one that was merged into another."""
    body = tx.scalar(select(StoryRow.body).where(StoryRow.story_id == story_id))
    return None if body is None else msgspec.convert(body, Story)


def releases(tx: Connection, limit: int = 50, products: Iterable[str] | None = None) -> list[Release]:
    """Release lines with the newest statements, only those of `products` where given; those that nobody
    tells of any more are left out.
    """
    r = ReleaseRow
    told = select(r.body).where(r.last_published_at.is_not(None))
    query = told.order_by(r.last_published_at.desc(), r.release_id).limit(limit)
    if products is not None:
        query = query.where(r.body["product"].astext.in_(set(products)))
    return [msgspec.convert(body, Release) for body in tx.scalars(query)]


def feeds(tx: Connection) -> list[FeedView]:
    """Every feed, removed ones last."""
    f, yields = FeedRow, _yields(tx)
    rows = tx.execute(
        select(f.feed, f.state, f.removed_at, f.leased_until > func.now()).order_by(
            f.removed_at.is_not(None), f.feed_id
        )
    )
    return [
        FeedView(
            msgspec.convert(feed, Feed),
            msgspec.convert(state, FeedState),
            removed_at,
            bool(leased),
            *yields.get(feed["id"], ()),
        )
        for feed, state, removed_at, leased in rows
    ]


def _yields(tx: Connection) -> dict[str, tuple[int, int, int, float]]:
    """By feed: recent articles, those judged, those core, and articles a day."""
    seen, a, v = SightingRow, ArticleRow, AssessmentRow
    since, now = func.now() - RECENT, func.now()
    # The time said of all three, and the first two by themselves: else Postgres takes them for a few, and
    # looks up thousands one by one.
    judged = (
        select(a.article_id, a.published_at, v.label)
        .outerjoin(v, (v.article_id == a.article_id) & v.published_at.between(since, now))
        .where(a.published_at.between(since, now))
        .cte()
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    days = func.greatest(1, func.extract("epoch", now - func.min(judged.c.published_at)) / 86_400)
    found = tx.execute(
        select(
            seen.feed_id,
            func.count(),
            func.count(judged.c.label),
            func.count().filter(judged.c.label == "core"),
            func.count() / days,
        )
        .join(judged, judged.c.article_id == seen.article_id)
        .where(seen.seen_at >= since - _AHEAD)
        .group_by(seen.feed_id)
    )
    return {feed: (articles, judged, core, float(a_day)) for feed, articles, judged, core, a_day in found}


def overview(tx: Connection, patience: timedelta = timedelta(minutes=2)) -> Overview:
    """How much of everything is kept, and what waits."""
    f, last = FeedRow, select(PollRow.at).order_by(PollRow.at.desc()).limit(1)
    labels = {label: _count(tx, AssessmentRow, AssessmentRow.label == label) for label in _LABELS}
    return Overview(
        articles=_count(tx, ArticleRow),
        labels={label: count for label, count in labels.items() if count},
        stories=_count(tx, StoryRow),
        releases=_count(tx, ReleaseRow),
        outbox=outbox.size(tx),
        outbox_history=outbox.size(tx, outbox.HISTORY),
        dead_letters=dead_letters.counts(tx),
        last_poll_at=tx.scalar(last),
        last_success_at=tx.scalar(last.where(PollRow.fetch.in_(("ok", "not-modified", "unchanged")))),
        overdue=_count(tx, f, f.removed_at.is_(None) & (f.next_poll_at < func.now() - patience)),
    )


def said(count: int) -> str:
    """A figure of `Overview` in words: `about` where it is an estimate."""
    return f"about {count:,}" if count > COUNTED else f"{count:,}"


def polled(tx: Connection) -> dict[str, int]:
    """Articles, revisions and sightings that polls have published, by the polls that are kept."""
    names = ("articles", "revisions", "sightings")
    sums = tx.execute(select(*(func.coalesce(func.sum(table_of(PollRow).c[n]), 0) for n in names))).one()
    return {name: int(n) for name, n in zip(names, sums, strict=True)}


def readers(tx: Connection) -> list[Reader]:
    """The groups that have read anything."""
    o, c = ConsumerOffsetRow, ClaimRow
    claimed = select(func.count(c.owner.distinct())).where(c.group_id == o.group_id).scalar_subquery()
    query = select(o.group_id, claimed, func.max(o.moved_at)).group_by(o.group_id).order_by(o.group_id)
    return [Reader(*row) for row in tx.execute(query)]


def delays(tx: Connection, limit: int = 10_000) -> list[float]:
    """Seconds from a poll's reading of an article to its verdict in the store, of the newest articles."""
    a = ArticleRow
    seconds = func.extract("epoch", a.first_stored_at - a.observed_at)
    return [float(s) for s in tx.scalars(select(seconds).order_by(a.published_at.desc()).limit(limit))]


def _judged() -> Select[Any]:
    return (
        select(table_of(ArticleRow), AssessmentRow.body, MemberRow.story_id)
        .join(AssessmentRow, AssessmentRow.article_id == ArticleRow.article_id)
        .outerjoin(MemberRow, MemberRow.article_id == ArticleRow.article_id)
    )


def _judged_of(row: Row[Any]) -> Judged:
    return Judged(article_of(row._mapping), msgspec.convert(row.body, Assessment), row.story_id)


def _count(tx: Connection, model: type[Any], where: ColumnElement[bool] | None = None) -> int:
    """Rows, as `Overview` says."""
    found = select(literal(1)).select_from(table_of(model))
    found = found if where is None else found.where(where)
    counted = tx.scalar(select(func.count()).select_from(found.limit(COUNTED + 1).subquery())) or 0
    if counted <= COUNTED:
        return counted
    sql = found.compile(tx, compile_kwargs={"literal_binds": True})
    (plan,) = tx.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}").scalar_one()
    return max(counted, int(float(f"{plan['Plan']['Plan Rows']:.1e}")))
