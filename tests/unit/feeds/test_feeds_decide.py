"""What becomes of each entry: one outcome each, one owner an article, the same decision however often."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.feeds.decide import ALL_TIME, MAX_EDITS, Horizon, decide, wants_page
from pipeline.feeds.identify import with_text_of_page
from pipeline.feeds.outcomes import Candidate, Decision, Known, Reject
from pipeline.feeds.values import Entry, Feed, FeedState
from tests.unit.feeds.feed_factory import DETECTOR, NOW, a_candidate, a_feed, identified

PAPER = a_feed("paper", rank=5)
LAB = a_feed("lab", rank=1, kind="lab")
SHORT, LONG = "A teaser.", "The full text, which says a good deal more than the teaser."


class Memory:
    """Decides documents one after the other and remembers, as a poll does after the acknowledgement."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}

    def poll(self, feed: Feed, *candidates: Candidate | Reject) -> Decision:
        decision = decide(feed, candidates, self.known)
        self.known |= {known.article_id: known for known in decision.memory}
        return decision

    def carry(self, feed: Feed, text: str = SHORT, title: str = "Lab ships a model") -> str:
        """The outcome of a document with the one article of these tests."""
        (outcome,) = self.poll(feed, a_candidate(feed, text=text, title=title)).outcomes
        assert (outcome.article is None) == (outcome.kind in ("unchanged", "reject"))
        assert outcome.article is None or outcome.article.kind == outcome.kind
        assert outcome.why
        return outcome.kind

    @property
    def owner(self) -> str:
        (known,) = self.known.values()
        return known.owner


def test_first_seen_is_an_article_and_then_unchanged() -> None:
    memory = Memory()
    assert [memory.carry(PAPER), memory.carry(PAPER)] == ["article", "unchanged"]


def test_richest_text_owns_the_article_and_the_others_are_sightings_once() -> None:
    memory = Memory()
    assert [memory.carry(PAPER, LONG), memory.carry(LAB, SHORT), memory.carry(LAB, SHORT)] == [
        "article", "sighting", "unchanged",
    ]  # fmt: skip
    assert memory.carry(a_feed("third"), SHORT) == "sighting"
    assert memory.owner == "paper"
    (known,) = memory.known.values()
    assert known.carriers == {"paper", "lab", "third"}


def test_richer_text_takes_the_article_over_for_good() -> None:
    memory = Memory()
    assert [memory.carry(PAPER, SHORT), memory.carry(LAB, LONG)] == ["article", "revision"]
    rounds = [memory.carry(feed, text) for _ in range(5) for feed, text in [(PAPER, SHORT), (LAB, LONG)]]
    assert set(rounds) == {"unchanged"}
    assert memory.owner == "lab"


def test_of_equal_text_the_better_rank_owns() -> None:
    for first, second in permutations((PAPER, LAB)):
        memory = Memory()
        assert [memory.carry(first), memory.carry(second)] == ["article", "sighting"]
        assert memory.owner == "lab"


def test_two_feeds_do_not_take_an_article_from_each_other_by_their_counters() -> None:
    memory = Memory()
    memory.carry(PAPER, f"{LONG} 9 comments")
    memory.carry(LAB, f"{LONG} 1 comment")
    kinds = [memory.carry(feed, f"{LONG} {10**n} comments") for n in range(6) for feed in (PAPER, LAB)]
    assert set(kinds) == {"unchanged"}


def test_every_edited_title_is_a_revision() -> None:
    memory = Memory()
    memory.carry(PAPER)
    kinds = [memory.carry(PAPER, title=f"Lab ships model number {n}") for n in range(40)]
    assert set(kinds) == {"revision"}


def test_text_that_never_rests_is_taken_for_noise_but_titles_are_not() -> None:
    memory = Memory()
    memory.carry(PAPER)
    kinds = [memory.carry(PAPER, f"{SHORT} Now with advert {n}.") for n in range(MAX_EDITS + 5)]
    assert kinds == ["revision"] * MAX_EDITS + ["unchanged"] * 5
    assert memory.carry(PAPER, title="Lab delays its model") == "revision"


