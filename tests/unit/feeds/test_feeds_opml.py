"""Lists of other readers in, lists for them out; and lists that mean no good."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.opml import OpmlError, Outline, read, write
from pipeline.feeds.registry import checked, load

LIST = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE opml>
<opml version="1.1"><head><title>Mine</title></head><body>
<outline text="News"><outline text="Deep"><outline text="Zeitung f\xfcr KI" type="rss"
  xmlUrl=" https://a.example/feed?x=1&amp;y=2 " htmlUrl="https://a.example/" language="de-DE"/>
</outline></outline>
<outline title="B" xmlurl="https://b.example/feed"/>
<outline text="no feed" htmlUrl="https://c.example/"/>
</body></opml>"""


def test_feeds_are_found_however_deep() -> None:
    assert read(LIST) == (
        Outline(
            line=4,
            url="https://a.example/feed?x=1&y=2",
            title="Zeitung für KI",
            site="https://a.example/",
            language="de-DE",
        ),
        Outline(line=7, url="https://b.example/feed", title="B"),
    )


def test_a_list_as_deep_as_it_likes_is_read() -> None:
    depth = 100_000
    document = (
        b"<opml>" + b"<outline>" * depth + b'<outline xmlUrl="u"/>' + b"</outline>" * depth + b"</opml>"
    )
    assert [outline.url for outline in read(document)] == ["u"]


BOMB = '<?xml version="1.0"?><!DOCTYPE opml [{}]><opml><outline xmlUrl="https://a.example/&a;"/></opml>'


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "line 1: not XML: no element found"),
        (b"not XML", "line 1: not XML"),
        (b"<opml><outline xmlUrl='x'></opml>", "line 1: not XML: mismatched tag"),
        (b"<rss><channel/></rss>", "begins with <rss>"),
        (b"<opml><outline text='&nbsp;' xmlUrl='x'/></opml>", "undefined entity"),
        (BOMB.format('<!ENTITY a "b">').encode(), "entity"),
        (BOMB.format('<!ENTITY a "b">').encode("utf-16"), "entity"),
        (BOMB.format('<!ENTITY a SYSTEM "file:///etc/passwd">').encode(), "entity"),
        (BOMB.format('<!ENTITY % a SYSTEM "https://b.example/"> %a;').encode(), "entity"),
        (b'<?xml version="1.0" encoding="no-such"?><opml/>', "unknown encoding"),
        (b"<opml>" + b"<outline xmlUrl='x'/>" * 10_001 + b"</opml>", "more than 10000"),
        (b" " * 10_000_001, "larger than"),
    ],
)
def test_what_is_not_read_says_why(document: bytes, words: str) -> None:
    with pytest.raises(OpmlError, match=words):
        read(document)


@given(st.binary(max_size=200))
def test_no_document_raises_anything_else(noise: bytes) -> None:
    for document in (noise, LIST[:200] + noise, b"<opml><outline xmlUrl='" + noise + b"'/></opml>"):
        try:
            read(document)
        except OpmlError:
            continue


def fields(outline: Outline) -> dict[str, object]:
    return {
        "id": outline.id,
        "url": outline.url,
        "title": outline.title,
        "language": outline.language,
        "kind": outline.kind,
        "rank": int(outline.rank),
        "allow_hosts": outline.allow_hosts,
    }


def test_a_registry_comes_back_as_it_was(tmp_path: Path) -> None:
    own = checked(
        {
            "id": "own",
            "url": "http://x.internal:81/f?a=1&b='2'",
            "title": '<a> & "b" 中文',
            "language": "zh",
            "kind": "lab",
            "rank": 9,
            "allow_hosts": ["x.internal", "y.internal"],
        }
    )
    feeds = (*load(), own)
    assert tuple(checked(fields(outline)) for outline in read(write(feeds))) == feeds


def test_a_title_that_xml_forbids_is_written_all_the_same() -> None:
    (feed, *_) = load()
    odd = checked({**fields(read(write([feed]))[0]), "title": "a\x01b\ufffe"})
    assert read(write([odd]))[0].title == "ab"
