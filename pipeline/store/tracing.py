"""All that the store knows of one address, for `racewire why` and the page `/why`. Reads and never writes.

Every query is bounded: by a key, by an index, or by a number of the newest rows.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, literal, select, true

from pipeline.feeds.outcomes import Known
from pipeline.feeds.values import Feed, FeedState
from pipeline.store.database import among, table_of
from pipeline.store.ledger import DeadLetterRow
from pipeline.store.models import (
    ArticleRow,
    AssessmentRow,
    FeedRow,
    ForgottenRow,
    KnownRow,
    MemberRow,
    PollRow,
    ReleaseRow,
    RevisionRow,
    SightingRow,
    StoryRow,
)
from pipeline.store.queries import beginning
from pipeline.store.verdicts import article_of
from pipeline.stories.values import Member
from schemas.messages import Article, Assessment, DeadLetter, Release, Sighting, Story

FEEDS = 50  # of a site
POLLS = 200  # newest of a feed, in which rejected entries are looked for
ALL_POLLS = 5_000  # newest of all feeds, likewise
REFUSING = 2_000  # of a site's polls those that refused anything
LETTERS = 10_000  # newest, whose keys are looked at
MEMBERS = 200  # articles of a story


@dataclass(frozen=True)
class Carrier:
    """A feed that may carry the address or does: where it stands, and its last poll.

    `shows`: its last document has an entry at the address.
    """

    feed: Feed
    status: str
    removed_at: datetime | None
    next_poll_at: datetime | None
    shows: bool
    polled_at: datetime | None = None
    fetch: str = ""
    detail: str = ""
    entries: int = 0
    fresh: int = 0  # articles and revisions of that poll
    rejects: int = 0


@dataclass(frozen=True)
class Refusal:
    """An entry that a poll refused; `label` is its address, or its title where it has none."""

    poll: int
    feed_id: str
    at: datetime
    reason: str
    why: str
    label: str


@dataclass(frozen=True)
class Letter:
    """A dead letter with the article's key."""

    number: int
    state: str
    letter: DeadLetter


@dataclass(frozen=True)
class Placed:
    """The story an article is in, as it was told last, with its members, oldest first."""

    story: Story
    written_at: datetime
    members: Sequence[Member]


@dataclass(frozen=True)
class Trace:
    """What is kept of one article, by its id; all of it is empty for an address that was never seen."""

    article_id: str
    known: Known | None = None
    alias: str | None = None  # the id that was asked for, where it is another address of this article
    forgotten_at: datetime | None = None
    article: Article | None = None
    stored_at: datetime | None = None
    provisional: bool = False
    revisions: Sequence[tuple[str, str, str, datetime]] = ()  # revision, title, feed, observed at
    sightings: Sequence[Sighting] = ()
    verdict: Assessment | None = None
    written_at: datetime | None = None
    placed: Placed | None = None
    releases: Sequence[tuple[Release, datetime]] = ()  # with when they were written
    letters: Sequence[Letter] = ()
    carriers: Sequence[Carrier] = ()
    refusals: Sequence[Refusal] = ()


def resolve(tx: Connection, words: str) -> str | None:
    """The one id that begins so, None where none or several do."""
    found = {i for ids in (KnownRow.article_id, ArticleRow.article_id) for i in beginning(tx, ids, words)}
    return found.pop() if len(found) == 1 else None


def address(tx: Connection, article_id: str) -> str | None:
    """The address of a stored article."""
    return tx.scalar(select(ArticleRow.url).where(ArticleRow.article_id == article_id))


def trace(
    tx: Connection,
    article_id: str,
    hosts: Sequence[str],
    labels: Sequence[str],
    names: Callable[[str, str], bool],
) -> Trace:
    """All of an article. `hosts` are those of its site, its own first; `labels` are spellings of its address,
    and `names` says whether a label, read on the page at an address, is another one.
    """
    asked, known = article_id, _known(tx, article_id)
    while known is not None and known.same_as is not None and known.same_as != asked:
        article_id, known = known.same_as, _known(tx, known.same_as)
    row = tx.execute(select(table_of(ArticleRow)).where(ArticleRow.article_id == article_id)).one_or_none()
    verdict = tx.execute(
        select(AssessmentRow.body, AssessmentRow.written_at).where(AssessmentRow.article_id == article_id)
    ).one_or_none()
    sightings = _sightings(tx, article_id)
    feeds = {*(known.carriers if known else ()), *(s.feed for s in sightings)}
    carriers = _carriers(tx, hosts, feeds, {asked, article_id})
    gone = among(ForgottenRow.article_id, {asked, article_id})
    return Trace(
        article_id=article_id,
        known=known,
        alias=asked if asked != article_id else None,
        forgotten_at=tx.scalar(select(func.min(ForgottenRow.at)).where(gone)),
        article=article_of(row._mapping) if row else None,
        stored_at=row.first_stored_at if row else None,
        provisional=bool(row and row.provisional),
        revisions=_revisions(tx, article_id),
        sightings=sightings,
        verdict=msgspec.convert(verdict.body, Assessment) if verdict else None,
        written_at=verdict.written_at if verdict else None,
        placed=_placed(tx, article_id),
        releases=_releases(tx, article_id),
        letters=_letters(tx, article_id),
        carriers=carriers,
        refusals=_refusals(tx, [c.feed.id for c in carriers], labels, names),
    )


