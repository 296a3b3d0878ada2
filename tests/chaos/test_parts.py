"""The harness's own parts: what is a function of the seed, and how clusterings are compared."""

from collections import Counter

import pytest

from tests.chaos.likeness import b_cubed
from tests.chaos.load import Sort, canaries, inputs
from tests.chaos.plan import KILLS, OTHERS, plan


def test_a_course_is_a_function_of_its_seed() -> None:
    assert inputs(3, 500) == inputs(3, 500) != inputs(4, 500)
    assert plan(3, 20, 5000) == plan(3, 20, 5000) != plan(4, 20, 5000)
    assert canaries(3, 7, 12) == canaries(3, 7, 12)


def test_every_kind_is_dealt_and_in_the_order_of_records() -> None:
    steps = plan(1, len(KILLS), 5000)
    assert Counter(s.whom for s in steps if s.how == "kill") == Counter(KILLS)
    assert {(s.how, s.whom) for s in steps} >= set(OTHERS)
    assert [s.after for s in steps] == sorted(s.after for s in steps)
    assert steps[-1].after < 5000
    assert sum(s.how == "kill" for s in plan(1, 47, 5000)) == 47


def test_the_load_has_all_sorts_and_new_articles_for_the_most_part() -> None:
    made = inputs(5, 2000)
    sorts = Counter(one.sort for one in made)
    assert sorts[Sort.GOOD] > 1800
    assert min(sorts[Sort.BAD], sorts[Sort.HOSTILE]) > 0
    assert [one.number for one in made] == list(range(2000))
    kinds = Counter(one.article["kind"] for one in made if one.article)
    assert min(kinds["revision"], kinds["sighting"]) > 50


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        ({"a": "1", "b": "1", "c": "2"}, 1.0),
        ({"a": "x", "b": "x", "c": "y"}, 1.0),
        ({"a": "1", "b": "2", "c": "3"}, 0.8),  # precision 1, recall (1/2 + 1/2 + 1) / 3
        ({"a": "1", "b": "1"}, 2 / 3),
        ({}, 0.0),
    ],
)
def test_b_cubed(other: dict[str, str], wanted: float) -> None:
    one = {"a": "1", "b": "1", "c": "2"}
    assert b_cubed(one, other) == pytest.approx(wanted)
    assert b_cubed(other, one) == pytest.approx(wanted)
