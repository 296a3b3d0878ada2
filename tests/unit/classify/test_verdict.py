"""Labels on ordinary newspaper sentences, and the long article of the brief."""

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from pipeline.classify import Classifier
from pipeline.classify.ndjson import article
from tests.unit.classify.conftest import Assess

SAGA = [
    (
        "2025-03-31",
        "Alibaba said to ready Qwen 3 for release in April",
        "People familiar with the matter say the cloud unit could launch Qwen 3 in April.",
        "rumoured",
        "2025-04",
    ),
    (
        "2025-04-02",
        "消息称阿里巴巴将于4月发布通义千问3",
        "知情人士透露，阿里云计划在4月下旬推出新一代大模型。",
        "rumoured",
        "2025-04",
    ),
    (
        "2025-04-16",
        "Qwen 3 launch slips as Alibaba needs more time",
        "Alibaba has pushed back the release of its next flagship model. It is now expected next month.",
        "delayed",
        "2025-05",
    ),
    (
        "2025-04-17",
        "Alibaba verschiebt Qwen 3",
        "Das neue Sprachmodell kommt später als geplant. Der Start ist nun für Ende April vorgesehen.",
        "delayed",
        "2025-04",
    ),
    ("2025-04-17", "阿里推迟发布Qwen 3", "原定本周发布的Qwen 3大模型被推迟到下个月。", "delayed", "2025-05"),
    (
        "2025-04-29",
        "Alibaba releases Qwen 3 with open weights",
        "The family of eight models is available for download from today.",
        "happened",
        None,
    ),
    (
        "2025-04-29",
        "Alibaba veröffentlicht Qwen 3 als Open Source",
        "Die neuen Modelle stehen ab sofort zum Herunterladen bereit.",
        "happened",
        None,
    ),
    ("2025-04-29", "阿里巴巴正式发布并开源Qwen 3", "阿里云今日凌晨发布新一代模型。", "happened", None),
    (
        "2026-01-12",
        "Anthropic plans to launch Claude Opus 5 next month, report says",
        "The company is testing the model with customers, according to a person familiar with it.",
        "rumoured",
        "2026-02",
    ),
    (
        "2026-02-20",
        "Anthropic delays Claude Opus 5 to the second quarter",
        "Safety tests are taking longer than expected, the company wrote.",
        "delayed",
        "2026-Q2",
    ),
    (
        "2026-04-10",
        "Mistral kündigt Mistral Large 4 für Juni an",
        "Der französische Anbieter will sein neues Modell im Juni 2026 vorstellen.",
        "announced",
        "2026-06",
    ),
    (
        "2026-04-10",
        "Google says Gemini 4 will arrive in the third quarter",
        "The company announced that Gemini 4 will be released in Q3.",
        "announced",
        "2026-Q3",
    ),
    (
        "2026-04-12",
        "OpenAI denies it is working on a phone",
        "A spokesperson dismissed the report about an AI device.",
        "denied",
        None,
    ),
]


@pytest.mark.parametrize(("day", "title", "text", "status", "expected"), SAGA)
def test_status_and_time_of_what_is_ahead(
    assess: Assess, day: str, title: str, text: str, status: str, expected: str | None
) -> None:
    found = assess(title, text, published=day)
    assert found.relevance.label == "core"
    assert found.status == status
    assert found.status_spans
    assert (found.expected.value if found.expected else None) == expected


@pytest.mark.parametrize(
    ("title", "text", "event"),
    [
        ("OpenAI launches a new AI model", "GPT-6 is available today.", "release"),
        ("Baidu halbiert die Preise für Ernie", "Der Preiskampf bei KI-Modellen geht weiter.", "pricing"),
        ("百度宣布文心大模型降价八成，价格战再起", "", "pricing"),
        (
            "Mistral AI raises $2 billion in Series D",
            "The round values the start-up at $14 billion.",
            "funding",
        ),
        ("OpenAI to acquire a chip start-up", "The acquisition was announced on Tuesday.", "deal"),
        ("US tightens export controls on AI chips", "The Commerce Department issued the rule.", "policy"),
        ("Zeitungen verklagen OpenAI", "Es geht um Urheberrecht. Das Gericht prüft die Klage.", "legal"),
        ("Meta poaches three researchers from OpenAI", "The hires join its AI lab.", "talent"),
        ("Nvidia baut KI-Rechenzentrum mit zwei Gigawatt", "", "compute"),
        ("ChatGPT has 900 million weekly active users", "", "adoption"),
        (
            "Sicherheitslücke in Claude Code entdeckt",
            "Angreifer konnten Schadsoftware einschleusen.",
            "safety",
        ),
    ],
)
def test_main_event(assess: Assess, title: str, text: str, event: str) -> None:
    found = assess(title, text)
    assert found.events[0].id == event
    assert found.events[0].spans


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Local bakery wins bread award", "The family business has been baking since 1911."),
        ("Stadtwerke erhöhen die Preise", "Strom wird ab Juli teurer."),
        ("今年苹果丰收，果农喜笑颜开", "山东烟台的苹果价格上涨。"),
        ("프로야구 LG 트윈스, 두산에 승리", "선발 투수가 호투했다."),
        ("", ""),
    ],
)
def test_what_has_no_ai_in_it_is_none(assess: Assess, title: str, text: str) -> None:
    found = assess(title, text)
    assert (found.relevance.label, found.actors, found.events, found.status) == ("none", [], [], "none")


