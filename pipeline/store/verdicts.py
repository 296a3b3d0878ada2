"""What the classifier writes: articles, their revisions and sightings, and the newest verdict on each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import Insert

from pipeline.store import outbox
from pipeline.store.aggregates import ASSESSMENT, load, put
from pipeline.store.database import add_missing, among, insert_rows, table_of
from pipeline.store.models import ArticleRow, AssessmentRow, CorrectionRow, RevisionRow, SightingRow
from schemas.codec import YEARS, tombstone
from schemas.messages import Article, Assessment, FeedRef, Sighting
from schemas.topics import Topic

Window = tuple[datetime, datetime]  # from one moment to another, both inclusive
# Between the years that travel here (`schemas.codec.YEARS`) lies all that is stored.
ALWAYS: Window = (datetime(YEARS[0], 1, 1, tzinfo=UTC), datetime(YEARS[-1] + 1, 1, 1, tzinfo=UTC))


def window(since: datetime | None, until: datetime | None) -> Window:
    """The window between two moments; None leaves a side open, and what names no zone is in UTC."""
    ends = (since or ALWAYS[0], until or ALWAYS[1])
    first, last = (end if end.tzinfo else end.replace(tzinfo=UTC) for end in ends)
    return first, last


def save_articles(tx: Connection, articles: Sequence[Article]) -> None:
    """Store revisions and sightings. The newest `observed_at` is current; writing again changes nothing.

    A sighting carries the whole article, so it makes the row where the article itself has not come yet, and
    gives way to it. So whatever the order in which an article's messages come, the rows are the same.
    """
    if not articles:
        return
    newest: dict[str, Article] = {}
    for a in sorted(articles, key=lambda a: (a.kind != "sighting", a.observed_at, a.revision)):
        newest[a.article_id] = a
    # Sorted, so that two writers lock rows in the same order.
    insert_rows(tx, ArticleRow, [_article_row(newest[i]) for i in sorted(newest)], _newer)
    texts = {(a.article_id, a.revision): a for a in articles if a.kind != "sighting"}
    add_missing(tx, RevisionRow, [_revision_row(texts[key]) for key in sorted(texts)])
    seen = {(a.article_id, a.feed.id): a for a in sorted(articles, key=lambda a: a.observed_at, reverse=True)}
    insert_rows(tx, SightingRow, [_sighting_row(seen[key]) for key in sorted(seen)], _earlier)


def save_assessments(
    tx: Connection,
    topic: Topic,
    article_ids: Sequence[str],
    found: Mapping[tuple[str, str], Assessment],
    lane: int = outbox.NEWS,
    spare: Mapping[tuple[str, str], Assessment] | None = None,
) -> list[Assessment]:
    """Bring the verdicts of articles up to date: their current revision and all sightings.

    `found` has new verdicts by article id and revision; one of an older revision is left out, and an article
    without a new verdict keeps its old one with the sightings of today. `spare` has those on sightings, which
    name another feed than the article's: they count where there is no other. Returns what changed.
    """
    now = _lock(tx, article_ids)
    sightings = _sightings(tx, now)
    old = load(tx, ASSESSMENT, [i for i, _ in now.items() - found.keys()])
    states = []
    for article_id, revision in now.items():
        verdict = found.get((article_id, revision)) or old.get(article_id)
        if verdict is None or verdict.revision != revision:
            verdict = (spare or {}).get((article_id, revision))
        if verdict is not None:
            states.append(msgspec.structs.replace(verdict, sightings=sightings.get(article_id, [])))
    return put(tx, ASSESSMENT, topic, states, lane)


def remove_articles(
    tx: Connection, topic: Topic, article_ids: Sequence[str], lane: int = outbox.NEWS
) -> dict[str, int]:
    """Delete articles with all that hangs on them; how many rows of what.

    For each verdict a record without a value takes it off `topic`, the one that carries verdicts.
    """
    row = AssessmentRow
    gone = tx.execute(
        delete(row).where(among(row.article_id, article_ids)).returning(row.article_id, row.version)
    ).all()
    now = tx.execute(select(func.clock_timestamp())).scalar_one()
    outbox.add(tx, [tombstone(topic, i, time=now, version=v) for i, v in sorted(gone)], lane)
    parts = {t.name: t for t in map(table_of, (SightingRow, RevisionRow, CorrectionRow, ArticleRow))}
    done = {
        name: tx.execute(delete(part).where(among(part.c.article_id, article_ids))).rowcount
        for name, part in parts.items()
    }
    return {"verdicts": len(gone)} | done


def articles_to_assess(
    tx: Connection, classifier: str, after: str, limit: int, window: Window = ALWAYS
) -> list[Article]:
    """Articles whose verdict is missing or of another classifier version, by id, from `after` on.

    Only those published within `window`.
    """
    verdict = AssessmentRow
    query = (
        select(table_of(ArticleRow))
        # Said of both sides: else the verdicts of all pages before are read again.
        .outerjoin(verdict, (verdict.article_id == ArticleRow.article_id) & (verdict.article_id > after))
        .where(ArticleRow.article_id > after, ArticleRow.published_at.between(*window))
        .where(
            (verdict.classifier.is_distinct_from(classifier))
            | (verdict.revision.is_distinct_from(ArticleRow.revision))
        )
        .order_by(ArticleRow.article_id)
        .limit(limit)
    )
    return [article_of(row._mapping) for row in tx.execute(query)]


def article_of(row: RowMapping) -> Article:
    """The message of an article row; `kind` says `revision`, since the row does not remember its first."""
    feed = FeedRef(id=row["feed_id"], kind=row["feed_kind"], rank=row["feed_rank"])
    known = {name: row[name] for name in Article.__struct_fields__ if name in row}
    return Article(**known, kind="revision", feed=feed)


def _lock(tx: Connection, article_ids: Sequence[str]) -> dict[str, str]:
    """Lock the articles, by id; the current revision of each."""
    row = ArticleRow
    query = select(row.article_id, row.revision).where(among(row.article_id, article_ids))
    return dict(tx.execute(query.order_by(row.article_id).with_for_update()).all())


def _sightings(tx: Connection, article_ids: Iterable[str]) -> dict[str, list[Sighting]]:
    """By article the feeds that carry it beside the owner, in the order of time, where there are some."""
    seen, article = SightingRow, ArticleRow
    others = tx.execute(
        select(seen.article_id, seen.feed_id, seen.url, seen.seen_at)
        .join(article, (article.article_id == seen.article_id) & (article.feed_id != seen.feed_id))
        .where(among(seen.article_id, article_ids))
        .order_by(seen.article_id, seen.seen_at, seen.feed_id)
    )
    found: dict[str, list[Sighting]] = {}
    for article_id, feed, url, seen_at in others:
        found.setdefault(article_id, []).append(Sighting(feed=feed, url=url, seen_at=seen_at))
    return found


def _newer(statement: Insert, names: Sequence[str]) -> Insert:
    """An article that is newer, or in the place of a sighting, takes the row over; a sighting never does."""
    table, new, kept = table_of(ArticleRow), statement.excluded, {"article_id", "first_stored_at"}
    return statement.on_conflict_do_update(
        index_elements=[table.c.article_id],
        set_={c.name: new[c.name] for c in table.c if c.name not in kept},
        where=~new.provisional
        & (
            table.c.provisional
            | (tuple_(new.observed_at, new.revision) > tuple_(table.c.observed_at, table.c.revision))
        ),
    )


def _earlier(statement: Insert, names: Sequence[str]) -> Insert:
    return statement.on_conflict_do_update(
        index_elements=[SightingRow.article_id, SightingRow.feed_id],
        set_={"seen_at": statement.excluded.seen_at, "url": statement.excluded.url},
        where=statement.excluded.seen_at < SightingRow.seen_at,
    )


def _article_row(a: Article) -> dict[str, object]:
    row = msgspec.structs.asdict(a)
    feed, kind = row.pop("feed"), row.pop("kind")
    feed_of = {"feed_id": feed.id, "feed_kind": feed.kind, "feed_rank": feed.rank}
    return row | feed_of | {"provisional": kind == "sighting"}


def _revision_row(a: Article) -> dict[str, object]:
    return {
        "article_id": a.article_id,
        "revision": a.revision,
        "title": a.title,
        "text": a.text,
        "feed_id": a.feed.id,
        "observed_at": a.observed_at,
    }


def _sighting_row(a: Article) -> dict[str, object]:
    return {"article_id": a.article_id, "feed_id": a.feed.id, "url": a.url, "seen_at": a.observed_at}
