"""The reasons of a verdict are all of it, and in the article's own words."""

import math

from hypothesis import given, settings

from pipeline.assets import classifier
from pipeline.classify.explain import Explanation, explain
from tests.unit.classify.conftest import make_article
from tests.unit.classify.test_properties import TEXTS

STORY = make_article(
    "Alibaba delays Qwen 3 to the end of April", "People close to the matter say it may compete with OpenAI."
)


def by_label(explained: list[Explanation]) -> dict[tuple[str, str], Explanation]:
    return {(one.kind, one.label): one for one in explained}


@given(title=TEXTS, text=TEXTS)
@settings(max_examples=80, deadline=None)
def test_reasons_add_up_to_the_verdict(title: str, text: str) -> None:
    article = make_article(title, text)
    verdict, explained = explain(classifier(), article)

    assert verdict == classifier().assess(article)
    for one in explained:
        odds = sum(reason.weight for reason in one.reasons) + one.rest
        assert math.isclose(1 / (1 + math.exp(-odds)), one.chance, abs_tol=0.005)
        for reason in one.reasons:
            assert all(words in title or words in text for words in reason.words)
    found = by_label(explained)
    assert found["relevance", "core"].chance == verdict.relevance.score
    assert {e.id for e in verdict.events} == {
        label for kind, label in found if kind == "event" and found[kind, label].given
    }
    if verdict.relevance.label == "core":
        assert found["status", verdict.status].given


def test_what_spoke_for_and_against_has_its_words() -> None:
    _, explained = explain(classifier(), STORY)
    found = by_label(explained)

    roadmap = {reason.name: reason for reason in found["event", "roadmap"].reasons}
    assert roadmap["delay"].words == ["delays"]
    assert roadmap["delay"].weight > 1 > -1 > roadmap["bias"].weight
    happened = next(one for (kind, _), one in found.items() if kind == "status" and not one.given)
    assert any(reason.name == "delay" and reason.weight < 0 for reason in happened.reasons)
    others = [one for (kind, _), one in found.items() if kind == "event" and not one.given]
    assert len(others) == 1
    assert others[0].chance < (others[0].needed or 0)