def test_new_articles_are_never_capped() -> None:
    candidates = [a_candidate(url=f"/{n}") for n in range(500)]
    assert Memory().poll(PAPER, *candidates).counts["article"] == 500


def test_an_entry_that_leaves_and_returns_is_not_new() -> None:
    memory = Memory()
    memory.carry(PAPER)
    assert memory.poll(PAPER).outcomes == ()
    assert memory.carry(PAPER) == "unchanged"


def test_one_address_twice_in_a_document_counts_once_and_the_richer_wins() -> None:
    short, long = a_candidate(text=SHORT), a_candidate(url="http://www.lab.example/model/", text=LONG)
    for first, second in permutations((short, long)):
        decision = Memory().poll(PAPER, replace(first, position=0), replace(second, position=1))
        assert sorted(outcome.reason or outcome.kind for outcome in decision.outcomes) == [
            "article", "duplicate-in-feed",
        ]  # fmt: skip
        assert [message.text for message in decision.messages] == [LONG]


def test_undated_articles_keep_the_time_they_were_first_seen() -> None:
    later = NOW + timedelta(days=3)
    memory = Memory()
    memory.poll(PAPER, a_candidate(PAPER, published=None))
    decision = memory.poll(PAPER, a_candidate(PAPER, published=None, text=LONG, now=later))
    (message,) = decision.messages
    assert (message.kind, message.published_at, message.observed_at) == ("revision", NOW, later)


def test_that_a_feed_gave_no_date_is_remembered_once() -> None:
    memory = Memory()
    dated, undated = a_candidate(PAPER), a_candidate(PAPER, published=None)
    told = [memory.poll(PAPER, candidate) for candidate in (dated, undated, undated, dated)]
    assert [len(decision.memory) for decision in told] == [1, 1, 0, 0]
    assert [known.undated for known in memory.known.values()] == [True]
    assert memory.poll(PAPER, a_candidate(PAPER, text=LONG)).memory[0].undated


def test_what_is_decided_last_is_observed_last_whatever_the_clocks_say() -> None:
    memory = Memory()
    decisions = [
        memory.poll(feed, a_candidate(feed, text=text, now=NOW - timedelta(seconds=behind)))
        for feed, text, behind in [(PAPER, SHORT, 0), (a_feed("third"), SHORT[:-1], 0), (LAB, LONG, 5)]
    ]
    kinds, times = zip(*((m.kind, m.observed_at) for d in decisions for m in d.messages), strict=True)
    assert kinds == ("article", "sighting", "revision")
    assert times[0] == NOW
    assert times[0] < times[1] < times[2] < NOW + timedelta(seconds=1)
    later = NOW + timedelta(hours=1)
    (message,) = memory.poll(LAB, a_candidate(LAB, title="Lab delays", text=LONG, now=later)).messages
    assert message.observed_at == later


NEW, SEEN = FeedState(feed_id="paper"), FeedState(feed_id="paper", last_success_at=NOW)


@pytest.mark.parametrize(
    ("state", "hours", "history"),
    [
        (NEW, 47, False), (NEW, 49, True), (NEW, None, False),
        (SEEN, 49, False), (SEEN, 399 * 24, False), (SEEN, 401 * 24, True), (SEEN, None, False),
    ],
)  # fmt: skip
def test_what_is_old_at_first_import_or_beyond_the_horizon_is_history(
    state: FeedState, hours: int | None, history: bool
) -> None:
    published = None if hours is None else NOW - timedelta(hours=hours)
    since = Horizon().news_since(state, NOW)
    decision = decide(PAPER, [a_candidate(published=published)], {}, since)
    (outcome,), (known,) = decision.outcomes, decision.memory
    assert (outcome.kind, outcome.history, known.history) == ("article", history, history)
    assert ("too old" in outcome.why) == history