def test_a_how_to_is_peripheral(assess: Assess) -> None:
    found = assess("Ten tips for writing better prompts", "A beginner's guide to ChatGPT in daily work.")
    assert (found.relevance.label, found.events, found.expected) == ("peripheral", [], None)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("The deal is expected to close in March 2026.", "2026-03"),  # part of it is still to come
        ("It was expected in April 2025, the month of this news.", None),
    ],
)
def test_what_has_happened_may_have_more_to_come(assess: Assess, words: str, value: str | None) -> None:
    found = assess(
        "Nvidia acquires AI start-up Lepton", f"Nvidia has acquired it. {words}", published="2025-04-10"
    )
    assert found.status == "happened"
    assert (found.expected.value if found.expected else None) == value


def test_what_is_denied_is_not_expected(assess: Assess) -> None:
    found = assess("OpenAI denies plans to launch GPT-6 in May 2025", "", published="2025-04-10")
    assert (found.status, found.expected) == ("denied", None)


@pytest.mark.parametrize(
    ("day", "words", "value"),
    [
        ("2025-04-01", "noch vor Ende des laufenden Monats", "2025-04"),
        ("2025-12-29", "next week", "2026-01"),
        ("2025-12-29", "下个月", "2026-01"),
        ("2025-04-01", "im dritten Quartal", "2025-Q3"),
        ("2025-04-01", "in Q3", "2025-Q3"),
        ("2025-04-01", "5월", "2025-05"),
        ("2025-04-01", "by June 2026", "2026-06"),
        ("2025-04-01", "on April 17", "2025-04-17"),
        ("2025-04-01", "am 17. April", "2025-04-17"),
        ("2025-04-01", "4月17日", "2025-04-17"),
        ("2025-04-01", "later this year", "2025"),
        ("2025-04-01", "明年", "2026"),
        ("2025-03-11", "下周一", "2025-03-17"),
        ("2025-04-01", "2026年底", "2026"),
        ("2025-04-01", "until July 14", "2025-07-14"),
        ("2025-04-01", "in the first half of 2026", "2026"),
        ("2025-04-01", "im Herbst", "2025"),
        ("2025-04-01", "noch in diesem Quartal", "2025-Q2"),
        ("2025-04-01", "去年10月", None),
        ("2025-04-01", "未来几个月内", None),
        ("2025-04-01", "next Friday", "2025-04-04"),
        ("2025-04-01", "in the coming weeks", None),
        ("2025-04-01", "as it said on Monday", None),
        ("2025-04-01", "as in years before, earlier this year", None),
        ("2025-04-01", "in February", None),
        ("2025-04-01", "on February 30", None),
    ],
)
def test_times_are_resolved_from_the_day_of_publication(
    shipped: Classifier, assess: Assess, day: str, words: str, value: str | None
) -> None:
    found = assess("OpenAI plans to launch GPT-6", f"It plans to launch the AI model {words}", published=day)
    assert (found.expected.value if found.expected else None) == value


def test_the_long_article(shipped: Classifier, shared: Path) -> None:
    title, _, text = (shared / "data" / "seed-article.de.txt").read_text(encoding="utf-8").partition("\n")
    line = {"id": "seed", "title": title, "content": text.strip(), "published": "2025-04-01"}
    found = shipped.assess(article(msgspec.json.encode(line)))
    assert found.published_at == datetime.combine(date(2025, 4, 1), datetime.min.time(), UTC)
    assert found.relevance.label == "core"
    actors = {each.id: each.role for each in found.actors}
    assert {
        "alibaba",
        "openai",
        "deepseek",
        "google",
        "anthropic",
        "meta",
        "baidu",
        "tencent",
    } <= actors.keys()
    assert {"microsoft", "huawei"} <= actors.keys()
    assert actors["alibaba"] == "mover"
    products = {each.name for each in found.products}
    assert {
        "Qwen 3",
        "Qwen 2.5",
        "Quark",
        "Sora",
        "Gemini",
        "Claude",
        "Llama",
        "Ernie",
        "Hunyuan",
    } <= products
    events = [each.id for each in found.events]
    assert events[0] == "roadmap"
    assert {"pricing", "openness"} <= set(events)
    assert found.status == "rumoured"
    assert found.expected is not None
    assert found.expected.value == "2025-04"
    evidence = [found.relevance, found.expected, *found.actors, *found.products, *found.events]
    assert all(each.spans for each in evidence)
    assert found.status_spans
