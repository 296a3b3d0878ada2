"""From bytes to entries: what feedparser sees, in plain text, and a reason for everything else."""

import io
from datetime import UTC, datetime
from html import escape

import feedparser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.feeds.parse import MAX_ENTRIES, MAX_LINES, MAX_TOKENS, parse
from tests.unit.feeds.feed_factory import an_item, rss

URL = "https://paper.example/feed.xml"
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>Lab</title><link href="https://lab.example/"/>{}</feed>'
)


def test_rss_becomes_entries_in_plain_text() -> None:
    item = an_item("/a", "A &amp; B", "<p>One.</p><script>x</script><p>Two.</p>")
    parsed = parse(rss(item + "<guid>g1</guid><pubDate>Tue, 24 Nov 2026 10:00:00 +0200</pubDate>"), url=URL)
    assert (parsed.problem, parsed.format, parsed.title) == (None, "rss20", "Paper")
    assert parsed.site == parsed.base == "https://paper.example/"
    (entry,) = parsed.entries
    assert (entry.link, entry.guid, entry.title, entry.text) == ("/a", "g1", "A & B", "One.\n\nTwo.")
    assert (entry.text_source, entry.precision) == ("summary", "second")
    assert entry.published == datetime(2026, 11, 24, 8, tzinfo=UTC)


def test_the_longest_text_of_an_entry_is_taken() -> None:
    content = "<content type='html'>&lt;p&gt;much longer</content>"
    entry = f"<entry><title>t</title><summary>short</summary>{content}</entry>"
    parsed = parse(ATOM.format(entry).encode(), url=URL)
    assert [(e.text, e.text_source) for e in parsed.entries] == [("much longer", "content")]
    assert (parsed.base, parsed.site) == (URL, "https://lab.example/")


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("&#xD83D;&#xDE80;", "🚀"),
        ("&#55357;&#56960;", "🚀"),
        ("&#128640;", "🚀"),
        ("&#x41;&#00065;", "AA"),
        ("&#xD83D;", "\ufffd"),
        ("&#x110000;", "\ufffd"),
        ("&#99999999999;", "\ufffd"),
        ("&#" + "9" * 10_000 + ";", "\ufffd"),
        ("&#x1F;", ""),
    ],
)
def test_no_character_reference_costs_a_document(reference: str, shown: str) -> None:
    parsed = parse(rss(f"<title>Lift-off {reference}!</title>", "<title>Next</title>"), url=URL)
    assert [entry.title for entry in parsed.entries] == [f"Lift-off {shown}!", "Next"]


def test_content_that_is_no_text_leaves_none() -> None:
    frame = '<iframe src="https://video.example/v" width="320"/>'
    parsed = parse(
        ATOM.format(
            f"<entry><title>t</title><content type='html'>{escape(frame)}</content></entry>"
        ).encode(),
        url=URL,
    )
    assert [e.text for e in parsed.entries] == [""]


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("utf-8", "模型 é"),
        ("utf-8-sig", "模型 é"),
        ("utf-16", "模型 é"),
        ("utf-32", "模型 é"),
        ("gb18030", "模型发布"),
        ("big5", "模型發布"),
        ("euc-kr", "모델 공개"),
        ("shift_jis", "モデル公開"),
        ("windows-1251", "модель"),
        ("iso-8859-1", "modèle"),
    ],
)
def test_every_encoding_gives_the_same_text(encoding: str, title: str) -> None:
    document = rss(f"<title>{title}</title>").decode().replace("1.0", f'1.0" encoding="{encoding}', 1)
    parsed = parse(document.encode(encoding), url=URL)
    assert [entry.title for entry in parsed.entries] == [title]


@pytest.mark.parametrize(
    ("date", "expected", "precision"),
    [
        ("Tue, 24 Nov 2026 10:00:00 GMT", datetime(2026, 11, 24, 10, tzinfo=UTC), "second"),
        ("2026-11-24T10:00:00+09:00", datetime(2026, 11, 24, 1, tzinfo=UTC), "second"),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC), "day"),
        ("2026-11", datetime(2026, 11, 1, tzinfo=UTC), "month"),
        ("2026", datetime(2026, 1, 1, tzinfo=UTC), "year"),
        ("Thu,28 Jul 2022 4:35:5 GMT+9", datetime(2022, 7, 27, 19, 35, 5, tzinfo=UTC), "second"),
        ("2026年11月24日 10:30", datetime(2026, 11, 24, 10, 30, tzinfo=UTC), "second"),
        ("2026/11/24 10:30 +0800", datetime(2026, 11, 24, 2, 30, tzinfo=UTC), "second"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None, "observed"),
        ("0000-00-00 00:00:00", None, "observed"),
        ("31 Feb 2026", None, "observed"),
        ("yesterday", None, "observed"),
        ("", None, "observed"),
    ],
)
def test_dates_are_utc_with_their_precision(date: str, expected: datetime | None, precision: str) -> None:
    (entry,) = parse(rss(f"<title>t</title><pubDate>{date}</pubDate>"), url=URL).entries
    assert (entry.published, entry.precision) == (expected, precision)


