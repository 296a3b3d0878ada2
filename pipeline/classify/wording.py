"""Amounts of a verdict in words, for people: `about 30 to 40 billion USD`, `0.14 USD per million tokens`."""

from decimal import Decimal

from schemas.messages import Amount

from .numerals import plain

_SCALES = ((12, " trillion"), (9, " billion"), (6, " million"), (0, ""))
_WATTS = ((9, " gigawatts"), (6, " megawatts"), (3, " kilowatts"), (0, " watts"))
_PER = {"user-month": "user per month"}


def in_words(amount: Amount) -> str:
    """An amount in English, exact: no digit is rounded away."""
    values = [Decimal(value) for value in (amount.value, amount.high) if value is not None]
    steps = _WATTS if amount.unit == "watts" else _SCALES
    scaled = [_scaled(value, steps) for value in values]
    if len({scale for _, scale in scaled}) == 1:
        said = " to ".join(figure for figure, _ in scaled) + scaled[0][1]
    else:
        said = " to ".join(figure + scale for figure, scale in scaled)
    words = [said] if steps is _WATTS else [said, amount.unit.replace("-", " ")]
    if amount.qualifier:
        words.insert(0, amount.qualifier)
    if amount.per:
        words.append("per " + _PER.get(amount.per, amount.per.replace("-", " ")))
    return " ".join(words)


def _scaled(value: Decimal, steps: tuple[tuple[int, str], ...]) -> tuple[str, str]:
    power, scale = next((step for step in steps if value >= Decimal(10) ** step[0]), steps[-1])
    whole, _, part = plain(value.scaleb(-power)).partition(".")
    return f"{int(whole):,}" + (f".{part}" if part else ""), scale