def _known(tx: Connection, article_id: str) -> Known | None:
    body = tx.scalar(select(KnownRow.known).where(KnownRow.article_id == article_id))
    return None if body is None else msgspec.convert(body, Known)


def _revisions(tx: Connection, article_id: str) -> list[tuple[str, str, str, datetime]]:
    r = RevisionRow
    query = select(r.revision, r.title, r.feed_id, r.observed_at).where(r.article_id == article_id)
    rows = tx.execute(query.order_by(r.observed_at).limit(1000))
    return [(revision, title, feed, at) for revision, title, feed, at in rows]


def _sightings(tx: Connection, article_id: str) -> list[Sighting]:
    s = SightingRow
    query = select(s.feed_id, s.url, s.seen_at).where(s.article_id == article_id)
    rows = tx.execute(query.order_by(s.seen_at, s.feed_id).limit(1000))
    return [Sighting(feed=feed, url=url, seen_at=at) for feed, url, at in rows]


def _placed(tx: Connection, article_id: str) -> Placed | None:
    m, s = MemberRow, StoryRow
    found = tx.execute(
        select(s.story_id, s.body, s.written_at)
        .join(m, m.story_id == s.story_id)
        .where(m.article_id == article_id)
    ).one_or_none()
    if found is None:
        return None
    bodies = select(m.body).where(m.story_id == found.story_id).order_by(m.published_at, m.article_id)
    members = [msgspec.convert(body, Member) for body in tx.scalars(bodies.limit(MEMBERS))]
    return Placed(msgspec.convert(found.body, Story), found.written_at, members)


def _releases(tx: Connection, article_id: str) -> list[tuple[Release, datetime]]:
    r = ReleaseRow
    query = select(r.body, r.written_at).where(r.article_ids.contains([article_id])).order_by(r.release_id)
    return [(msgspec.convert(body, Release), at) for body, at in tx.execute(query.limit(50))]


def _letters(tx: Connection, article_id: str) -> list[Letter]:
    d = DeadLetterRow
    newest = select(d.id, d.state, d.body).order_by(d.id.desc()).limit(LETTERS).subquery()
    key = b64encode(article_id.encode()).decode()
    query = select(newest).where(newest.c.body["key"].astext == key).order_by(newest.c.id).limit(20)
    return [Letter(n, state, msgspec.convert(body, DeadLetter)) for n, state, body in tx.execute(query)]


def _carriers(tx: Connection, hosts: Sequence[str], feeds: set[str], ids: set[str]) -> list[Carrier]:
    """The feeds of a site and these feeds, those first that carry the article."""
    f, p = FeedRow, PollRow
    here: ColumnElement[bool] = f.host.in_([*hosts, *(f"www.{host}" for host in hosts)])
    if hosts:  # the table of feeds is small: its hosts may be read
        here |= f.host.endswith(f".{hosts[0]}", autoescape=True)
    chosen = (
        select(f.feed_id, f.feed, f.state, f.removed_at, f.next_poll_at)
        .where(here | f.feed_id.in_(feeds))
        .order_by(f.feed_id.not_in(feeds), f.removed_at.is_not(None), f.feed_id)
        .limit(FEEDS)
        .subquery()
    )
    last = (
        select(
            p.at, p.fetch, p.detail, p.entries, p.articles + p.revisions, func.jsonb_array_length(p.rejects)
        )
        .where(p.feed_id == chosen.c.feed_id)
        .order_by(p.at.desc())
        .limit(1)
        .lateral()
    )
    found = []
    for _, body, state, removed_at, next_at, *poll in tx.execute(
        select(chosen, last).outerjoin(last, true())
    ):
        of, now = msgspec.convert(body, Feed), msgspec.convert(state, FeedState)
        shows = any(entry.address in ids for entry in now.validators.entries)
        found.append(Carrier(of, now.status, removed_at, next_at, shows, *(poll if poll[0] else ())))
    return sorted(
        found, key=lambda c: (c.feed.id not in feeds, not c.shows, c.removed_at is not None, c.feed.id)
    )


def _refusals(
    tx: Connection, feeds: Sequence[str], labels: Sequence[str], names: Callable[[str, str], bool]
) -> list[Refusal]:
    """Of the newest polls of these feeds what is named so, of those of all feeds what has one of `labels`."""
    p, f = PollRow, FeedRow
    columns: tuple[Any, ...] = (p.id, p.feed_id, p.at, p.rejects)
    newest = select(*columns).order_by(p.at.desc())
    found: dict[int, Any] = {}
    if feeds:
        theirs = newest.where(p.feed_id == f.feed_id).limit(POLLS).lateral()
        refusing = (
            select(theirs, f.feed["url"].astext.label("base"))
            .select_from(f)
            .join(theirs, true())
            .where(among(f.feed_id, feeds))
        )
        refusing = refusing.where(func.jsonb_array_length(theirs.c.rejects) > 0)
        found |= {row.id: row for row in tx.execute(refusing.order_by(theirs.c.at.desc()).limit(REFUSING))}
    everyone = newest.limit(ALL_POLLS).subquery()
    for label in labels:
        named = (
            select(everyone, literal("").label("base"))
            .where(everyone.c.rejects.contains([[label]]))
            .limit(20)
        )
        found = {row.id: row for row in tx.execute(named)} | found
    return [
        Refusal(row.id, row.feed_id, row.at, *reject)
        for row in sorted(found.values(), key=lambda row: (row.at, row.id), reverse=True)
        for reject in row.rejects
        if reject[2] in labels or names(reject[2], row.base)
    ]
