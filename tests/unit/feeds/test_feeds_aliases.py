"""Which canonical addresses are believed, and that they join what is one article and nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.feeds.aliases import ids, named_by_page, settle
from pipeline.feeds.decide import decide, richest, wants_page
from pipeline.feeds.identify import article_id, with_text_of_page
from pipeline.feeds.outcomes import Candidate, Decision, Known, Reject
from pipeline.feeds.values import Feed
from tests.unit.feeds.feed_factory import DETECTOR, a_candidate, a_feed

LINK = "https://www.paper.example/2026/11/lab-delays-model?from=feed"


def link(href: str) -> str:
    return f'<link rel="canonical" href="{href}">'


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (link("https://paper.example/tech/lab-delays-model"), "https://paper.example/tech/lab-delays-model"),
        (link("/a/4711.html"), "https://www.paper.example/a/4711.html"),
        (link("//m.paper.example/a/4711?utm_source=x"), "https://m.paper.example/a/4711"),
        ("<base href='/en/'>" + link("why-the-lab-waits"), "https://www.paper.example/en/why-the-lab-waits"),
        (link("/a/1") + link("http://paper.example/a/1/"), "http://paper.example/a/1/"),
        (link("https://news.paper.example/a/1"), "https://news.paper.example/a/1"),
        ("<LINK HREF='/a/1' REL='x Canonical'>", "https://www.paper.example/a/1"),
        (link("/a/1") + link("/a/2"), None),
        (link("https://www.paper.example/"), None),
        (link(""), None),
        (link("/2026/11/"), None),
        (link("/2026"), None),
        (link("/technology"), None),
        (link("/news/artificial-intelligence"), None),
        (link("https://other.example/2026/11/lab-delays-model"), None),
        (link("https://paper.example.evil.example/a/1"), None),
        (link("https://evilpaper.example/a/1"), None),
        (link("https://example/a/1"), None),
        (link("javascript:alert(1)"), None),
        (link("file:///a/1"), None),
        (link("https://[bad/1"), None),
        ('<meta property="og:url" content="/a/1">', None),
        ("</head><body>" + link("/a/1"), None),
        ("", None),
    ],
)
def test_what_a_page_calls_itself(head: str, found: str | None) -> None:
    assert named_by_page(f"<html><head>{head}", LINK, LINK) == found


@pytest.mark.parametrize(
    "own",
    [
        "https://www-paper-example.cdn.ampproject.org/c/s/www.paper.example/amp/lab-delays",
        "https://www.google.com/amp/s/amp.paper.example/lab-delays",
        "https://feeds.tracker.example/~r/paper/~3/x",
    ],
)
def test_caches_and_redirectors_lead_to_the_article(own: str) -> None:
    head, reached = link("https://paper.example/a/lab-delays-its-model"), own
    if "tracker" in own:
        reached = "https://paper.example/a/lab-delays-its-model?x=1"
    assert named_by_page(head, reached, own) == "https://paper.example/a/lab-delays-its-model"
    assert named_by_page(link("https://evil.example/a/lab-delays-its-model"), reached, own) is None


@given(st.text(max_size=200))
def test_no_page_raises(text: str) -> None:
    named_by_page(f"<base href='{text}'><link rel=canonical href='{text}'>{text}", LINK, LINK)


class Store:
    """Polls one after the other as the poller does: pages first, then decided, then remembered."""

    def __init__(self, canonical: dict[str, str]) -> None:
        self.known: dict[str, Known] = {}
        self.canonical = canonical
        self.published: list[tuple[str, str]] = []  # article id, title

    def poll(self, feed: Feed, *entries: tuple[str, str]) -> Decision:
        """Entries as address and title."""
        given = [
            replace(a_candidate(feed, url=url, title=title, text="A teaser."), position=position)
            for position, (url, title) in enumerate(entries)
        ]
        settled = list(settle(feed, given, self._known(given))[0])
        for article, candidate in richest(settled).items():
            if feed.full_text and wants_page(feed, candidate, self._known(given).get(article)):
                url, title = entries[candidate.position]
                settled[candidate.position] = with_text_of_page(
                    candidate, f"What the page says of {title}.", feed, DETECTOR, self.canonical.get(url)
                )
        decision = decide(feed, settled, self._known(settled))
        self.known |= {known.article_id: known for known in decision.memory}
        self.published += [(m.article_id, m.title) for m in decision.messages if m.kind == "article"]
        return decision

    def _known(self, entries: Iterable[Candidate | Reject]) -> dict[str, Known]:
        """What the store loads: what is remembered of the ids, and of what they are aliases of."""
        found = [self.known[i] for i in ids(entries) if i in self.known]
        found += [self.known[known.same_as] for known in found if known.same_as]
        return {known.article_id: known for known in found}


PAPER, OTHER = (replace(a_feed(name), full_text=True) for name in ("paper", "other"))
PLAIN = a_feed("plain")
A, B, C = (f"https://paper.example/{name}/1" for name in "abc")


def kinds(decision: Decision) -> list[str]:
    return [outcome.kind for outcome in decision.outcomes]


def test_variants_meet_at_the_address_their_pages_name() -> None:
    store = Store({A: C, B: C})
    first = store.poll(PAPER, (A, "One"))
    assert [(m.article_id, m.url) for m in first.messages] == [(article_id(C), C)]
    assert kinds(store.poll(PAPER, (A, "One"))) == ["unchanged"]
    assert kinds(store.poll(OTHER, (B, "One"))) == ["sighting"]
    assert kinds(store.poll(OTHER, (B, "One"))) == ["unchanged"]
    # Also for a feed whose pages nobody reads.
    assert kinds(store.poll(PLAIN, (A, "One"))) == ["sighting"]
    assert kinds(store.poll(PAPER, (A, "One, corrected"))) == ["revision"]
    assert {m for m, _ in store.published} == {article_id(C)}


def test_one_canonical_for_several_entries_is_none_of_theirs() -> None:
    store = Store({A: C, B: C})
    assert [m.article_id for m in store.poll(PAPER, (A, "One"), (B, "Two")).messages] == [
        article_id(A), article_id(B),
    ]  # fmt: skip
    assert kinds(store.poll(PAPER, (B, "Two"), (A, "One"))) == ["unchanged"] * 2
    store = Store({A: C, B: C})
    assert kinds(store.poll(PAPER, (A, "One"), (B, "One"))).count("reject") == 1  # the same article twice


def test_a_canonical_that_was_another_entrys_is_not_believed_later() -> None:
    store = Store({A: C, B: C})
    store.poll(PAPER, (A, "One"))
    assert kinds(store.poll(PAPER, (A, "One"), (B, "Two"))) == ["unchanged", "article"]
    assert kinds(store.poll(PAPER, (B, "Two"))) == ["unchanged"]


def test_what_is_known_as_an_article_stays_one() -> None:
    store = Store({A: C})
    store.poll(PLAIN, (A, "One"))
    store.poll(PAPER, (A, "One"))
    assert set(store.known) == {article_id(A)}


def test_addresses_that_name_each_other_keep_their_own() -> None:
    store = Store({A: B, B: A})
    store.poll(PAPER, (A, "One"), (B, "One"))
    assert {i for i, _ in store.published} == {article_id(A), article_id(B)}
    store = Store({A: B, B: C})
    store.poll(PAPER, (B, "One"))
    store.poll(OTHER, (A, "One"))
    assert {i for i, _ in store.published} == {article_id(C)}
    assert store.known[article_id(A)].same_as == article_id(C)


URLS = st.sampled_from([A, B, C, "https://paper.example/d/1"])
ENTRIES = st.dictionaries(URLS, st.sampled_from(["One", "Two", "Three"]), max_size=4).map(
    lambda e: [*e.items()]
)
POLLS = st.lists(st.tuples(st.sampled_from([PAPER, OTHER, PLAIN]), ENTRIES), max_size=6)


@given(st.dictionaries(URLS, URLS), POLLS)
def test_whatever_pages_claim_nothing_is_lost_or_doubled(
    canonical: dict[str, str], polls: Sequence[tuple[Feed, list[tuple[str, str]]]]
) -> None:
    store = Store(canonical)
    for feed, entries in polls:
        before = dict(store.known)
        decision = store.poll(feed, *entries)
        assert len(decision.outcomes) == len(entries)
        joined = defaultdict[str, set[str]](set)
        for url, title in entries:
            known = store.known[article_id(url)]
            joined[known.same_as or known.article_id].add(title)
        # Different articles of one document are not taken for one that was not known before.
        assert all(len(titles) == 1 for target, titles in joined.items() if target not in before)
        assert store.poll(feed, *entries).messages == ()  # nothing is new a second time
    assert len(store.published) == len({i for i, _ in store.published})
    for known in store.known.values():  # no chains, and every alias leads to an article
        assert known.same_as is None or store.known[known.same_as].same_as is None
