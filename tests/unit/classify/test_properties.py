"""What holds for any text: exact spans, the same verdict again, no name lost to words without names."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.assets import classifier, folder
from pipeline.classify import Classifier
from pipeline.classify.ndjson import script_language
from schemas.messages import Assessment, Span
from tests.unit.classify.conftest import make_article

WORDS = st.sampled_from(
    [
        "OpenAI",
        "Meta",
        "Claude",
        "Qwen3",
        "GPT-5.5",
        "Gemini",
        "阿里",
        "通义千问3",
        "딥시크",
        "delays",
        "verschiebt",
        "推迟",
        "next",
        "week",
        "im",
        "April",
        "Q3",
        "launches",
        "发布",
        "reportedly",
        "消息称",
        "AI",
        "KI",
        "chip",
        "$5",
        "billion",
        "40亿美元",
        "671B",
        "2,5 Milliarden Euro",
        "per month",
        "bis",
        "百分之三十",
        "İstanbul",
        "ﬁnance",
        "ＡＩ",
        "…",
        "。",
        ";",
        "\n",
        "lawsuit",
        "open",
        "source",
    ]
)
ANY = st.text(st.characters(codec=None), max_size=80)  # lone surrogates too
TEXTS = st.lists(st.one_of(WORDS, ANY), max_size=25).map(" ".join)
NEUTRAL = st.sampled_from(
    ["The weather stays fine.", "Am Abend bleibt es ruhig.", "天气晴朗。", "So it goes on."]
)


def all_spans(assessment: Assessment) -> Iterator[Span]:
    holders = [
        assessment.relevance,
        *assessment.actors,
        *assessment.products,
        *assessment.events,
        *assessment.amounts,
    ]
    for holder in holders:
        yield from holder.spans
    yield from assessment.status_spans
    if assessment.expected:
        yield from assessment.expected.spans


@settings(max_examples=150, deadline=None)
@given(title=TEXTS, text=TEXTS, day=st.datetimes(timezones=st.just(UTC)))
def test_spans_are_exact_and_verdicts_repeat(title: str, text: str, day: datetime) -> None:
    article = msgspec.structs.replace(make_article(title, text), published_at=day)
    found = classifier().assess(article)
    for span in all_spans(found):
        assert span.text
        assert getattr(article, span.field)[span.start : span.end] == span.text
    assert classifier().assess(article) == found
    assert msgspec.convert(msgspec.to_builtins(found), Assessment) == found


@settings(max_examples=150, deadline=None)
@given(title=TEXTS, text=TEXTS, more=st.lists(NEUTRAL, min_size=1, max_size=40))
def test_a_paragraph_without_names_removes_no_actor(title: str, text: str, more: list[str]) -> None:
    before = classifier().assess(make_article(title, text))
    after = classifier().assess(make_article(title, text + "\n\n" + " ".join(more)))
    assert {actor.id for actor in before.actors} <= {actor.id for actor in after.actors}


@pytest.mark.parametrize(
    "piece", ["1", "OpenAI ", "Qwen 3 pro ", '"', "a heading of a section\n\n", "; ", "soll ", "4月"]
)
def test_a_huge_text_is_read_in_bounds(piece: str) -> None:
    text = "OpenAI plans to launch GPT-6 in May. " + piece * (2_000_000 // len(piece))
    found = classifier().assess(make_article("OpenAI plans GPT-6", text))
    assert found.relevance.label == "core"
    assert all(span.end <= 100_000 for span in all_spans(found))


def test_the_order_of_files_does_not_matter() -> None:
    actors, signals = (dict(sorted(folder(kind).items(), reverse=True)) for kind in ("actors", "signals"))
    other = Classifier.build(actors, signals, folder("tables"))
    article = make_article("Alibaba delays Qwen 3", "OpenAI, Meta and 딥시크 launch AI models next week.")
    assert other.assess(article) == classifier().assess(article)


@cache
def backwards() -> Classifier:
    """The shipped lexicon with every list in its files the other way round."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(inner) for key, inner in value.items()}
        return [turned(each) for each in reversed(value)] if isinstance(value, list) else value

    actors, signals = (
        {name: msgspec.yaml.encode(turned(msgspec.yaml.decode(data))) for name, data in folder(kind).items()}
        for kind in ("actors", "signals")
    )
    return Classifier.build(actors, signals, folder("tables"))


@settings(max_examples=100, deadline=None)
@given(title=TEXTS, text=TEXTS)
def test_the_order_of_aliases_does_not_matter(title: str, text: str) -> None:
    article = make_article(title, text)
    expected, found = classifier().assess(article), backwards().assess(article)
    assert found.classifier != expected.classifier
    assert msgspec.structs.replace(found, classifier=expected.classifier) == expected


def test_scripts_tell_some_languages() -> None:
    found = [script_language(text) for text in ("人工知能の話", "인공지능", "人工智能", "artificial", "")]
    assert found == ["ja", "ko", "zh", "und", "und"]
