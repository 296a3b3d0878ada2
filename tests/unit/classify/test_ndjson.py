"""Lines in, lines out: the same order and number, whatever stands in a line."""

import json
from typing import Any

import pytest

from pipeline.classify import Classifier
from pipeline.classify.ndjson import LineError, article, assess_lines


def run(shipped: Classifier, *lines: bytes) -> list[tuple[dict[str, Any], bool]]:
    return [(json.loads(line), good) for line, good in assess_lines(shipped, lines)]


def test_order_and_number_hold(shipped: Classifier) -> None:
    out = run(
        shipped,
        '{"id": "a", "title": "OpenAI veröffentlicht GPT-6", "source": "Die Zeitung"}'.encode(),
        b"not json",
        b"\n",
        b'{"id": "b", "title": 3}',
        b'{"title": "no id"}',
        b"\xff\xfe",
        b'{"id": "c", "summary": "rain"}',
    )
    assert [line["article_id"] for line, _ in out] == ["a", None, "b", None, None, "c"]
    assert [good for _, good in out] == [True, False, False, False, False, True]
    assert out[1][0]["error"].startswith("line 2: not an article")
    assert out[0][0]["relevance"]["label"] == "core"
    assert out[0][0]["feed"] == "die-zeitung"
    assert out[5][0]["expected"] is None


def test_content_wins_over_summary_and_defaults_are_stated() -> None:
    found = article(b'{"id": "a", "summary": "short", "content": "the whole text"}')
    assert (found.text, found.text_source) == ("the whole text", "content")
    assert (found.feed.id, found.language, found.published_precision) == ("unknown", "und", "observed")


def test_a_time_without_zone_is_utc() -> None:
    found = article(b'{"id": "a", "published": "2025-04-01T10:00:00"}')
    assert found.published_at.isoformat() == "2025-04-01T10:00:00+00:00"
    zoned = article(b'{"id": "a", "published": "2025-04-01T10:00:00+02:00"}')
    assert zoned.published_at.isoformat() == "2025-04-01T08:00:00+00:00"


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'{"id": ""}',
        b'{"id": "a b"}',
        b'{"id": "a", "lang": "German"}',
        b'{"id": "a", "published": "yesterday"}',
    ],
)
def test_a_line_that_is_no_article_says_why(line: bytes) -> None:
    with pytest.raises(LineError, match="not an article"):
        article(line)
