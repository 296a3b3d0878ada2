"""The contract in code: what travels on the topics.

Every type is frozen and decodes leniently: a reader ignores fields it does not know, so that a schema can
grow. Labels that will grow (`events`, `status`, `kind`, `role`, `reason`) are open strings on the wire.
Offsets in a `Span` count Unicode code points from the start of the field they name. Times are UTC.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:-]+$")]
Label = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}$", description="ISO 639 code; `und` when unknown")]
Timestamp = Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC")]
Score = Annotated[float, Meta(ge=0, le=1)]
Version = Annotated[int, Meta(ge=0, description="grows by one with every published state of the same key")]
DATE = r"^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?|-Q[1-4])?$"
Expected = Annotated[
    str,
    Meta(
        pattern=DATE,
        description="`2025`, `2025-Q3`, `2025-04` or `2025-04-17`",
    ),
]
Figure = Annotated[
    str,
    Meta(
        pattern=r"^(0|[1-9]\d{0,20})(\.\d{1,18})?$",
        description="a decimal number, exact: `40000000000`, `0.14`",
    ),
]


class Message(Struct, frozen=True, kw_only=True):
    """Base of every type in the contract."""


class Span(Message, frozen=True, kw_only=True):
    """A piece of an article's own words that carries a label: `article[field][start:end] == text`."""

    field: Annotated[str, Meta(pattern="^(title|text)$")]
    start: Annotated[int, Meta(ge=0)]
    end: Annotated[int, Meta(ge=0)]
    text: str


class FeedRef(Message, frozen=True, kw_only=True):
    """The feed an article was read from. `kind` is press, lab, research or community; rank 1 is the best."""

    id: Id
    kind: Label
    rank: Annotated[int, Meta(ge=1, le=9)]


class Article(Message, frozen=True, kw_only=True):
    """One article as one feed carries it: a new article, a new revision of it, or another feed's sighting.

    `kind` is `article`, `revision` or `sighting`. `revision` names the content by its hash. `text` is plain
    text; `text_source` says where it came from (`summary`, `content`, `page`). `published_at` is the
    feed's date (`published_precision` `second`, `day`, `month` or `year`), or the time of observation where
    it gives none (`observed`).
    """

    article_id: Id
    revision: Id
    kind: Label
    url: Annotated[str, Meta(max_length=2048)]
    title: str
    text: str
    text_source: Label = "summary"
    language: Language
    published_at: Timestamp
    published_precision: Label
    observed_at: Timestamp
    feed: FeedRef


class Relevance(Message, frozen=True, kw_only=True):
    """`label` is `core`, `peripheral` or `none`; `score` says how sure `core` is."""

    label: Label
    score: Score
    spans: list[Span]


class Actor(Message, frozen=True, kw_only=True):
    """An organisation in the race. `role` is mover, partner, target, rival or mentioned."""

    id: Label
    role: Label
    spans: list[Span]


class Product(Message, frozen=True, kw_only=True):
    """A model, app or chip in its usual spelling with version, and the actor that owns it if known."""

    name: str
    actor: Label | None
    spans: list[Span]


class Event(Message, frozen=True, kw_only=True):
    """What kind of development it is, the main one first in an assessment."""

    id: Label
    score: Score
    spans: list[Span]


class Forecast(Message, frozen=True, kw_only=True):
    """When something still ahead is expected, and the words that say so."""

    value: Expected
    spans: list[Span]


class Amount(Message, frozen=True, kw_only=True):
    """A figure that the article states: `value` of `unit`, up to `high` where it is a range.

    `kind` is `money`, `price` (money for something), `parameters`, `percent`, `points` (of percent), `tokens`
    or `power`. `unit` is a currency's ISO 4217 code or `parameters`, `percent`, `percentage-points`,
    `tokens`, `watts`. `per` is what the money is for, or the time: `million-tokens`, `month`, `year`.
    `qualifier` is `about`, `over` (that much or more) or `under` (that much or less).
    """

    kind: Label
    value: Figure
    high: Figure | None = None
    unit: Annotated[str, Meta(pattern=r"^([A-Z]{3}|[a-z-]{1,64})$")]
    per: Label | None = None
    qualifier: Label | None = None
    spans: list[Span]


class Sighting(Message, frozen=True, kw_only=True):
    """Another feed that carries the same article."""

    feed: Id
    url: str
    seen_at: Timestamp


class Assessment(Message, frozen=True, kw_only=True):
    """What one version of the classifier says of one revision of an article.

    `status` is rumoured, announced, happened, delayed, denied or none. `classifier` is the digest of code,
    lexicon, weights and settings. `version` is 0 until the store has given it a number. `amounts` are the
    first 20 different ones of a core article, in reading order.
    """

    article_id: Id
    revision: Id
    version: Version = 0
    classifier: Id
    url: str
    title: str
    language: Language
    published_at: Timestamp
    feed: Id
    relevance: Relevance
    actors: list[Actor]
    products: list[Product]
    events: list[Event]
    status: Label
    status_spans: list[Span]
    expected: Forecast | None
    sightings: list[Sighting] = []
    amounts: list[Amount] = []


class StoryArticle(Message, frozen=True, kw_only=True):
    """An article of a story."""

    article_id: Id
    url: str
    title: str
    language: Language
    feed: Id
    published_at: Timestamp
    status: Label


class Story(Message, frozen=True, kw_only=True):
    """The articles of all languages about the same development. `articles` is oldest first."""

    story_id: Id
    version: Version = 0
    title: str
    actors: list[Label]
    products: list[str]
    events: list[Label]
    status: Label
    languages: list[Language]
    articles: list[StoryArticle]
    first_published_at: Timestamp
    last_published_at: Timestamp
    merged_into: Id | None = None


class ReleaseStatement(Message, frozen=True, kw_only=True):
    """What one article said about a release: the step it reports and the words that carry it."""

    article_id: Id
    url: str
    title: str
    language: Language
    feed: Id
    published_at: Timestamp
    status: Label
    expected: Expected | None
    quote: str


class Release(Message, frozen=True, kw_only=True):
    """One product version's way through the statuses: the newest state and every statement, oldest first.

    `slips` counts how often the expected date moved back or a delay was reported.
    """

    release_id: Id
    version: Version = 0
    actor: Label
    product: str
    status: Label
    expected: Expected | None
    slips: Annotated[int, Meta(ge=0)]
    statements: list[ReleaseStatement]


class Header(Message, frozen=True, kw_only=True):
    """A record header; the value is base64 in JSON."""

    key: str
    value: bytes


class DeadLetter(Message, frozen=True, kw_only=True):
    """A record that could not be processed: its bytes, its place, the reason. `key` and `value` are base64.

    `reason` is `decode`, `process`, `write` or `killed-worker`; `errors` is the exception's chain, outermost
    first. Where the bytes are too large for the topic, `key`, `value` and `headers` are left out, and
    `errors` says so.
    """

    topic: str
    partition: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)]
    timestamp: Timestamp
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    reason: Label
    errors: list[str]
    fingerprint: Id
    worker: Label
    worker_version: str
    failed_at: Timestamp
    attempts: Annotated[int, Meta(ge=1)] = 1
