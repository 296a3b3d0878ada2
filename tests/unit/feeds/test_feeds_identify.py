"""Which article an entry is: address, id, revision, language, date; and why one is none."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Reject
from pipeline.feeds.values import Entry
from tests.unit.feeds.feed_factory import NOW, a_candidate, a_feed, identified


def test_an_entry_becomes_a_candidate() -> None:
    candidate = a_candidate(a_feed("lab", kind="lab", rank=1), url="/model?utm_source=x")
    article = candidate.article
    assert (article.url, article.kind, article.language) == ("https://lab.example/model", "article", "en")
    assert (article.feed.id, article.feed.kind, article.feed.rank) == ("lab", "lab", 1)
    assert article.article_id == a_candidate(url="http://www.lab.example/model/").article.article_id
    assert len(article.article_id) == len(article.revision) == 24


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry(link="https://lab.example/a"), "empty"),
        (Entry(link="javascript:alert(1)", title="t"), "bad-scheme"),
        (Entry(link="file:///etc/passwd", title="t"), "bad-scheme"),
        (Entry(link="https://la b.example/", title="t"), "bad-address"),
        (Entry(link="https://lab.example/" + "a" * 3000, title="t"), "long-address"),
    ],
)
def test_what_can_be_no_article_has_a_reason(entry: Entry, reason: str) -> None:
    (reject,) = identified(a_feed(), [entry])
    assert isinstance(reject, Reject)
    assert (reject.reason, bool(reject.detail)) == (reason, True)


def _urls(*entries: Entry, site: str = "") -> list[str]:
    found = identified(a_feed(), entries, site=site)
    assert all(isinstance(candidate, Candidate) for candidate in found)
    return [candidate.article.url for candidate in found if isinstance(candidate, Candidate)]


def test_an_entry_without_link_is_found_by_guid_enclosure_or_feed() -> None:
    by_guid, by_enclosure, by_name, by_title = _urls(
        Entry(guid="https://lab.example/guid", title="t"),
        Entry(guid="urn:1", enclosure="https://lab.example/talk.mp3", title="t"),
        Entry(link="tag:lab.example,2026:1", guid="tag:lab.example,2026:1", title="t"),
        Entry(title="Only a title"),
    )
    assert by_guid == "https://lab.example/guid"
    assert by_enclosure == "https://lab.example/talk.mp3"
    assert by_name.startswith("https://paper.example/feed.xml#entry-")
    assert by_title.startswith("https://paper.example/feed.xml#entry-")
    assert by_name != by_title


def test_a_guid_that_changes_makes_no_other_article() -> None:
    guids = ("1", "https://x.example/2")
    first, second = (Entry(link="https://lab.example/a", guid=guid, title="t") for guid in guids)
    assert _urls(first) == _urls(second)


def test_entries_that_share_a_page_are_told_apart_by_guid() -> None:
    page = "https://lab.example/release-notes"
    urls = _urls(*(Entry(link=page, guid=str(n), title=f"Model {n}") for n in range(3)))
    assert len(set(urls)) == 3
    assert all(url.startswith(f"{page}#entry-") for url in urls)
    assert _urls(Entry(link=page, guid="1", title="t"), Entry(link=page, guid="2", title="u")) == [page, page]


def test_the_site_itself_is_no_articles_address() -> None:
    (url,) = _urls(
        Entry(link="https://lab.example/", guid="episode-1", title="t"), site="https://www.lab.example"
    )
    assert url.startswith("https://lab.example/#entry-")


def test_an_article_without_title_gets_its_first_sentence() -> None:
    assert (
        a_candidate(title="", text="The lab ships today. More to come.").article.title
        == "The lab ships today."
    )


@pytest.mark.parametrize("published", [None, NOW + timedelta(seconds=1), NOW + timedelta(days=400)])
def test_missing_and_future_dates_are_the_time_of_observation(published: None) -> None:
    article = a_candidate(published=published).article
    assert (article.published_at, article.published_precision) == (NOW, "observed")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Text. 12 comments", "Text. 1,315 comments"),
        ("Points: 120 # Comments: 45", "Points: 7 # Comments: 0"),
        ("Text (vor 3 Stunden)", "Text (vor 2 Tagen)"),
        ("posted 5 minutes ago", "posted 2 hours ago"),
        ("正文 阅读 123 评论 4", "正文 阅读 9999 评论 17"),
        ("128条评论", "5条评论"),
        ("3小时前 发布", "5分钟前 发布"),
        ("본문 댓글 12", "본문 댓글 345"),
        ("The  same\n text", "the same text"),
    ],
)
def test_volatile_noise_is_no_revision(one: str, other: str) -> None:
    assert a_candidate(text=one).article.revision == a_candidate(text=other).article.revision


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Costs $2 per million tokens", "Costs $3 per million tokens"),
        ("GPT-5 ships", "GPT-6 ships"),
        ("expected in April 2025", "expected in May 2025"),
        ("12 models", "13 models"),
        ("It scores 5 points more", "It scores 7 points more"),
        ("Its shares 5% up", "Its shares 7% up"),
        ("It is not open", "It is open"),
    ],
)
def test_changed_facts_are_a_revision(one: str, other: str) -> None:
    assert a_candidate(text=one).article.revision != a_candidate(text=other).article.revision


@pytest.mark.parametrize(
    ("title", "prior", "expected"),
    [
        ("Alibaba plant neues Sprachmodell noch im April", "en", "de"),
        ("OpenAI releases its new open model today", "de", "en"),
        ("阿里巴巴发布Qwen3系列模型", "en", "zh"),
        ("OpenAI、新モデルを公開", "en", "ja"),
        ("次世代半導体量産開始", "ja", "ja"),
        ("네이버, 새 AI 모델 공개", "en", "ko"),
        ("OpenAI lance son nouveau modèle de langage en Europe", "en", "fr"),
        ("OpenAI presenta su nuevo modelo de lenguaje en Europa", "en", "es"),
        ("GPT-5", "de", "de"),
        ("12345 !!!", "fr", "fr"),
    ],
)
def test_language_is_that_of_the_text_and_the_feeds_in_doubt(title: str, prior: str, expected: str) -> None:
    assert a_candidate(a_feed(language=prior), title=title, text="").article.language == expected


def test_a_language_that_the_model_does_not_know_is_the_feeds() -> None:
    for languages in ({"tlh"}, {"tlh", "en"}, set[str]()):
        assert Detector(languages).detect("Alibaba plant ein neues Modell", "", "tlh") == "tlh"


ENTRIES = st.builds(
    Entry,
    link=st.sampled_from(["", "/a", "https://lab.example/b", "urn:x", "https://[", "mailto:x@y.example"]),
    guid=st.sampled_from(["", "1", "urn:x", "https://lab.example/b", "https://["]),
    enclosure=st.sampled_from(["", "https://lab.example/c.mp3", "::"]),
    title=st.sampled_from(["", "One", "Two"]),
    text=st.sampled_from(["", "Words."]),
)


@given(st.lists(ENTRIES, max_size=8), st.sampled_from(["", "https://lab.example/", "https://["]))
def test_every_entry_is_a_candidate_or_a_reject(entries: list[Entry], site: str) -> None:
    found = identified(a_feed(), entries, site=site)
    assert [value.position for value in found] == list(range(len(entries)))
    assert found == identified(a_feed(), entries, site=site)
