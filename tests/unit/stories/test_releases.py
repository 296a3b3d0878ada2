"""The release timeline: whose statements count, and the state folded from them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.stories.releases import release, retell, statements
from schemas.messages import Assessment, Release, ReleaseStatement, Span
from tests.unit.stories.factory import assessment


def told(*steps: tuple[str, str | None]) -> Release:
    """The state after statements of (status, expected), one a day."""
    made = [
        statements(assessment(f"a{day}", day=day, status=status, expected=expected))[
            "alibaba:qwen-3"
        ].statements[0]
        for day, (status, expected) in enumerate(steps)
    ]
    return release("alibaba:qwen-3", "alibaba", "Qwen 3", made)


def test_from_rumour_over_delay_to_release() -> None:
    state = told(("rumoured", "2025-04"), ("delayed", "2025-05"), ("happened", None))
    assert (state.status, state.expected, state.slips) == ("happened", "2025-05", 1)
    assert [s.status for s in state.statements] == ["rumoured", "delayed", "happened"]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([("rumoured", None), ("announced", None)], "announced"),
        ([("announced", None), ("rumoured", None)], "announced"),
        ([("delayed", None), ("rumoured", None)], "delayed"),
        ([("delayed", None), ("announced", None)], "announced"),
        ([("rumoured", None), ("denied", None), ("rumoured", None)], "denied"),
        ([("denied", None), ("announced", None)], "announced"),
        ([("happened", None), ("announced", None), ("delayed", None)], "happened"),
        ([("happened", None), ("denied", None)], "denied"),
    ],
)
def test_the_newest_firm_statement_wins(steps: list[tuple[str, str | None]], status: str) -> None:
    assert told(*steps).status == status


@pytest.mark.parametrize(
    ("steps", "slips"),
    [
        ([("rumoured", "2025-04"), ("announced", "2025-04-28")], 0),  # made exact
        ([("announced", "2025-Q2"), ("announced", "2025-Q3")], 1),
        ([("announced", "2025"), ("announced", "2026-01")], 1),
        ([("announced", "2025-06"), ("announced", "2025-04")], 0),  # moved up
        ([("delayed", None), ("delayed", None)], 1),  # two papers, one delay
        ([("rumoured", "2025-04"), ("delayed", None), ("delayed", "2025-05")], 1),  # the date is told later
        ([("rumoured", "2025-04"), ("delayed", "2025-05"), ("delayed", "2025-05")], 1),
        ([("rumoured", "2025-04"), ("delayed", "2025-05"), ("delayed", "2025-06")], 2),
        ([("delayed", None), ("announced", None), ("delayed", None)], 2),
        ([("happened", None), ("delayed", "2026")], 0),  # of something else
    ],
)
def test_a_slip_is_counted_once(steps: list[tuple[str, str | None]], slips: int) -> None:
    assert told(*steps).slips == slips


@pytest.mark.parametrize(
    "silent",
    [
        assessment("a", relevance="peripheral"),
        assessment("a", status="none"),
        assessment("a", events=("policy", "compute", "release")),  # release is not the matter
        assessment("a", "Qwen is out", products={"Qwen": "alibaba"}),  # no version
        assessment("a", actors={"openai": "mover", "alibaba": "rival"}),  # a rival's product
        assessment("a", products={"Qwen 3": None}),  # nobody's product
    ],
)
def test_who_states_nothing_about_a_release(silent: Assessment) -> None:
    assert statements(silent) == {}


def test_a_title_decides_which_products_are_meant() -> None:
    products: dict[str, str | None] = {"Qwen 2.5": "alibaba", "Qwen 3": "alibaba"}
    assert statements(assessment("a", products=products)).keys() == {"alibaba:qwen-3"}


@pytest.mark.parametrize(("start", "found"), [(60, {"alibaba:qwen-3"}), (600, set())])
def test_in_the_text_only_the_product_beside_the_statement_counts(start: int, found: set[str]) -> None:
    words = Span(field="text", start=start, end=start + 9, text="available")
    untitled = replace(assessment("a", "Alibaba's new model is out"), status_spans=[words])
    assert statements(untitled).keys() == found


def test_the_quote_is_the_articles_own_words() -> None:
    words = Span(field="title", start=8, end=16, text="releases")
    for spans, quote in (([words], "releases"), ([], "Alibaba releases Qwen 3")):
        (state,) = statements(replace(assessment("a"), status_spans=spans)).values()
        assert state.statements[0].quote == quote


def test_a_second_assessment_replaces_what_the_first_one_stated() -> None:
    (first,) = retell([], assessment("a", status="rumoured", expected="2025-04"))
    (second,) = retell([first], assessment("a", status="announced", expected="2025-04-28"))
    assert [(s.status, s.expected) for s in second.statements] == [("announced", "2025-04-28")]
    (third,) = retell([second], assessment("a", relevance="none"))
    assert (third.status, third.statements) == ("none", [])


def test_saying_it_twice_changes_nothing() -> None:
    (state,) = retell([], assessment("a"))
    assert retell([state], assessment("a")) == []


def test_another_spelling_is_the_same_release() -> None:
    (state,) = retell([], assessment("a"))
    (changed,) = retell([state], assessment("b", "Qwen3 is out", products={"Qwen3": "alibaba"}, day=1))
    assert (changed.release_id, changed.product, len(changed.statements)) == ("alibaba:qwen-3", "Qwen 3", 2)


STATEMENTS = st.lists(
    st.builds(
        lambda day, status, expected: statements(
            assessment(f"a{day}", day=day, status=status, expected=expected)
        )["alibaba:qwen-3"].statements[0],
        st.integers(0, 30),
        st.sampled_from(["rumoured", "announced", "delayed", "happened", "denied"]),
        st.sampled_from([None, "2025", "2025-Q2", "2025-04", "2025-05-10"]),
    ),
    unique_by=lambda s: s.article_id,
)


@given(STATEMENTS.flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))))
def test_statements_in_any_order_give_one_state(
    pair: tuple[list[ReleaseStatement], list[ReleaseStatement]],
) -> None:
    made, shuffled = pair
    assert release("r", "alibaba", "Qwen 3", made) == release("r", "alibaba", "Qwen 3", shuffled)


@pytest.mark.parametrize(
    ("product", "pattern"),
    [
        ("Qwen 2.5-Max", "alibaba:qwen-2.5-max"),
        ("文心 4.5", "alibaba:[0-9a-f]{16}"),
        ("x9" * 99, "alibaba:[0-9a-f]{16}"),
    ],
)
def test_every_product_gives_a_valid_release_id(product: str, pattern: str) -> None:
    (release_id,) = statements(assessment("a", product, products={product: "alibaba"}))
    assert re.fullmatch(pattern, release_id)
