"""Plain text out of whatever feeds hold."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.feeds.text import from_either, from_html, from_plain, headline

PIECES = [
    "<p>",
    "<br/>",
    "<a b='",
    '<a href="x>y">',
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "&lt;",
    "&#xD800;",
]
CHARACTERS = "<>/='\"&;!-[] ab\n\x00\ud800\u202e\u2029語é\u0301"
MARKUP = st.lists(st.sampled_from(PIECES) | st.text(CHARACTERS, max_size=8), max_size=20).map("".join)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>One <b>wor</b>d.</p><p>Two.</p>", "One word.\n\nTwo."),
        ("One<br>Two", "One\n\nTwo"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("a\n  b\tc", "a b c"),
        ("x<script>alert('<p>')</script>y<style>p{}</style>z", "xyz".replace("y", "\n\ny\n\n")),
        ("x<!-- <p>hidden</p> -->y", "xy"),
        ('<a href="x>y" onclick="f()">link</a>', "link"),
        ("<a href=\"x' >link</a> and more", "link and more"),
        ("AT&amp;T &#8211; caf&eacute;", "AT&T – café"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("&lt;p&gt;escaped&lt;/p&gt; once too often", "escaped\n\nonce too often"),
        ("I <3 models", "I <3 models"),
        ("<![CDATA[inside]]>", "inside]]>"),
        ("im\u00adpor\u200btant\u202e", "important"),
        ("e\u0301", "é"),
        ("a\x00b\ud800c\x1bd", "abcd"),
        ("<script>never closed", ""),
        ("", ""),
    ],
)
def test_html_becomes_text(markup: str, expected: str) -> None:
    assert from_html(markup) == expected


def test_blank_lines_part_paragraphs_of_plain_text() -> None:
    assert from_plain("One\r\nline.\r\n \r\nTwo.") == "One line.\n\nTwo."


@pytest.mark.parametrize(
    ("value", "is_html", "expected"),
    [
        ("Tags like <script> explained", False, "Tags like <script> explained"),
        ("A <b>bold</b> title", False, "A bold title"),
        ("Q&amp;A", False, "Q&A"),
        ("Tags like &lt;b&gt; <i>explained</i>", True, "Tags like <b> explained"),
    ],
)
def test_what_calls_itself_plain_is_looked_at(value: str, is_html: bool, expected: str) -> None:
    assert from_either(value, is_html) == expected


def test_text_is_cut_at_the_limit() -> None:
    assert from_html("<p>" + "word " * 100, 20) == "word word word word…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Short.", "Short."),
        ("First sentence here. Second one.", "First sentence here."),
        ("模型今天正式发布了，很好。第二句。", "模型今天正式发布了，很好。"),
        ("word " * 40, "word " * 23 + "word…"),
        ("字" * 200, "字" * 119 + "…"),
    ],
)
def test_an_entry_without_title_gets_its_first_words(text: str, expected: str) -> None:
    assert headline(text.strip()) == expected


# A tree builder takes minutes for these; they must just come out.
@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 200_000,
        "<a " * 300_000 + ">",
        '<a =">" ' * 200_000,
        "<!-- " * 300_000,
        "<b c='" * 200_001,
        "<" * 10**6,
    ],
    ids=["nested", "unfinished", "quoted", "comments", "quotes", "angles"],
)
def test_hostile_markup_is_read_in_linear_time(markup: str) -> None:
    assert len(from_html("start " + markup)) >= len("start")


@given(MARKUP)
@example("<<b>")
def test_text_is_clean_whatever_the_markup(markup: str) -> None:
    text = from_html(markup, 50)
    assert len(text) <= 50
    assert text == text.strip() == unicodedata.normalize("NFC", text)
    assert text.encode("utf-8").decode("utf-8") == text
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in text.replace("\n\n", ""))
    assert from_plain(text, 50) == text