@pytest.mark.parametrize("history", [True, False])
def test_an_article_stays_on_the_topic_where_it_came_first(history: bool) -> None:
    old, later = NOW - timedelta(days=9), NOW + timedelta(days=500)
    known = dict[str, Known]()
    found = []
    for feed, text, now in [
        (PAPER, SHORT, NOW),
        (LAB, SHORT, NOW),
        (PAPER, LONG, later),
        (PAPER, LONG, later),
    ]:
        since = now if history else ALL_TIME
        decision = decide(feed, [a_candidate(feed, text=text, published=old, now=now)], known, since)
        known |= {k.article_id: k for k in decision.memory}
        history = not history  # the date from which on there is news counts for nothing any more
        found.append((decision.outcomes[0].kind, decision.outcomes[0].history))
    first = found[0][1]
    assert found == [("article", first), ("sighting", first), ("revision", first), ("unchanged", False)]


def test_no_horizon_makes_news_of_what_a_shorter_one_has_forgotten() -> None:
    short = Horizon(first_import=timedelta(days=99), seen=timedelta(days=9))
    assert short.news_since(NEW, NOW) == short.news_since(SEEN, NOW) == NOW - timedelta(days=9)


PAGE, EDITED = "What the page says, " * 9, "What the page says now, " * 9


class Pages(Memory):
    """Asks for pages as a poll does. `page` is what the page of these tests has, empty where it fails."""

    page = PAGE
    asked = 0

    def carry(self, feed: Feed, text: str = SHORT, title: str = "Lab ships a model") -> str:
        candidate = a_candidate(feed, text=text, title=title)
        if wants_page(feed, candidate, self.known.get(candidate.article.article_id)):
            self.asked += 1
            candidate = with_text_of_page(candidate, self.page, feed, DETECTOR)
        (outcome,) = self.poll(feed, candidate).outcomes
        return outcome.kind

    @property
    def shows_page(self) -> bool:
        (known,) = self.known.values()
        return known.revision != known.teaser


def test_a_page_is_asked_for_once_while_its_teaser_is_the_same() -> None:
    for page in (PAGE, ""):
        memory = Pages()
        memory.page = page
        assert [memory.carry(PAPER) for _ in range(5)] == ["article", *["unchanged"] * 4]
        assert (memory.asked, memory.shows_page) == (1, bool(page))


def test_a_changed_teaser_has_its_page_asked_again() -> None:
    memory = Pages()
    memory.carry(PAPER)
    assert memory.carry(PAPER, f"{SHORT} Updated.") == "unchanged"  # the page is the same
    assert memory.carry(PAPER, f"{SHORT} Updated.") == "unchanged"
    memory.page = EDITED
    assert memory.carry(PAPER, f"{SHORT} Again.") == "revision"
    assert (memory.asked, memory.shows_page) == (3, True)


def test_a_page_that_fails_later_does_not_turn_the_text_back_to_the_teaser() -> None:
    memory = Pages()
    memory.carry(PAPER)
    memory.page = ""
    assert [memory.carry(PAPER, f"{SHORT} Updated.") for _ in range(3)] == ["unchanged"] * 3
    assert (memory.asked, memory.shows_page) == (2, True)
    # A new headline is news, whatever the page gives.
    assert memory.carry(PAPER, title="Lab delays its model") == "revision"
    assert not memory.shows_page


def test_a_teaser_that_never_rests_has_its_page_asked_so_often_only() -> None:
    for page in (PAGE, ""):
        memory = Pages()
        memory.page = page
        kinds = [memory.carry(PAPER, f"{SHORT} Advert {n}.") for n in range(MAX_EDITS + 9)]
        assert memory.asked == MAX_EDITS + 1
        assert kinds.count("revision") == (0 if page else MAX_EDITS)
        assert memory.carry(PAPER, title="Lab delays its model") == "revision"


def test_a_page_that_changes_with_every_look_makes_no_revisions() -> None:
    memory = Pages()
    memory.carry(PAPER)
    for n in range(5):
        memory.page = f"{PAGE} Advert {n}."
        assert memory.carry(PAPER) == "unchanged"


def test_what_a_feed_carried_before_it_was_marked_is_asked_for_once() -> None:
    memory = Pages()
    Memory.carry(memory, PAPER)
    assert [memory.carry(PAPER), memory.carry(PAPER)] == ["revision", "unchanged"]
    assert (memory.asked, memory.shows_page) == (1, True)