BOMB = "<!DOCTYPE rss [{}]><rss version='2.0'><channel><item><title>&b;</title></item></channel></rss>"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty-body"),
        (b" \n", "empty-body"),
        (b"<!doctype html><html><title>Sign in</title></html>", "html"),
        (b"<html><title>Just a moment...</title></html>", "challenge"),
        (b"<html>Attention Required! | Cloudflare</html>", "challenge"),
        (b'{"items": []}', "not-a-feed"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not-a-feed"),
        (BOMB.format('<!ENTITY a "ha"><!ENTITY b "&a;&a;">').encode(), "entities"),
        (BOMB.format('<!ENTITY b SYSTEM "file:///etc/passwd">').encode("utf-16"), "entities"),
        (
            b"<rss version='2.0'><channel>" + b"<item/>" * (MAX_ENTRIES + 1) + b"</channel></rss>",
            "too-many-entries",
        ),
        (b"<rss " + b" ".join(b'a%d=">"' % n for n in range(101)) + b"><channel/></rss>", "too-complex"),
        (b"<rss version='2.0'><channel>" + b"<a>" * (MAX_TOKENS + 1), "too-complex"),
        (b"<rss version='2.0'><channel>" + b"&lt;" * (MAX_TOKENS + 1), "too-complex"),
        (b"<rss version='2.0'><channel>" + b"\n" * (MAX_LINES + 1) + b"</channel></rss>", "too-complex"),
        (b"<!-- -->" + b"\n" * 200_000 + rss(), "too-complex"),
        (b"<!DOCTYPE\n" * 100_000 + rss(), "too-complex"),
        (b"<!DOCTYPE \n" + b"a" * 200_000 + rss(), "too-complex"),
    ],
)
def test_what_is_no_feed_has_a_reason(body: bytes, problem: str) -> None:
    parsed = parse(body, url=URL)
    assert (parsed.problem, parsed.entries) == (problem, ())
    assert parsed.detail


def test_a_feed_without_entries_is_a_feed() -> None:
    parsed = parse(rss(), url=URL)
    assert (parsed.problem, parsed.entries, parsed.format) == (None, (), "rss20")


def test_a_document_may_begin_with_many_empty_lines() -> None:
    assert parse(b"<?xml version='1.0'?>" + b"\n" * 1_500 + rss()[21:], url=URL).problem is None


def test_half_a_document_gives_the_entries_it_has() -> None:
    document = rss(an_item("/a", "A"), an_item("/b", "B"))
    parsed = parse(document[: document.index(b"<title>B")], url=URL)
    assert [entry.title for entry in parsed.entries] == ["A", ""]


DOCUMENT = rss(
    *(an_item(f"/{n}", f"Title {n} &", "<p>text & <b>more</b>") + f"<guid>{n}</guid>" for n in range(3))
)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, len(DOCUMENT)), st.binary(max_size=3)), max_size=6), st.integers(0, 400)
)
@example([(0, b"<!")], 0)
def test_damaged_documents_never_raise_and_lose_no_entry(damage: list[tuple[int, bytes]], cut: int) -> None:
    body = bytearray(DOCUMENT[: len(DOCUMENT) - cut])
    for position, piece in damage:
        body[position : position + len(piece)] = piece
    parsed = parse(bytes(body), url=URL)
    if parsed.problem is None:
        assert len(parsed.entries) == len(feedparser.parse(io.BytesIO(bytes(body))).entries)
    else:
        assert parsed.detail


@given(st.binary(max_size=200), st.text(max_size=30))
def test_any_bytes_are_a_value(body: bytes, content_type: str) -> None:
    parsed = parse(body, url=URL, content_type=content_type)
    assert (parsed.problem is None) == (parsed.detail is None)
