"""What one verdict after another changes: counted so that the balance always closes."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.classify.changes import EXAMPLES, Changes
from schemas.messages import Actor, Assessment, Event, Forecast, Product, Relevance
from tests.samples import StubClassifier, article

VERDICT = StubClassifier().assess(article(1))


def verdict(label: str, actors: list[str], products: list[str], status: str, when: str | None) -> Assessment:
    return replace(
        VERDICT,
        relevance=Relevance(label=label, score=0.5, spans=[]),
        actors=[Actor(id=a, role="mover", spans=[]) for a in actors],
        products=[Product(name=p, actor=None, spans=[]) for p in products],
        status=status,
        expected=Forecast(value=when, spans=[]) if when else None,
    )


verdicts = st.builds(
    verdict,
    st.sampled_from(["core", "none"]),
    st.lists(st.sampled_from(["openai", "google"]), unique=True),
    st.lists(st.sampled_from(["GPT-5", "Gemini 3"]), unique=True),
    st.sampled_from(["happened", "none"]),
    st.sampled_from(["2026-Q1", None]),
)


def test_each_label_is_told() -> None:
    old = verdict("none", [], ["GPT-5"], "none", None)
    new = replace(verdict("core", ["openai"], ["gpt 5"], "happened", "2026-Q1"), events=[])
    changes = Changes()
    changes.add(replace(old, events=[Event(id="release", score=0.9, spans=[])]), new)
    assert changes.labels() == [
        ("actor", "openai (mover)", 1, 0),
        ("event", "release", 0, 1),
        ("relevance", "core", 1, 0),
        ("relevance", "none", 0, 1),
        ("status", "happened", 1, 0),
        ("when", "2026-Q1", 1, 0),
    ]
    (example,) = changes.examples
    assert example.before == ["event release", "relevance none"]
    assert "when 2026-Q1" in example.after
    assert (changes.changed, changes.core, changes.core_no_more) == (1, 1, 0)


def test_scores_and_the_classifiers_name_are_no_change() -> None:
    changes = Changes()
    changes.add(
        VERDICT, replace(VERDICT, classifier="other", relevance=Relevance(label="core", score=0.6, spans=[]))
    )
    changes.add(None, VERDICT)
    assert (changes.articles, changes.first, changes.changed, changes.labels()) == (2, 1, 0, [])


@given(st.lists(st.tuples(verdicts, verdicts), max_size=40))
def test_there_and_back_is_the_same_balance_turned(pairs: list[tuple[Assessment, Assessment]]) -> None:
    there, back = Changes(), Changes()
    for old, new in pairs:
        there.add(old, new)
        back.add(new, old)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert (there.core, there.core_no_more) == (back.core_no_more, back.core)
    assert len(there.examples) == min(there.changed, EXAMPLES)
    turned = there.core + there.core_no_more
    marks = [any("relevance" in label for label in e.before) for e in there.examples]
    assert marks == sorted(marks, reverse=True) and sum(marks) == min(turned, EXAMPLES)