def test_a_page_that_did_not_come_to_its_turn_is_no_reason_for_a_revision() -> None:
    memory = Pages()
    memory.carry(PAPER)
    assert Memory.carry(memory, PAPER) == "unchanged"
    assert Memory.carry(memory, PAPER, f"{SHORT} Updated.") == "unchanged"
    memory.page = EDITED
    assert memory.carry(PAPER, f"{SHORT} Updated.") == "revision"


def test_feeds_that_share_an_article_ask_for_its_page_once() -> None:
    memory = Pages()
    assert [memory.carry(feed) for feed in (PAPER, LAB, LAB, PAPER)] == [
        "article", "sighting", "unchanged", "unchanged",
    ]  # fmt: skip
    assert (memory.asked, memory.owner) == (1, "paper")


FEEDS = [a_feed("a", rank=1), a_feed("b", rank=1), a_feed("c", rank=9), LAB]
ENTRIES = st.builds(
    Entry,
    link=st.sampled_from(["/1", "/2", "/2?utm_source=x", "/3", "", "mailto:x@y.example"]),
    guid=st.sampled_from(["", "g"]),
    title=st.sampled_from(["", "One", "Two"]),
    text=st.sampled_from(["", "Aa.", "Bb.", LONG]),
    published=st.sampled_from([None, NOW, NOW - timedelta(days=9)]),
)
DOCUMENTS = st.lists(st.tuples(st.sampled_from(FEEDS), st.lists(ENTRIES, max_size=6)), max_size=6)


def _documents(raw: Iterable[tuple[Feed, list[Entry]]]) -> list[tuple[Feed, Sequence[Candidate | Reject]]]:
    return [(feed, identified(feed, entries)) for feed, entries in raw]


@given(DOCUMENTS)
def test_the_balance_is_exact_and_articles_are_addresses(raw: list[tuple[Feed, list[Entry]]]) -> None:
    memory, articles, addresses = Memory(), 0, set()
    for feed, entries in _documents(raw):
        decision = memory.poll(feed, *entries)
        assert sum(decision.counts.values()) == len(entries) == len(decision.outcomes)
        assert [outcome.position for outcome in decision.outcomes] == [entry.position for entry in entries]
        ids = [message.article_id for message in decision.messages]
        assert len(ids) == len(set(ids))
        articles += decision.counts["article"]
        addresses |= {entry.article.article_id for entry in entries if isinstance(entry, Candidate)}
    assert articles == len(addresses) == len(memory.known)


@given(DOCUMENTS)
def test_the_same_poll_decides_the_same_and_a_second_one_nothing(raw: list[tuple[Feed, list[Entry]]]) -> None:
    memory = Memory()
    for feed, entries in _documents(raw):
        killed = decide(feed, entries, memory.known)
        assert memory.poll(feed, *entries) == killed
        assert memory.poll(feed, *entries).messages == ()


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_who_owns_an_article_does_not_depend_on_the_order(
    raw: list[tuple[Feed, list[Entry]]], random: st.DataObject
) -> None:
    documents = _documents({feed.id: (feed, entries) for feed, entries in raw}.values())
    shuffled = [(feed, random.sample(entries, len(entries))) for feed, entries in documents]
    random.shuffle(shuffled)
    owners = []
    for order in (documents, shuffled):
        memory = Memory()
        for feed, entries in order:
            memory.poll(feed, *entries)
        owners.append({i: (known.owner, known.revision, known.carriers) for i, known in memory.known.items()})
    assert owners[0] == owners[1]


def test_what_was_taken_down_does_not_return_however_it_changes() -> None:
    for candidate in (a_candidate(PAPER, text=SHORT), a_candidate(LAB, text=LONG, title="Another title")):
        decision = decide(PAPER, [candidate], {}, forgotten={candidate.article.article_id})
        (outcome,) = decision.outcomes
        assert (outcome.kind, outcome.reason, decision.messages, decision.memory) == (
            "reject",
            "forgotten",
            (),
            (),
        )
