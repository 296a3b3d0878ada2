"""The decider: what becomes of each entry of a document, given what is remembered. Pure: no clock, no I/O.

The same feed, candidates, memory and time always give the same decision, whatever the order of the entries.
That makes a poll safe to repeat: it publishes, waits for the acknowledgement, then remembers; killed in
between, the next poll decides the same again.

Within a batch the memory of one feed's decision must be laid over `known` before the next feed is decided.

What is new is news or history by its date (`Horizon`). What was seen once never comes back as news: its row
in the memory says so, and when that is dropped its date is older than the horizon.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from pipeline.feeds.aliases import settle
from pipeline.feeds.outcomes import Candidate, Decision, Known, Outcome, OutcomeKind, Reject, ownership
from pipeline.feeds.values import Feed, FeedState, Value

# A page that changes with every poll (rotating ads, live tickers) would else fill the topic for good. A real
# article is seldom edited more than a few times; lemon24/reader allows 24 (its issue 225).
MAX_EDITS = 12

ALL_TIME = datetime.min.replace(tzinfo=UTC)  # as `news_since`: whatever is dated is news
END_OF_TIME = datetime.max.replace(tzinfo=UTC)  # the same: whatever is dated is history


class Horizon(Value, frozen=True, kw_only=True):
    """How old what is new may be to be news: `first_import` for a feed that never gave anything, else `seen`.

    A memory that nobody has carried for `seen` may be dropped. One without a date never is: nothing but the
    memory tells that it is old.
    """

    first_import: timedelta = timedelta(hours=48)
    seen: timedelta = timedelta(days=400)

    def news_since(self, state: FeedState, now: datetime) -> datetime:
        """The date from which on what `state`'s feed shows is news."""
        age = self.first_import if state.last_success_at is None else self.seen
        return now - min(age, self.seen)


def decide(
    feed: Feed,
    entries: Iterable[Candidate | Reject],
    known: Mapping[str, Known],
    news_since: datetime = ALL_TIME,
    forgotten: Container[str] = (),
) -> Decision:
    """Give every entry exactly one outcome.

    `known` has what is remembered of the entries' `aliases.ids`, `forgotten` are those that were taken down.
    What nobody knows and is dated before `news_since` is history; what is undated is taken for news.
    """
    outcomes: list[Outcome] = []
    memory: list[Known] = []
    entries, aliases = settle(feed, entries, known)
    counting = richest(entries)
    for entry in entries:
        if isinstance(entry, Reject):
            outcomes.append(
                Outcome(position=entry.position, kind="reject", why=entry.detail, reason=entry.reason)
            )
            continue
        if entry.article.article_id in forgotten:
            why = "the article was taken down (`racewire forget`) and does not return"
            outcomes.append(_refused(entry, "forgotten", why))
            continue
        winner = counting[entry.article.article_id]
        if entry is not winner:
            why = f"entry {winner.position} of this document has the same address and counts"
            outcomes.append(_refused(entry, "duplicate-in-feed", why))
            continue
        old = known.get(entry.article.article_id)
        outcome, remembered = _decide_one(feed, entry, old, news_since)
        if old is not None and _loses_date(old, entry):
            remembered = replace(remembered or old, undated=True)
        outcomes.append(outcome)
        if remembered is not None:
            memory.append(remembered)
    remembered_of = {**known, **{new.article_id: new for new in memory}}
    memory += [
        replace(remembered_of[target], article_id=alias, same_as=target)
        for alias, target in aliases.items()
        if target in remembered_of  # else it was taken down
    ]
    return Decision(outcomes=tuple(outcomes), memory=tuple(memory))


def _loses_date(old: Known, entry: Candidate) -> bool:
    """Whether what was dated is carried without a date: its memory must then not end by its date."""
    is_undated = entry.article.published_precision == "observed"
    return is_undated and not old.undated and old.precision != "observed"


def _refused(entry: Candidate, reason: str, why: str) -> Outcome:
    return Outcome(
        position=entry.position,
        kind="reject",
        why=why,
        article_id=entry.article.article_id,
        reason=reason,
    )


def richest(entries: Iterable[Candidate | Reject]) -> dict[str, Candidate]:
    """The candidate that counts of each article, by its id."""
    candidates = sorted((entry for entry in entries if isinstance(entry, Candidate)), key=_richness)
    return {candidate.article.article_id: candidate for candidate in candidates}


def wants_page(feed: Feed, candidate: Candidate, old: Known | None) -> bool:
    """Whether the page of a teaser is to be asked for: once while the feed's words are the same.

    Where another feed owns the article, only if nobody has asked for the page.
    """
    if old is None or feed.id not in old.carriers:
        return old is None or old.teaser is None
    same_title = candidate.title_digest == old.title_digest
    changed = old.teaser != candidate.article.revision
    return feed.id == old.owner and changed and not (same_title and old.edits >= MAX_EDITS)


