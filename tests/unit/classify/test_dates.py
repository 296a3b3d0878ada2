"""Dates: what is not looked for could not have been found."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assets import folder
from pipeline.classify.dates import DateReader, DateTable, _literals
from pipeline.classify.folding import Folded
from pipeline.classify.lexicon import table

TABLE = table("dates.yaml", folder("tables"), DateTable)
WORDS = sorted(
    {literal for expression in TABLE.expressions for literal in _literals(expression.pattern)}
    | set(TABLE.months)
    | set(TABLE.weekdays)
    | {"2025", "2026年", "q3", "3", "17", ".", "-", "in ", "by ", "下", "월", "月", "日", "first half of "}
)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("next week|下个?季度", ["next week", "季度"]),
        (r"(?:in|within) three months", [" three months"]),
        (r"(?<!\d)(?P<day>\d{1,2})\. ?x+", [""]),
        (r"[ab]c(?:d|e)f?gh", ["gh"]),
    ],
)
def test_a_literal_is_in_all_that_an_alternative_matches(pattern: str, literals: list[str]) -> None:
    assert _literals(pattern) == literals


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["", " "]))
def test_what_is_not_looked_for_is_not_there(words: list[str], between: str) -> None:
    field = Folded.of("text", between.join(words))
    quick, thorough = DateReader(TABLE), DateReader(TABLE)
    thorough._expressions = [(p, e, False, False, [""]) for p, e, *_ in thorough._expressions]
    ranges, published = [(field, 0, len(field.text))], date(2025, 4, 14)
    assert quick.read(ranges, published) == thorough.read(ranges, published)
