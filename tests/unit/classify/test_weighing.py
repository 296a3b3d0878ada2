"""What spoke for and against adds up to what the verdict says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assets import scales
from pipeline.classify import Classifier
from pipeline.classify.scoring import probability
from tests.unit.classify.conftest import make_article

WORDS = [
    "OpenAI",
    "releases",
    "GPT-9",
    "how to",
    "recipe",
    "AI",
    "Anthropic",
    "might",
    "chips",
    "tutorial",
    ".",
]


@given(title=st.lists(st.sampled_from(WORDS)), text=st.lists(st.sampled_from(WORDS)))
def test_the_weights_are_those_of_the_verdict(shipped: Classifier, title: list[str], text: list[str]) -> None:
    article = make_article(" ".join(title), " ".join(text))
    core, focus = scales().weigh(shipped, article)
    verdict = shipped.assess(article).relevance
    assert verdict.score == pytest.approx(probability(core.odds), abs=0.001)
    if verdict.label != "none" and all(abs(w.odds - w.needed) > 0.01 for w in (core, focus)):
        assert (verdict.label == "core") == all(w.odds > w.needed for w in (core, focus))


def test_both_sides_are_shown_with_their_words_the_weightiest_first(shipped: Classifier) -> None:
    article = make_article("OpenAI releases GPT-9", "A tutorial: how to bake bread with AI. 10 tips.")
    core, _ = scales().weigh(shipped, article)
    assert ("OpenAI", "GPT-9") in [weight.words for weight in core.pro]
    assert core.contra
    for side in (core.pro, core.contra):
        assert [abs(w.odds) for w in side] == sorted((abs(w.odds) for w in side), reverse=True)
        for weight in side:
            assert all(word in article.title + article.text for word in weight.words)
