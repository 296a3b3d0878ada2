"""The decider: what becomes of each entry of a document, given what is remembered. Pure: no clock, no I/O.

The same feed, candidates, memory and time always give the same decision, whatever the order of the entries.
That makes a poll safe to repeat: it publishes, waits for the acknowledgement, then remembers; killed in
between, the next poll decides the same again.

Within a batch the memory of one feed's decision must be laid over `known` before the next feed is decided.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from pipeline.feeds.aliases import settle
from pipeline.feeds.values import Candidate, Decision, Feed, Known, Outcome, OutcomeKind, Reject, ownership

# A page that changes with every poll (rotating ads, live tickers) would else fill the topic for good. A real
# article is seldom edited more than a few times; lemon24/reader allows 24 (its issue 225).
MAX_EDITS = 12


def decide(
    feed: Feed,
    entries: Iterable[Candidate | Reject],
    known: Mapping[str, Known],
) -> Decision:
    """Give every entry exactly one outcome. `known` has what is remembered of the entries' `aliases.ids`."""
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
        winner = counting[entry.article.article_id]
        if entry is not winner:
            outcomes.append(
                Outcome(
                    position=entry.position,
                    kind="reject",
                    why=f"entry {winner.position} of this document has the same address and counts",
                    article_id=entry.article.article_id,
                    reason="duplicate-in-feed",
                )
            )
            continue
        outcome, remembered = _decide_one(feed, entry, known.get(entry.article.article_id))
        outcomes.append(outcome)
        if remembered is not None:
            memory.append(remembered)
    remembered_of = {**known, **{new.article_id: new for new in memory}}
    memory += [
        replace(remembered_of[target], article_id=alias, same_as=target) for alias, target in aliases.items()
    ]
    return Decision(outcomes=tuple(outcomes), memory=tuple(memory))


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


def _decide_one(feed: Feed, candidate: Candidate, old: Known | None) -> tuple[Outcome, Known | None]:
    article = candidate.article

    def outcome(kind: OutcomeKind, why: str) -> Outcome:
        message = None
        if kind != "unchanged":
            message = replace(article, kind=kind)
            if old is not None and article.published_precision == "observed":
                # An undated article keeps the time at which it was first seen, whoever carries it later.
                message = replace(message, published_at=old.published_at, published_precision=old.precision)
        return Outcome(
            position=candidate.position,
            kind=kind,
            why=why,
            article_id=article.article_id,
            article=message,
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
        carriers=frozenset({feed.id}),
        teaser=candidate.teaser,
    )
    if old is None:
        return outcome("article", "no feed has carried this address before"), mine

    mine = replace(
        mine,
        published_at=old.published_at,
        precision=old.precision,
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
        seen = replace(owned, carriers=mine.carriers, published=mine.published)
        if feed.id in old.carriers and not richer:
            return outcome("unchanged", f"carried before, as {old.owner} has it"), None
        return outcome("sighting", f"the same content as {old.owner} carries"), seen
    if richer and (candidate.title_digest != old.title_digest or old.edits < MAX_EDITS):
        why = f"{feed.id} carries it richer than {old.owner} and owns it now"
        return outcome("revision", why), mine
    if feed.id not in old.carriers:
        seen = replace(old, carriers=mine.carriers, published=mine.published)
        return outcome("sighting", f"{old.owner} carries this article with richer text"), seen
    return outcome("unchanged", f"carried before; {old.owner} owns this article"), None
