"""Archives: what becomes of each line and entry, and that nothing in a file stops the reading."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.feeds import archive
from pipeline.feeds.archive import Archive, Item, files
from pipeline.feeds.outcomes import Candidate, Reject
from schemas.codec import encode
from schemas.messages import Article
from tests.unit.feeds.feed_factory import NOW, a_candidate, a_feed, an_item, rss

PAPER = replace(a_feed("paper", rank=2), title="The Paper")
LINE = {"url": "https://lab.example/a", "title": "Lab ships a model", "published": "2024-06-01T10:00:00Z"}
DATED = "<pubDate>Sat, 01 Jun 2024 10:00:00 GMT</pubDate>"


def read(path: Path, of: str | None = None) -> list[Item]:
    return list(Archive([PAPER], NOW, PAPER if of else None).items(path))


def one(tmp_path: Path, **fields: Any) -> Item:
    """What becomes of `LINE` with these fields."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(LINE | fields))
    (item,) = read(path)
    return item


def article(item: Item) -> Article:
    assert isinstance(item.entry, Candidate), item.entry
    return item.entry.article


def reasons(items: list[Item]) -> list[tuple[str, str]]:
    return [(i.place, i.entry.reason if isinstance(i.entry, Reject) else "") for i in items]


def test_a_line_is_an_article_with_the_names_of_assess(tmp_path: Path) -> None:
    item = one(tmp_path, summary="Short.", content="<p>Much&nbsp;longer</p>", source="Some Blog", lang="en")
    found = article(item)
    assert (found.text, found.text_source, found.title) == ("Much longer", "content", LINE["title"])
    assert (found.published_at, found.published_precision) == (datetime(2024, 6, 1, 10, tzinfo=UTC), "second")
    assert (found.feed.id, found.feed.rank, found.observed_at) == ("some-blog", 9, NOW)


def test_a_dump_of_the_topic_is_an_archive(tmp_path: Path) -> None:
    published = a_candidate(a_feed("lab", rank=3, kind="lab"), text="<b>", published=NOW.replace(year=2024))
    path = tmp_path / "dump.ndjson"
    path.write_bytes(encode(published.article))
    (item,) = read(path)
    assert article(item) == published.article


@pytest.mark.parametrize(
    ("fields", "feed"),
    [
        ({"feed": "paper"}, "paper"), ({"source": "the paper"}, "paper"), ({"feed": "宝玉的分享"}, "lab"),
        ({}, "lab"), ({"source": "Lab - Research!"}, "lab-research"),
    ],
)  # fmt: skip
def test_feeds_are_recognised_by_id_and_title_and_others_rank_last(
    tmp_path: Path, fields: dict[str, str], feed: str
) -> None:
    found = article(one(tmp_path, **fields)).feed
    assert (found.id, found.rank) == (feed, 2 if feed == "paper" else 9)


def test_the_language_is_told_as_in_a_poll(tmp_path: Path) -> None:
    assert article(one(tmp_path, title="大模型发布了全新的版本", lang="en")).language == "zh"
    assert article(one(tmp_path, title="GPT-5", language="fr-FR")).language == "fr"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"url": ""}, "no-address"), ({"url": None}, "no-address"), ({"url": "/a"}, "no-address"),
        ({"url": "javascript:x"}, "bad-scheme"), ({"title": ""}, "empty"), ({"title": 7}, "not-an-article"),
        ({"published": ""}, "undated"), ({"published": "soon"}, "undated"),
        ({"published": "2099-01-01"}, "undated"), ({"feed": {"id": "x"}}, "not-an-article"),
        ({"url": "http://[::1"}, "bad-address"),
    ],
)  # fmt: skip
def test_what_is_no_article_of_the_past_is_refused(
    tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    entry = one(tmp_path, **fields).entry
    assert isinstance(entry, Reject)
    assert (entry.reason, bool(entry.detail)) == (reason, True)


@pytest.mark.parametrize("packed", [False, True])
def test_bad_lines_keep_their_numbers_and_stop_nothing(
    tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_LINE", 2000)
    good = json.dumps(LINE).encode()
    lines = [good, b"", b"{", b"[]", b"\xff", b"x" * 9000, b"y" * 2000, b"[" * 1999, good]
    path = tmp_path / ("a.jsonl.gz" if packed else "a.jsonl")
    path.write_bytes(gzip.compress(b"\n".join(lines)) if packed else b"\n".join(lines))
    bad = [(f"{path}:{n}", "not-an-article") for n in (3, 4, 5)]
    long = [(f"{path}:6", "too-long"), (f"{path}:7", "too-long"), (f"{path}:8", "not-an-article")]
    assert reasons(read(path)) == [(f"{path}:1", ""), *bad, *long, (f"{path}:9", "")]


def test_a_file_that_breaks_off_gives_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows = (json.dumps(LINE | {"url": f"https://lab.example/{n}"}) + "\n" for n in range(20_000))
    path.write_bytes(gzip.compress("".join(rows).encode())[:-2000])
    *found, (place, reason) = reasons(read(path))
    assert (place, reason) == (str(path), "unreadable")
    assert len(found) > 100
    assert {reason for _, reason in found} == {""}
    (tmp_path / "b.xml.gz").write_bytes(b"no gzip")
    assert reasons(read(tmp_path / "none")) == [(str(tmp_path / "none"), "unreadable")]
    assert reasons(read(tmp_path / "b.xml.gz")) == [(str(tmp_path / "b.xml.gz"), "unreadable")]


def test_saved_documents_are_their_feeds_own_by_name_folder_or_option(tmp_path: Path) -> None:
    document = rss(an_item("/a", "A") + DATED, an_item("/b", "B"))
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "2024.xml.gz").write_bytes(gzip.compress(document))
    for name in ("paper.xml", "unknown"):
        (tmp_path / name).write_bytes(document)
    for path in ("paper/2024.xml.gz", "paper.xml", "unknown"):
        first, second = read(tmp_path / path, of="paper" if path == "unknown" else None)
        assert (article(first).feed.id, article(first).url) == ("paper", "https://paper.example/a")
        assert reasons([second]) == [(f"{tmp_path / path}#2", "undated")]


def test_a_document_of_nobody_is_its_sites(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_bytes(rss(an_item("/a", "A") + DATED, channel="<link>https://blog.site.example/</link>"))
    assert [article(i).feed.id for i in read(path)] == ["site"]
    path.write_bytes(rss(an_item("/a", "A") + DATED, channel=""))
    assert reasons(read(path)) == [(f"{path}#1", "no-address")]


def test_what_is_no_feed_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "articles.json"
    path.write_text(json.dumps(LINE))
    (item,) = read(path)
    assert isinstance(item.entry, Reject)
    assert (item.place, item.entry.reason) == (str(path), "not-a-feed")
    assert ".jsonl" in item.entry.detail


def test_folders_give_their_files_by_name_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", ".git/x", "b/.y"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [str(p.relative_to(tmp_path)) for p in files([tmp_path])] == ["a", "b/1", "b/2"]
    assert list(files([tmp_path / "b" / ".y"])) == [tmp_path / "b" / ".y"]
