"""The feeds of the world as they were found: nothing raises, nothing is lost, the balance is exact."""

import io
from dataclasses import dataclass
from pathlib import Path

import feedparser
import pytest

from pipeline.feeds.decide import decide
from pipeline.feeds.identify import identify
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Candidate, Decision, Feed, Known, ParsedFeed, Reject
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


def _poll(documents: list[Document], known: dict[str, Known]) -> list[Decision]:
    decisions = []
    for document in documents:
        decision = decide(document.feed, document.entries, known, now=NOW, first_import=True)
        known |= {row.article_id: row for row in decision.memory}
        decisions.append(decision)
    return decisions


def test_every_document_has_the_entries_that_the_reference_sees(documents: list[Document]) -> None:
    for document in documents:
        reference = feedparser.parse(io.BytesIO(document.body))
        assert len(document.parsed.entries) == len(reference.entries), document.feed.url
        assert (document.parsed.problem is None) == (document.parsed.detail is None)


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
