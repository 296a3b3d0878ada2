"""Entries that were seen are not read again, and everything else comes out as if the whole had been read."""

from html import escape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.decide import decide
from pipeline.feeds.identify import identify
from pipeline.feeds.outcomes import Known
from pipeline.feeds.parse import parse
from pipeline.feeds.seen import MAX_SEEN, seen_now, stands_apart
from pipeline.feeds.values import ParsedFeed, Seen
from tests.unit.feeds.feed_factory import DETECTOR, NOW, a_feed, an_item, rss

FEED = a_feed()


def poll(
    body: bytes, known: dict[str, Known], seen: tuple[Seen, ...] = ()
) -> tuple[ParsedFeed, list[object], tuple[Seen, ...]]:
    """A poll as the poller does it: what was read, what is published, what is seen from now on."""
    parsed = parse(body, url=FEED.url, seen=seen)
    if not stands_apart(FEED, parsed):
        parsed = parse(body, url=FEED.url)
    decision = decide(FEED, identify(FEED, parsed, now=NOW, detector=DETECTOR), known)
    known |= {row.article_id: row for row in decision.memory}
    return (
        parsed,
        [(m.kind, m.article_id, m.title, m.text) for m in decision.messages],
        seen_now(FEED, parsed, decision),
    )


def test_what_was_seen_is_not_read_and_what_is_new_or_changed_is() -> None:
    known: dict[str, Known] = {}
    old = [an_item(f"/{n}", f"Title {n}", f"Text {n}") for n in range(3)]
    _, published, seen = poll(rss(*old), known)
    assert len(published) == len(seen) == 3
    changed = an_item("/1", "Title 1, corrected", "Text 1")
    parsed, published, after = poll(rss(an_item("/new", "New", "Text"), old[0], changed, old[2]), known, seen)
    assert [message[0] for message in published] == ["article", "revision"]
    assert len(after) == 4
    parsed, published, _ = poll(rss(*old[:1], an_item("/later", "Later", "Text")), known, after)
    assert [entry.title for entry in parsed.entries] == ["Later"]
    assert [entry.digest for entry in parsed.seen] == [seen[0].digest]
    assert len(published) == 1


def test_a_changed_head_reads_no_entry_and_another_namespace_or_address_all() -> None:
    items = [an_item(f"/{n}", f"Title {n}") for n in range(3)]
    parsed, _, seen = poll(rss(*items), {})
    later = rss(*items, channel="<title>Paper, at noon</title><link>https://paper.example/</link>")
    again = parse(later, url=FEED.url, seen=seen)
    assert (again.title, again.entries, len(again.seen)) == ("Paper, at noon", (), 3)
    based = rss(*items).replace(b"<channel>", b'<channel xml:base="https://elsewhere.example/">')
    assert len(parse(based, url=FEED.url, seen=seen).entries) == 3
    moved = parse(rss(*items), url="https://moved.example/feed", seen=seen)
    assert len(moved.entries) == len(parsed.entries) == 3


def test_an_entry_at_an_address_that_was_seen_has_the_whole_read() -> None:
    known: dict[str, Known] = {}
    first = an_item("/a", "Title", "The long text of the article.")
    _, _, seen = poll(rss(first), known)
    twice = rss(first, an_item("/a?utm_source=rss", "Title", "Short."))
    parsed, published, after = poll(twice, known, seen)
    assert len(parsed.entries) == 2
    assert published == []  # the richer one counts, as if nothing had been seen
    assert [entry.digest for entry in after] == [seen[0].digest]  # a reject is looked at each time


@pytest.mark.parametrize(
    "body",
    [
        rss("<title>a</title><item><title>b</title></item>"),
        rss("<title>a</title>").replace(b"</channel>", b"<item/></channel>"),
        rss("<title>a</title>").replace(b"</item>", b""),
        b"<rss version='2.0'><channel><entry><title>a</title></item></channel></rss>",
    ],
)
def test_a_document_that_does_not_evidently_fall_into_entries_is_read_whole(body: bytes) -> None:
    parsed = parse(body, url=FEED.url)
    assert {entry.digest for entry in parsed.entries} <= {""}


