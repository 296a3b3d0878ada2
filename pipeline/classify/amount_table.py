"""The words of amounts: the shape of `tables/amounts.yaml`, and the table made ready to look things up in."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from .folding import fold
from .numerals import Endings, Words, alternatives

# What no text in simplified characters has and nearly every one in traditional ones.
_TRADITIONAL = "億萬們這說"


class Unit(Struct, frozen=True, forbid_unknown_fields=True):
    """What a figure counts: words `before` and `after` it, and those that count it behind a scale only."""

    kind: str
    unit: str
    exponent: int = 0
    before: list[str] = []
    after: list[str] = []
    scaled: list[str] = []


class Per(Struct, frozen=True, forbid_unknown_fields=True):
    """What money is for: patterns behind it, with a `lead` or alone, and words before it."""

    unit: str
    after: str
    alone: str = ""
    before: list[str] = []


class Around(Struct, frozen=True, forbid_unknown_fields=True):
    """Words that make a figure inexact; `exact` ones only look like it."""

    about: list[str] = []
    over: list[str] = []
    under: list[str] = []
    exact: list[str] = []

    def words(self) -> Iterator[tuple[str, str]]:
        """Each with the name of its list."""
        for name in ("about", "over", "under", "exact"):
            yield from ((word, name) for word in getattr(self, name))


class Sides(Struct, frozen=True, forbid_unknown_fields=True):
    """Words that stand before and after a figure."""

    before: list[str]
    after: list[str]


class AmountTable(Struct, frozen=True, forbid_unknown_fields=True, rename={"not_": "not", "from_": "from"}):
    """The file; its comments say what each part is for."""

    comma: list[str]
    spaces: list[str]
    either: list[str]
    scales: dict[str, int]
    short: dict[str, int]
    local: dict[str, dict[str, int]]
    one: dict[str, dict[str, int]]
    words: dict[str, Decimal]
    units: list[Unit]
    signs: dict[str, dict[str, str]]
    not_: list[str]
    to: list[str]
    both: list[str]
    between: list[str]
    from_: list[str]
    before: Around
    after: Around
    more: list[str]
    vague: list[str]
    leads: list[str]
    lead: str
    fillers: list[str]
    per: list[Per]
    not_parameters: Sides


class Habits(Struct, frozen=True):
    """How a language writes figures; `signs` and `scales` are what words mean in it alone.

    `foreign` is a word whose meaning the text at hand does not tell.
    """

    language: str
    comma: bool
    spaces: bool
    either: bool
    signs: Mapping[str, str]
    scales: Mapping[str, int]
    one: Mapping[str, int]
    foreign: str = ""


class Vocabulary:
    """A table, ready: `Words` begin at a place, `Endings` end there."""

    def __init__(self, table: AmountTable) -> None:
        self._table = table
        units = [*table.units, *(Unit("money", sign, before=[sign], after=[sign]) for sign in table.signs)]
        self.parameters = Unit("parameters", "parameters")
        self._units = {fold(word): unit for unit in units for word in chain(unit.after, unit.scaled)}
        self._scaled = {fold(word) for unit in units for word in unit.scaled}
        self._scales = {fold(word): power for word, power in chain(table.scales.items(), table.short.items())}
        self.behind = re.compile(self._behind(), re.VERBOSE).match
        self._other = _words(table.not_)
        self._other_firsts = frozenset(word[0] for word in self._other.values)
        self.ahead = Words((word, unit) for unit in units for word in unit.before)
        self._ahead = Endings((word, unit) for unit in units for word in unit.before)
        self.numbers = Endings(table.words.items())
        self.scales = Words(table.scales.items())
        self.vague = _endings(table.vague)
        self.leads = _endings(table.leads)
        self.to = _words(table.to)
        self.both = _words(table.both)
        self.links = re.compile(
            f"(?:{self.to.pattern}|{self.both.pattern})(?:{self.ahead.pattern} ?)?[0-9]"
        ).match
        self.between = _endings(table.between)
        self.starting = _endings(table.from_)
        self.before = Endings(table.before.words())
        self.after = Words(table.after.words())
        self.not_before = _endings(table.not_parameters.before)
        self.not_after = _words(table.not_parameters.after)
        self._fillers = _endings(table.fillers)
        self._per = [per.unit for per in table.per] * 2
        led = "|".join(f"({per.after})(?![a-z])" for per in table.per)
        alone = "|".join(f"({per.alone or '(?!)'})(?![a-z])" for per in table.per)
        self._per_after = re.compile(f"{table.lead}(?:{led})|{alone}").match
        self._per_before = Endings((word, per.unit) for per in table.per for word in per.before)
        self._habits = {
            language: self._read(language)
            for language in {*table.comma, *table.spaces, *table.either, *table.local, *table.one}
            | {language for meanings in table.signs.values() for language in meanings}
        }

    def _behind(self) -> str:
        table = self._table
        more = f"[{re.escape(''.join(table.more))}]"
        latin = [word for word in self._scales if word[0] < "\u1100"]
        chars = "".join(word for word in self._scales if word[0] >= "\u1100")
        # 兆瓦 and 百分点 are units and begin with a scale.
        unlike = alternatives(word for word in self._units if word[0] in chars)
        units = alternatives(self._units)
        begins = re.escape("".join(sorted({word[0] for word in chain(self._units, self._scales)})))
        return rf"""
            (?=[ -]?[{begins}]|{more})
            (?P<more>{more})?
            (?:[ -]?(?:
                (?P<scale>(?:(?!{unlike})[{chars}]){{1,3}}|{alternatives(latin)})
                (?P<over>{more})?
                (?:(?:[ -]|\ (?:de|di|of)\ |\ d')?(?P<unit>{units}))?
            |
                (?P<bare>{units})
            ))?
            (?(scale)|(?(bare)|(?(more)|(?!))))
        """

    def habits(self, language: str, texts: Iterable[str]) -> Habits:
        """How a language writes figures in these texts; one that is not known, as English does."""
        habits = self._habits.get(language) or self._read(language)
        if language == "zh" and any(char in text for text in texts for char in _TRADITIONAL):
            # In Taipei and Hong Kong 元 is not Beijing's.
            return replace(habits, foreign="元")
        return habits

    def is_other(self, text: str, at: int) -> bool:
        """Whether a word begins here that only looks like one of an amount."""
        return text[at] in self._other_firsts and self._other.at(text, at) is not None

    def power(self, scale: str, value: Decimal, habits: Habits) -> int:
        """The power of ten of a scale behind a value; Chinese and Korean ones multiply (`万亿`)."""
        if value == 1 and scale in habits.one:
            return habits.one[scale]
        if scale in habits.scales:
            return habits.scales[scale]
        known = self._scales.get(scale)
        return known if known is not None else sum(self._scales[char] for char in scale)

    def unit(self, word: str, habits: Habits, *, scaled: bool) -> Unit | None:
        """What a word behind a number counts, `scaled`: behind its scale."""
        if word == habits.foreign or (word in self._scaled and not scaled):
            return None
        return _meant(self._units[word], habits)

    def unit_before(self, text: str, at: int, habits: Habits) -> tuple[int, Unit] | None:
        """The unit whose word ends before an offset (`$40`), and where it begins."""
        hit = self._ahead.before(text, at)
        # `X$40` is a currency nobody knows.
        if hit is None or (hit[0] and text[hit[0]] == "$" and text[hit[0] - 1].isalpha()):
            return None
        unit = _meant(hit[1], habits)
        return None if unit is None else (hit[0], unit)

    def per_after(self, text: str, at: int) -> tuple[int, str] | None:
        """What money that ends here is for, and where that ends."""
        match = self._per_after(text, at)
        return None if match is None else (match.end(), self._per[(match.lastindex or 1) - 1])

    def per_before(self, text: str, at: int) -> tuple[int, str] | None:
        """What money that begins here is for, and where that begins."""
        filler = self._fillers.before(text, at)
        return (filler and self._per_before.before(text, filler[0])) or self._per_before.before(text, at)

    def _read(self, language: str) -> Habits:
        table = self._table
        return Habits(
            language,
            comma=language in table.comma,
            spaces=language in table.spaces,
            either=language in table.either,
            signs={
                sign: meanings[language] for sign, meanings in table.signs.items() if language in meanings
            },
            scales=table.local.get(language, {}),
            one=table.one.get(language, {}),
        )


def _meant(unit: Unit, habits: Habits) -> Unit | None:
    """The unit, or what its sign means in the language at hand."""
    if unit.unit.isascii():
        return unit
    return Unit("money", habits.signs[unit.unit]) if unit.unit in habits.signs else None


def _words(words: Iterable[str]) -> Words[None]:
    return Words((word, None) for word in words)


def _endings(words: Iterable[str]) -> Endings[None]:
    return Endings((word, None) for word in words)
