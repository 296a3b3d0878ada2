"""What a pattern needs stands in all that it matches."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.classify.patterns import PatternSet, begins, needs


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("next week|下个?季度", [{"next week", "季度"}]),
        (r"(?:in|within) three months", [{" three months"}, {"in", "within"}]),
        (r"(?<!\d)(?P<day>\d{1,2})\. ?x+", [{"."}]),
        (r"(?P<day>\d+)\.(?P<year>20\d\d)", [{"20"}]),
        (r"[ab]c(?:d|e)f?gh", [{"gh"}]),
        (r"^(?:solving|learning)\s", [{"solving", "learning"}]),
        (r"[$€] ?\d", [{"$", "€"}]),
        (r"(?:may )?(?:ab|)\d", []),
        (r"20\d(?=要|将)", [{"20"}, {"要", "将"}]),
        (r"(?=abc)x|(?!q)y", [{"abc", "y"}]),
        (r"ab{2}c|d{0,3}e", [{"ab", "e"}]),
        (r"(?:ab)?c", [{"c"}]),
        (r"\w+[a-z]", []),
        ("a+?b", []),
        ("a{,3}b", []),
        ("(?i)abc", []),
        (r"\x41b", []),
        ("[]ab]c", []),
    ],
)
def test_words_that_a_pattern_needs(pattern: str, needed: list[set[str]]) -> None:
    assert needs(pattern) == needed


PIECES = st.recursive(
    st.sampled_from(["a", "b", "ab", "[ab]", "[^a]", ".", r"\.", r"\w", "a?", "b*", "a+", "a{2}", "^", "$"]),
    lambda inner: (
        st.builds("({}{})".format, st.just("?:"), st.lists(inner, min_size=1, max_size=3).map("|".join))
        | st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.builds("(?:{}){}".format, inner, st.sampled_from(["?", "*", "+", "{2}"]))
        | st.builds("(?={}){}".format, inner, inner)
    ),
    max_leaves=8,
)


@given(PIECES, st.text("ab.c", max_size=8))
def test_a_pattern_matches_nothing_without_its_words(pattern: str, text: str) -> None:
    if re.search(pattern, text):
        assert all(any(word in text for word in need) for need in needs(pattern))


def test_patterns_that_may_match_come_in_the_order_given() -> None:
    patterns = PatternSet([("b", 1), (r"\d", 2), ("a|c", 3), ("x", 4)])
    assert [payload for _, payload in patterns.possible("cab")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("pattern", "begun"),
    [("^a", True), ("^(?:a|b)c", True), ("^a|b", False), ("^[a|b]", True), (r"^a\|b", True), ("a^", False)],
)
def test_a_pattern_begins_so_where_all_its_ways_do(pattern: str, begun: bool) -> None:
    assert begins(pattern, "^") is begun
