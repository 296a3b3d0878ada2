"""The feeds of the world as they were found: nothing raises, nothing is lost, the balance is exact."""

import io
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import feedparser
import pytest

from pipeline.feeds.decide import decide
from pipeline.feeds.identify import identify
from pipeline.feeds.outcomes import Candidate, Decision, Known, Reject
from pipeline.feeds.parse import parse
from pipeline.feeds.text import MAX_TITLE, from_html
from pipeline.feeds.values import Entry, Feed, ParsedFeed
from tests.unit.feeds.feed_factory import DETECTOR, NOW, a_feed


@dataclass(frozen=True)
class Document:
    feed: Feed
    body: bytes
    parsed: ParsedFeed
    entries: tuple[Candidate | Reject, ...]


@pytest.fixture(scope="module")
def documents(shared: Path) -> list[Document]:
    found = []
    for path in sorted((shared / "data" / "feeds").glob("*.xml")):
        feed, body = a_feed(f"f{path.name[:3]}", url=f"https://mirror.example/{path.name}"), path.read_bytes()
        parsed = parse(body, url=feed.url)
        found.append(Document(feed, body, parsed, identify(feed, parsed, now=NOW, detector=DETECTOR)))
    assert len(found) > 100
    return found


# Where we give something else than plain feedparser does, by document and field, and why ours is better.
BETTER = {
    ("063", "link"): "FeedBurner's redirector: the article's own address is given as well, and taken",
    ("081", "link"): "the same",
    ("141", "link"): "the same",
    ("151", "link"): "the same",
    ("065", "link"): "RSS has no base: a relative link is the site's, wherever the feed itself is kept",
    ("067", "published"): "a date with a zone that feedparser does not read",
    ("180", "title"): "EUC-KR that is declared nowhere, known by its words",
    ("180", "text"): "the same",
    ("181", "title"): "GB 2312 that is declared nowhere, known by its words",
}
# No feeds: for these feedparser has neither a format nor entries, and we have a reason.
NONE = {"096", "131", "174", "192"}


def _as_feedparser_has_it(item: Mapping[str, Any], url: str) -> dict[str, Any]:
    """An entry of the reference, its markup turned into text."""
    texts = [item.get("summary", ""), *(content.get("value", "") for content in item.get("content", ()))]
    moment = item.get("published_parsed") or item.get("updated_parsed")
    return {
        "link": item.get("link", ""),
        "guid": urljoin(url, item.get("id", "")),
        "title": from_html(item.get("title", ""), MAX_TITLE),
        "text": max(map(from_html, texts), key=len),
        "published": datetime.fromtimestamp(timegm(moment), UTC) if moment else None,
    }


def _as_we_have_it(entry: Entry, base: str, url: str) -> dict[str, Any]:
    """The same of ours. feedparser resolves addresses at once, and takes many a guid for one."""
    return {
        "link": urljoin(base, entry.link) if entry.link else "",
        "guid": urljoin(url, entry.guid),
        "title": entry.title,
        "text": entry.text,
        "published": entry.published,
    }


def test_every_document_gives_what_the_reference_gives_or_a_stated_better_answer(
    documents: list[Document],
) -> None:
    found, none = set(), set()
    for document in documents:
        number, url = document.feed.id[1:], document.feed.url
        reference = feedparser.parse(io.BytesIO(document.body), response_headers={"content-location": url})
        if document.parsed.problem is not None:
            assert not reference.version
            none.add(number)
        for item, entry in zip(reference.entries, document.parsed.entries, strict=True):
            theirs = _as_feedparser_has_it(item, url)
            ours = _as_we_have_it(entry, document.parsed.base, url)
            found |= {(number, field) for field in theirs if theirs[field] != ours[field]}
    assert none == NONE
    assert found == BETTER.keys()


def _poll(documents: list[Document], known: dict[str, Known]) -> list[Decision]:
    decisions = []
    for document in documents:
        decision = decide(document.feed, document.entries, known)
        known |= {row.article_id: row for row in decision.memory}
        decisions.append(decision)
    return decisions


def test_the_balance_is_exact_and_a_second_poll_finds_nothing(documents: list[Document]) -> None:
    known: dict[str, Known] = {}
    first = _poll(documents, known)
    for document, decision in zip(documents, first, strict=True):
        assert sum(decision.counts.values()) == len(document.parsed.entries)
        assert decision.counts["unchanged"] == 0
    candidates = [
        entry for document in documents for entry in document.entries if isinstance(entry, Candidate)
    ]
    addresses = {candidate.article.article_id for candidate in candidates}
    assert sum(decision.counts["article"] for decision in first) == len(addresses) == len(known)
    assert all(decision.messages == () for decision in _poll(documents, known))


def test_what_is_published_is_clean_and_of_bounded_size(documents: list[Document]) -> None:
    for decision in _poll(documents, {}):
        for message in decision.messages:
            assert message.title
            assert message.published_at <= NOW
            assert len((message.title + message.text).encode("utf-8")) < 500_000
            assert "\0" not in message.title + message.text
            assert message.url.isascii()
