"""The values about entries: what one may become, what is remembered of its article, what became of it.

Nothing here reads a clock, a socket or a disk, so that the store can keep these values.
"""

from datetime import datetime
from typing import Literal, get_args

from msgspec import field

from pipeline.feeds.values import Value
from schemas.messages import Article, Id

OutcomeKind = Literal["article", "revision", "sighting", "unchanged", "reject"]


OUTCOME_KINDS: tuple[OutcomeKind, ...] = get_args(OutcomeKind)


class Candidate(Value, frozen=True, kw_only=True):
    """An entry with an identity: what its feed would publish if nobody knew the article yet.

    `article` has kind `article`; `title_digest` names the title alone, as `article.revision` names title
    and text. `text_length` leaves out what is volatile, as both of these do. `position` is the entry's place
    in its document, from 0. `teaser` is set once the entry's page was asked for: the revision that the feed's
    own words make, whether the article has them or the page's. `canonical` is the address that the page gives
    itself, where it is believed.
    """

    position: int
    article: Article
    title_digest: str
    text_length: int
    teaser: Id | None = None
    canonical: str | None = None


class Reject(Value, frozen=True, kw_only=True):
    """An entry that becomes no message, and why. `address` and `title` are for people, shortened."""

    position: int
    reason: str
    detail: str
    address: str = ""
    title: str = ""


class Known(Value, frozen=True, kw_only=True):
    """What is remembered of an article, also after the article itself was cleaned up: the row that keeps
    what was seen once from coming back as new.

    `history` says on which of the two topics it is; it stays there for good, so that its messages keep their
    order. `undated`: a feed has carried it without a date since then. `published` counts the messages about
    it. `carriers` are the feeds that have carried it, its owner included. `edits` counts revisions that
    changed the text alone. `published_at` and `precision` are the article's first, for feeds that give no
    date; `observed_at` is that of the last message about it. `teaser` is that of the `Candidate` which owns
    it: while its feed says the same, its page is not asked for again. With `same_as` this is no article but
    another address of the one with that id.
    """

    article_id: Id
    owner: Id
    owner_rank: int
    text_length: int
    revision: Id
    title_digest: str
    published_at: datetime
    precision: str
    observed_at: datetime | None = None
    history: bool = False
    undated: bool = False
    edits: int = 0
    published: int = 1
    carriers: frozenset[str] = field(default_factory=frozenset)
    teaser: Id | None = None
    same_as: Id | None = None

    @property
    def order(self) -> tuple[int, int, str]:
        """Strict total order of ownership: longest text, then best rank, then the feed's id."""
        return ownership(self.text_length, self.owner_rank, self.owner)


def ownership(text_length: int, rank: int, feed_id: str) -> tuple[int, int, str]:
    """The greater one owns the article. Strict, so that two feeds never take it from each other in turns."""
    return text_length, -rank, feed_id


class Outcome(Value, frozen=True, kw_only=True):
    """What became of one entry. `article` is the message to publish, None for `unchanged` and `reject`.

    `why` says in one line what decided it. `reason` is a reject's code. A message of `history` is no news.
    """

    position: int
    kind: OutcomeKind
    why: str
    article_id: Id | None = None
    article: Article | None = None
    reason: str | None = None
    history: bool = False


class Decision(Value, frozen=True, kw_only=True):
    """What became of a document: one outcome for each entry, in the document's order, and the memory to
    write once every message is acknowledged. `memory` has one row for each article that changed.
    """

    outcomes: tuple[Outcome, ...]
    memory: tuple[Known, ...]

    @property
    def messages(self) -> tuple[Article, ...]:
        """The messages to publish, in order."""
        return tuple(outcome.article for outcome in self.outcomes if outcome.article is not None)

    @property
    def counts(self) -> dict[OutcomeKind, int]:
        """How many entries ended how. The sum is the number of entries."""
        counts = dict.fromkeys(OUTCOME_KINDS, 0)
        for outcome in self.outcomes:
            counts[outcome.kind] += 1
        return counts
