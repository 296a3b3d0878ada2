"""The values that cross rooms: what a feed is, where it stands, what is remembered of an article.

Nothing here reads a clock, a socket or a disk, and nothing imports more than the contract, so that the store
can keep these values without knowing how feeds are fetched or parsed. Times are aware and in UTC.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.messages import FeedRef, Id, Language

FeedKind = Literal["press", "lab", "research", "community"]

FeedStatus = Literal["new", "ok", "empty", "failing", "blocked", "not-a-feed", "gone", "duplicate"]
"""`new`: never polled. `ok`: the last document had entries. `empty`: it was a feed without any. `failing`: no
document was had, for the reason in `FeedState.reason`. `blocked`: the server keeps it from us. `not-a-feed`:
it sent something else. `gone`: the server said 410, polled no more. `duplicate`: it moved to where another
feed is polled, polled no more. Nothing new leaves the status as it is.
"""

FetchKind = Literal["ok", "not-modified", "unchanged", "gone", "failed", "held"]


# One full answer a day costs a server next to nothing, and bounds how long a lying one can hide its articles.
TRUST_VALIDATORS = timedelta(days=1)

# What a feed yields, and whether it is of any use, is told of so long a time.
RECENT = timedelta(days=30)


class Value(Struct, frozen=True, kw_only=True):
    """Base of the values below: immutable, compared by content."""


class Feed(Value, frozen=True, kw_only=True):
    """A feed of the registry. Rank 1 is the best of its kind and wins where two feeds carry equal text.

    `allow_hosts` names the hosts with private or loopback addresses that this feed, and only this feed, may
    be fetched from. With `full_text` the pages of entries that are mere teasers are read.
    """

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    url: Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s/@]+(/\S*)?$")]
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    language: Language
    kind: FeedKind
    rank: Annotated[int, Meta(ge=1, le=9)]
    allow_hosts: frozenset[str] = frozenset()
    full_text: bool = False

    @property
    def ref(self) -> FeedRef:
        """How messages name this feed."""
        return FeedRef(id=self.id, kind=self.kind, rank=self.rank)


class Seen(Value, frozen=True, kw_only=True, array_like=True):
    """An entry of a feed's last document that need not be read again: see `seen`.

    `digest` names its bytes, `address` where it leads; `published` is None where its date is not exact.
    """

    digest: str
    address: str
    published: datetime | None = None


class Validators(Value, frozen=True, kw_only=True):
    """What tells an unchanged document: the server's validators, and the body's hash for when they lie; and
    its entries, which tell what is unchanged in a changed one.
    """

    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    entries: tuple[Seen, ...] = ()


class Rhythm(Value, frozen=True, kw_only=True):
    """When a feed posts, as `rhythm.learn` has learned it: faded counts of events by weekday and hour (UTC).

    `exposure` is the time in which the `events` came, in hours of the feed's own clock; `last` is the newest.
    """

    last: datetime | None = None
    events: float = 0.0
    exposure: float = 0.0
    weekdays: tuple[float, ...] = (0.0,) * 7
    hours: tuple[float, ...] = (0.0,) * 24


class Hints(Value, frozen=True, kw_only=True):
    """How often a feed itself wants to be polled: RSS `ttl`, and the hours (0 to 23, UTC) and days of the
    week (Monday is 0) in which it does not.
    """

    ttl: timedelta | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()


class Move(Value, frozen=True, kw_only=True):
    """A permanent redirect: where it leads, since when it is seen, and in how many polls it led to a feed."""

    to: str
    since: datetime
    polls: int = 0


class FeedState(Value, frozen=True, kw_only=True):
    """Where a feed stands. `cadence.next_state` is the only place that makes a new one.

    `next_poll_at` is None for a feed that is never polled again. `failures` counts consecutive ones.
    `reason` is a short code (`http-404`, `timeout`, `not-a-feed`), `detail` the same in words for an
    operator. `hints` are those of its last document. `silent_since` is set while the feed answers and posts
    nothing for longer than its rhythm explains. `oldest_at` is the oldest dated entry of the last document;
    `gaps` counts the documents that did not reach back to the one before. `moved_to` is where the feed is
    asked in place of its registered address, `moving` a redirect that may become it.
    """

    feed_id: Id
    status: FeedStatus = "new"
    reason: str | None = None
    detail: str | None = None
    validators: Validators = Validators()
    hints: Hints = Hints()
    interval: timedelta | None = None
    failures: int = 0
    last_attempt_at: datetime | None = None
    first_success_at: datetime | None = None
    last_success_at: datetime | None = None
    last_new_at: datetime | None = None
    last_body_at: datetime | None = None
    rhythm: Rhythm = Rhythm()
    silent_since: datetime | None = None
    oldest_at: datetime | None = None
    gaps: int = 0
    moving: Move | None = None
    moved_to: str | None = None
    next_poll_at: datetime | None = None

    def conditions(self, now: datetime) -> Validators:
        """The validators to ask with.

        None after a failure, so that health is proven by a body. Not the server's own when the last body is
        old, since there are servers that answer 304 for good.
        """
        if self.status not in ("ok", "empty") or self.last_body_at is None:
            return Validators()
        if now - self.last_body_at > TRUST_VALIDATORS:
            return Validators(body_hash=self.validators.body_hash)
        return self.validators


class Fetched(Value, frozen=True, kw_only=True):
    """How one fetch ended. Every fetch ends in one of these; none raises.

    `ok` has a body that is to be parsed; `not-modified` (304) and `unchanged` (same body hash) have none;
    `gone` is 410; `failed` has a reason and a detail; `held` was not asked, its host being left alone,
    for `retry_after` where it said so. `url` is the last address that was asked or, where held, was not.
    `moved_to` is where permanent redirects alone led from the address that was to be asked, None for nowhere.
    `validators` are to be remembered once the body's articles are acknowledged. In seconds: `retry_after` and
    `fresh_for`, how long the server says that nothing will change.
    """

    kind: FetchKind
    url: str
    moved_to: str | None = None
    status: int | None = None
    content_type: str = ""
    body: bytes = b""
    validators: Validators = Validators()
    reason: str | None = None
    detail: str | None = None
    retry_after: float | None = None
    fresh_for: float | None = None

    @property
    def holds_host(self) -> bool:
        """Whether the server asks that no feed of its host is polled for `retry_after` seconds."""
        return self.status in (429, 503) and bool(self.retry_after)


class Robots(Value, frozen=True, kw_only=True):
    """What the robots.txt of an origin (`https://paper.example`) says, believed until `until`.

    `rules` is its text, empty where there is none, and None while none of the origin's pages may be asked.
    """

    origin: str
    rules: str | None
    until: datetime


class Entry(Value, frozen=True, kw_only=True):
    """An item as its feed gives it, with markup already turned into plain text.

    `link`, `guid` and `enclosure` are as given and may be anything. `published` is UTC, None where the feed
    has no date that can be read; `precision` is `second`, `day`, `month`, `year` or `observed` (no date).
    `digest` names the entry's bytes, where these can be told.
    """

    link: str = ""
    guid: str = ""
    enclosure: str = ""
    title: str = ""
    text: str = ""
    text_source: str = "summary"
    published: datetime | None = None
    precision: str = "observed"
    digest: str = ""


class ParsedFeed(Value, frozen=True, kw_only=True):
    """A document as parsed. `entries` has one value for each entry of the document, in its order, but for
    those that were `seen` in the one before.

    `problem` is a reason code (`not-a-feed`, `html`, `challenge`, …) and `detail` its explanation; both None
    for a feed. Relative links are resolved against `base`; `site` is the page that the feed is of; `language`
    is what the feed says it is in, as given.
    """

    base: str
    site: str = ""
    format: str = ""
    title: str = ""
    language: str = ""
    entries: tuple[Entry, ...] = ()
    seen: tuple[Seen, ...] = ()
    hints: Hints = Hints()
    problem: str | None = None
    detail: str | None = None