def _richness(candidate: Candidate) -> tuple[int, str, str, str, str, int]:
    """Which of several entries with one address counts: the longest text, whatever their order.

    The last part only tells apart entries that are equal in all that people read.
    """
    article = candidate.article
    published = article.published_at.isoformat()
    return (
        candidate.text_length,
        article.revision,
        published,
        article.title,
        article.text,
        -candidate.position,
    )


def _decide_one(
    feed: Feed, candidate: Candidate, old: Known | None, news_since: datetime
) -> tuple[Outcome, Known | None]:
    article = candidate.article
    if old is not None and old.observed_at is not None and article.observed_at <= old.observed_at:
        # Readers take the newest for current: what is decided last must be, though it was fetched at the same
        # time or before, by a poll that waited for its turn or on a clock that is slow.
        article = replace(article, observed_at=old.observed_at + timedelta.resolution)
    is_dated = article.published_precision != "observed"
    history = old.history if old is not None else is_dated and article.published_at < news_since

    def outcome(kind: OutcomeKind, why: str) -> Outcome:
        message = None
        if kind != "unchanged":
            message = replace(article, kind=kind)
            if old is not None and not is_dated:
                # An undated article keeps the time at which it was first seen, whoever carries it later.
                message = replace(message, published_at=old.published_at, published_precision=old.precision)
        return Outcome(
            position=candidate.position,
            kind=kind,
            why=why,
            article_id=article.article_id,
            article=message,
            history=history and message is not None,
        )

    mine = Known(
        article_id=article.article_id,
        owner=feed.id,
        owner_rank=feed.rank,
        text_length=candidate.text_length,
        revision=article.revision,
        title_digest=candidate.title_digest,
        published_at=article.published_at,
        precision=article.published_precision,
        observed_at=article.observed_at,
        history=history,
        carriers=frozenset({feed.id}),
        teaser=candidate.teaser,
    )
    if old is None:
        age = ", and it is too old to be news" if history else ""
        return outcome("article", f"no feed has carried this address before{age}"), mine

    mine = replace(
        mine,
        published_at=old.published_at,
        precision=old.precision,
        undated=old.undated,
        carriers=old.carriers | {feed.id},
        published=old.published + 1,
        edits=old.edits + (candidate.title_digest == old.title_digest),
    )
    if feed.id == old.owner:
        if old.teaser is not None and article.revision == old.teaser:
            return outcome("unchanged", "the feed gives the teaser whose page was asked for before"), None
        # The feed's words are looked at once, whatever their page gave, and so often at most.
        asked = None
        if candidate.teaser not in (None, old.teaser):
            first = old.teaser is None
            asked = replace(old, teaser=candidate.teaser, edits=old.edits + (not first))
        if article.revision == old.revision:
            return outcome("unchanged", "the feed that owns this article carries it as before"), asked
        if candidate.title_digest != old.title_digest:
            return outcome("revision", "the feed that owns this article changed its title"), mine
        if article.text_source != "page" and old.teaser not in (None, old.revision):
            return outcome("unchanged", "its teaser changed, and the text of its page stands"), asked
        if old.edits >= MAX_EDITS:
            why = f"its text alone changed more than {MAX_EDITS} times: taken for noise"
            return outcome("unchanged", why), None
        return outcome("revision", "the feed that owns this article changed its text"), mine

    richer = ownership(candidate.text_length, feed.rank, feed.id) > old.order
    if article.revision == old.revision:
        # Nothing differs for a reader, so it is a sighting, but the better feed owns what comes next.
        owned = replace(mine, edits=old.edits) if richer else old
        seen = _seen(owned, mine)
        if feed.id in old.carriers and not richer:
            return outcome("unchanged", f"carried before, as {old.owner} has it"), None
        return outcome("sighting", f"the same content as {old.owner} carries"), seen
    if richer and (candidate.title_digest != old.title_digest or old.edits < MAX_EDITS):
        why = f"{feed.id} carries it richer than {old.owner} and owns it now"
        return outcome("revision", why), mine
    if feed.id not in old.carriers:
        return outcome("sighting", f"{old.owner} carries this article with richer text"), _seen(old, mine)
    return outcome("unchanged", f"carried before; {old.owner} owns this article"), None


def _seen(owned: Known, mine: Known) -> Known:
    """The memory after a sighting: content and owner stay those of `owned`."""
    return replace(owned, carriers=mine.carriers, published=mine.published, observed_at=mine.observed_at)
