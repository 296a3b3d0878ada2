"""JSON Feed, news sitemaps and podcasts: the same entries as of an RSS document that says the same."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.feeds.parse import MAX_ENTRIES, MAX_TOKENS, parse
from pipeline.feeds.values import Entry
from tests.unit.feeds.feed_factory import rss

URL = "https://paper.example/feed"
WHEN = datetime(2026, 11, 24, 8, tzinfo=UTC)


def json_feed(*items: object, version: str = "1.1", **more: object) -> bytes:
    feed = {"version": f"https://jsonfeed.org/version/{version}", "title": "Paper & more", "items": items}
    return json.dumps(feed | more).encode()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {
                "id": "1",
                "url": "/a",
                "title": "A &amp; B",
                "content_html": "<p>One.</p><script>x</script><p>Two.</p>",
                "summary": "One.",
                "date_published": "2026-11-24T10:00:00+02:00",
                "date_modified": "2026-11-25T10:00:00Z",
            },
            Entry(
                link="/a",
                guid="1",
                title="A & B",
                text="One.\n\nTwo.",
                text_source="content",
                published=WHEN,
                precision="second",
            ),
        ),
        (
            {"id": 7, "external_url": "https://lab.example/b", "summary": "Only\x07 a summary."},
            Entry(link="https://lab.example/b", guid="7", text="Only a summary."),
        ),
        (
            {"content_text": "a < b", "attachments": [None, {"url": None}, {"url": "https://cdn.example/e.mp3"}]},
            Entry(enclosure="https://cdn.example/e.mp3", text="a < b", text_source="content"),
        ),
        ({"title": "\ud800 half", "date_published": "2026-11-24"}, Entry(
            title="? half", published=datetime(2026, 11, 24, tzinfo=UTC), precision="day"
        )),
        ({"title": ["no"], "id": True, "attachments": 3, "date_published": 5}, Entry()),
        ("no object", Entry()),
    ],
)  # fmt: skip
def test_an_item_of_a_json_feed_becomes_an_entry(item: object, expected: Entry) -> None:
    assert parse(json_feed(item), url=URL).entries == (expected,)


def test_a_json_feed_has_a_site_and_a_title() -> None:
    parsed = parse(b"\xef\xbb\xbf\n" + json_feed(home_page_url="/news", version="1"), url=URL)
    assert (parsed.problem, parsed.format, parsed.title) == (None, "json10", "Paper & more")
    assert parsed.site == parsed.base == "https://paper.example/news"
    assert parse(json_feed(), url=URL).base == URL


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"items": []}', "not-a-feed"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "not-a-feed"),
        (json_feed({"title": "t"})[:-9], "not-a-feed"),
        (json_feed(*[{}] * (MAX_ENTRIES + 1)), "too-many-entries"),
        (b'{"a":' * (MAX_TOKENS + 1), "too-complex"),
        (b'{"a":' + b"[" * 90_000, "parser-failed"),
        (b'{"n":' + b"9" * 10_000 + b"}", "not-a-feed"),
    ],
)
def test_json_that_is_no_feed_has_a_reason(body: bytes, problem: str) -> None:
    parsed = parse(body, url=URL)
    assert (parsed.problem, parsed.entries) == (problem, ())
    assert parsed.detail


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["id", "url", "title", "content_html", "content_text", "summary", "date_published", "attachments"]


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6) | JSON, max_size=3), JSON)
def test_fields_of_any_type_never_fail(items: list[Any], site: Any) -> None:
    parsed = parse(json_feed(*items, home_page_url=site), url=URL)
    assert (parsed.problem, len(parsed.entries)) == (None, len(items))


NEWS = 'xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"'


def sitemap(*urls: str, news: str = NEWS, root: str = "urlset") -> bytes:
    inner = "".join(f"<url>{url}</url>" for url in urls)
    return (
        '<?xml version="1.0"?><!-- made by hand: <rss> --><?xml-stylesheet href="a.xsl"?>'
        f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" {news} '
        f'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">{inner}</{root}>'
    ).encode()


A_PAGE = (
    "<loc> https://paper.example/a?x=1&amp;y=2 </loc><lastmod>2026-11-25</lastmod>"
    "<image:image><image:loc>https://cdn.example/i.png</image:loc><image:title>No</image:title></image:image>"
    "<n:news><n:publication><n:name>Paper</n:name><n:language>en</n:language></n:publication>"
    "<n:publication_date>2026-11-24T08:00:00Z</n:publication_date><n:title>A &amp;amp; B</n:title></n:news>"
)


def test_a_news_sitemap_becomes_entries() -> None:
    parsed = parse(sitemap(A_PAGE, "<loc>https://paper.example/b</loc>"), url=URL)
    assert (parsed.problem, parsed.format, parsed.title, parsed.base) == (None, "news-sitemap", "Paper", URL)
    first, second = parsed.entries
    assert first == Entry(
        link="https://paper.example/a?x=1&y=2", title="A & B", published=WHEN, precision="second"
    )
    assert second == Entry(link="https://paper.example/b")  # no news: rejected for having no title


def test_a_paper_may_have_nothing_new() -> None:
    assert parse(sitemap(), url=URL).problem is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (sitemap("<loc>https://paper.example/a</loc>", news=""), "sitemap-without-news"),
        (sitemap(root="sitemapindex"), "sitemap-index"),
        (sitemap(A_PAGE)[:250], "not-a-feed"),
        (b"<urlset><a></b>", "not-a-feed"),
        (sitemap(*["<loc>a</loc>"] * (MAX_ENTRIES + 1)), "too-many-entries"),
        (b"<!DOCTYPE urlset [<!ENTITY a 'b'>]><urlset/>", "entities"),
    ],
)
def test_a_sitemap_that_is_no_source_of_news_has_a_reason(body: bytes, problem: str) -> None:
    parsed = parse(body, url=URL)
    assert (parsed.problem, parsed.entries) == (problem, ())
    assert parsed.detail


def test_half_a_sitemap_gives_the_entries_it_has() -> None:
    whole = sitemap(A_PAGE, A_PAGE)
    parsed = parse(whole[: whole.rindex(b"<n:title>")], url=URL)
    assert [entry.title for entry in parsed.entries] == ["A & B", ""]


def test_an_episode_has_the_notes_as_text_and_its_file_as_enclosure() -> None:
    episode = (
        "<title>Episode 7</title><guid isPermaLink='false'>e7</guid>"
        "<enclosure url='https://cdn.example/e7.mp3' length='1' type='audio/mpeg'/>"
        "<itunes:summary>What was said.</itunes:summary><itunes:duration>3600</itunes:duration>"
    )
    body = rss(episode).replace(b"<rss ", b"<rss xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd' ")
    (entry,) = parse(body, url=URL).entries
    assert (entry.title, entry.text, entry.guid) == ("Episode 7", "What was said.", "e7")
    assert (entry.link, entry.enclosure) == ("", "https://cdn.example/e7.mp3")


def test_a_video_has_its_media_description_as_text() -> None:
    video = (
        "<entry><title>Launch</title><link href='https://video.example/v'/>"
        "<media:group><media:content url='https://video.example/v.mp4'/>"
        "<media:description>We show the model.</media:description></media:group></entry>"
    )
    body = f"<feed xmlns='http://www.w3.org/2005/Atom' xmlns:media='http://search.yahoo.com/mrss/'>{video}</feed>"
    (entry,) = parse(body.encode(), url=URL).entries
    assert (entry.link, entry.text) == ("https://video.example/v", "We show the model.")