def test_what_looks_like_an_entry_in_a_comment_or_a_text_is_none() -> None:
    hidden = "<!-- <item><title>no</title></item> --><description><![CDATA[</item><item>]]></description>"
    items = [an_item("/a", "A"), hidden + an_item("/b", "B"), an_item("/c", "C")]
    known: dict[str, Known] = {}
    parsed, published, seen = poll(rss(*items), known)
    assert len(parsed.entries) == len(published) == len(seen) == 3
    again, _, _ = poll(rss(*items[:2], an_item("/d", "D")), known, seen)
    assert ([entry.title for entry in again.entries], len(again.seen)) == (["D"], 2)


def test_no_more_is_remembered_than_is_bounded() -> None:
    _, _, seen = poll(rss(*(an_item(f"/{n}", f"T {n}") for n in range(MAX_SEEN + 5))), {})
    assert len(seen) == MAX_SEEN


def same_as_whole(body: bytes, before: bytes) -> bool:
    """Whether a poll after `before` reads and publishes the same with and without its memory of entries."""
    whole_known: dict[str, Known] = {}
    poll(before, whole_known)
    known = dict(whole_known)
    _, _, seen = poll(before, {})
    whole, expected, _ = poll(body, whole_known)
    parsed, published, _ = poll(body, known, seen)
    left_out = {entry.digest for entry in parsed.seen}
    assert parsed.entries == tuple(entry for entry in whole.entries if entry.digest not in left_out)
    assert (parsed.base, parsed.site, parsed.title, parsed.hints) == (
        whole.base, whole.site, whole.title, whole.hints,
    )  # fmt: skip
    assert published == expected
    assert known == whole_known
    return bool(left_out)


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
forms = ["{}", "<![CDATA[{}]]>", "<b>{}</b>", "{}</item>"]
drawn = st.tuples(
    st.integers(0, 9), texts, st.sampled_from(["{}", "<![CDATA[{}]]>", "<b>{}</b>", "{}</item>"])
)


@given(st.lists(drawn, max_size=6), st.lists(drawn, max_size=3), st.data())
def test_generated_documents_come_out_as_if_the_whole_had_been_read(
    before: list[tuple[int, str, str]], new: list[tuple[int, str, str]], data: st.DataObject
) -> None:
    def item(entry: tuple[int, str, str]) -> str:
        number, text, form = entry
        return an_item(f"/{number}", text) + "<description>" + form.format(escape(text)) + "</description>"

    kept = data.draw(st.lists(st.sampled_from(before), unique=True)) if before else []
    body = rss(*map(item, data.draw(st.permutations([*kept, *new]))))
    same_as_whole(body, rss(*map(item, before)))


def test_real_feeds_come_out_as_if_the_whole_had_been_read(shared: Path) -> None:
    shortened = 0
    for path in sorted((shared / "data" / "feeds").glob("*.xml")):
        body = path.read_bytes()
        whole = parse(body, url=FEED.url)
        digests = {entry.digest for entry in whole.entries}
        if len(whole.entries) < 3 or "" in digests:
            continue
        # As if the first two had come in since.
        decision = decide(FEED, identify(FEED, whole, now=NOW, detector=DETECTOR), {})
        newest = {entry.digest for entry in whole.entries[:2]}
        seen = tuple(s for s in seen_now(FEED, whole, decision) if s.digest not in newest)
        parsed = parse(body, url=FEED.url, seen=seen)
        left_out = {entry.digest for entry in parsed.seen}
        assert parsed.entries == tuple(e for e in whole.entries if e.digest not in left_out), path.name
        assert (parsed.format, parsed.base, parsed.site) == (whole.format, whole.base, whole.site), path.name
        shortened += bool(parsed.seen)
    assert shortened > 50
