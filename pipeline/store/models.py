"""The tables of what is known; `ledger` has the others.

Aggregates keep their message as JSON (`body`) beside the columns that queries need.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Maps Python types to one Postgres type each."""

    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own form
        str: Text,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        int: BigInteger,
        list[Any]: JSONB,
        dict[str, Any]: JSONB,
    }


# --- what the poller remembers -------------------------------------------------------------------------


class FeedRow(Base):
    """A feed of the registry: how it answered, when it is due, who polls it now."""

    __tablename__ = "feeds"
    feed_id: Mapped[str] = mapped_column(primary_key=True)
    feed: Mapped[dict[str, Any]]
    state: Mapped[dict[str, Any]]
    next_poll_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    # Of the address where it is asked, as `pipeline.feeds.address.host_of`; what has no host is one itself.
    host: Mapped[str | None] = mapped_column(
        Computed(
            r"lower(coalesce(btrim(substring(coalesce(state->>'moved_to', feed->>'url')"
            r" from '^https?://(\[[^\]/]*\]|[^/:?#]*)'), '[]'), feed->>'url'))",
            persisted=True,
        ),
    )
    __table_args__ = (
        Index("feeds_due", "next_poll_at", "feed_id"),
        Index("feeds_leased", "leased_until", postgresql_where=text("leased_until IS NOT NULL")),
    )


class RegistryRow(Base):
    """Which registry `feeds` was last brought to: the one row's digest."""

    __tablename__ = "registry"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]


class HeldHostRow(Base):
    """A host that wants to be left alone, by all feeds that are there or are sent there."""

    __tablename__ = "held_hosts"
    host: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


class KnownRow(Base):
    """What is remembered of a published article (`pipeline.feeds.Known`), also when it is cleaned up.

    `seen_at` is when a feed carried it last, to a month (`NOTED_EVERY` in `pipeline.store.known`).
    """

    __tablename__ = "known_articles"
    article_id: Mapped[str] = mapped_column(primary_key=True)
    known: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class PollRow(Base):
    """One poll of one feed and what became of each of its entries."""

    __tablename__ = "polls"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    feed_id: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)
    fetch: Mapped[str]
    detail: Mapped[str]
    entries: Mapped[int]
    articles: Mapped[int]
    revisions: Mapped[int]
    sightings: Mapped[int]
    unchanged: Mapped[int]
    history: Mapped[int] = mapped_column(server_default=text("0"))  # messages that are no news
    rejects: Mapped[list[Any]]  # [reason, why, address or title] of each
    pages: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # how many were read, or why not
    __table_args__ = (Index("polls_feed_at", "feed_id", "at"),)


class ForgottenRow(Base):
    """An article that was taken down: it is neither published nor stored again."""

    __tablename__ = "forgotten"
    article_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class RobotsRow(Base):
    """What an origin's robots.txt says; a cache, since polls are processes that end."""

    __tablename__ = "robots"
    origin: Mapped[str] = mapped_column(primary_key=True)
    rules: Mapped[str | None]
    until: Mapped[datetime] = mapped_column(index=True)


# --- what the classifier writes ------------------------------------------------------------------------


class ArticleRow(Base):
    """An article in its current revision; `provisional` where only a sighting has come as yet."""

    __tablename__ = "articles"
    article_id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str]
    url: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    text_source: Mapped[str]
    language: Mapped[str]
    published_at: Mapped[datetime]
    published_precision: Mapped[str]
    observed_at: Mapped[datetime]
    feed_id: Mapped[str]
    feed_kind: Mapped[str]
    feed_rank: Mapped[int]
    provisional: Mapped[bool] = mapped_column(server_default=false())
    first_stored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("articles_published", "published_at"),
        Index("articles_observed", "observed_at"),
        Index("articles_feed", "feed_id"),
        # A hash: an address may be longer than what a tree takes.
        Index("articles_url", "url", postgresql_using="hash"),
    )


class RevisionRow(Base):
    """Every content an article has had."""

    __tablename__ = "revisions"
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.article_id"), primary_key=True)
    revision: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    feed_id: Mapped[str]
    observed_at: Mapped[datetime]


class SightingRow(Base):
    """A feed that carries an article, its owner included."""

    __tablename__ = "sightings"
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.article_id"), primary_key=True)
    feed_id: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    seen_at: Mapped[datetime]
    __table_args__ = (
        # Rows come in the order of their time: a few bytes say where those of a month are.
        Index(
            "sightings_seen",
            "seen_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 8, "autosummarize": "on"},
        ),
    )


class AssessmentRow(Base):
    """The newest verdict on an article."""

    __tablename__ = "assessments"
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.article_id"), primary_key=True)
    version: Mapped[int]
    revision: Mapped[str]
    classifier: Mapped[str]
    label: Mapped[str]
    published_at: Mapped[datetime] = mapped_column(index=True)
    body: Mapped[dict[str, Any]]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    __table_args__ = (Index("assessments_label_published", "label", "published_at"),)


class CorrectionRow(Base):
    """What somebody says is right of a verdict instead (`pipeline.store.corrections`): the whole label."""

    __tablename__ = "corrections"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    article_id: Mapped[str] = mapped_column(ForeignKey("articles.article_id"), index=True)
    revision: Mapped[str]
    classifier: Mapped[str]
    label: Mapped[dict[str, Any]]
    given_by: Mapped[str]
    note: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(server_default=func.now())


# --- what the storyteller writes -----------------------------------------------------------------------


class StoryRow(Base):
    """The newest state of a story."""

    __tablename__ = "stories"
    story_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    first_published_at: Mapped[datetime]
    last_published_at: Mapped[datetime]
    actors: Mapped[list[Any]]
    products: Mapped[list[Any]]
    body: Mapped[dict[str, Any]]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    __table_args__ = (Index("stories_last", "last_published_at"),)


class MemberRow(Base):
    """An article as it was placed in a story (`pipeline.stories.Member`)."""

    __tablename__ = "story_members"
    article_id: Mapped[str] = mapped_column(primary_key=True)
    story_id: Mapped[str] = mapped_column(index=True)
    published_at: Mapped[datetime] = mapped_column(index=True)
    actors: Mapped[list[Any]]
    body: Mapped[dict[str, Any]]


class ReleaseRow(Base):
    """The newest state of a product version."""

    __tablename__ = "releases"
    release_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    actor: Mapped[str]
    status: Mapped[str]
    last_published_at: Mapped[datetime | None] = mapped_column(index=True)
    article_ids: Mapped[list[Any]]
    body: Mapped[dict[str, Any]]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    __table_args__ = (
        # Without a list of what is pending, which each search would read.
        Index(
            "releases_articles", "article_ids", postgresql_using="gin", postgresql_with={"fastupdate": "off"}
        ),
        Index("releases_product", text("(body ->> 'product'::text)"), postgresql_using="hash"),
    )
