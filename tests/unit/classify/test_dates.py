"""Dates: what is not looked for could not have been found."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from pipeline.assets import folder
from pipeline.classify.dates import DateReader, DateTable
from pipeline.classify.folding import Folded
from pipeline.classify.lexicon import table
from pipeline.classify.patterns import needs

TABLE = table("dates.yaml", folder("tables"), DateTable)
WORDS = sorted(
    {word for expression in TABLE.expressions for need in needs(expression.pattern) for word in need}
    - {"MONTH", "WEEKDAY"}
    | set(TABLE.months)
    | set(TABLE.weekdays)
    | {"2025", "2026年", "q3", "3", "17", ".", "-", "in ", "by ", "下", "월", "月", "日", "first half of "}
)


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["", " "]))
def test_what_is_not_looked_for_is_not_there(words: list[str], between: str) -> None:
    field = Folded.of("text", between.join(words))
    quick, thorough = DateReader(TABLE), DateReader(TABLE)
    patterns = thorough._expressions
    patterns.possible = lambda text: patterns._patterns
    ranges, published = [(field, 0, len(field.text))], date(2025, 4, 14)
    assert quick.read(ranges, published) == thorough.read(ranges, published)
