"""Numbers as they are written: digits with the separators of a language, and Chinese and Korean numerals.

What a number counts is not known here (amounts.py).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any, Generic, TypeVar

from .folding import fold, is_inner

T = TypeVar("T")

# One digit first, so that the search runs over everything else at once; each part has an end.
NUMBER = re.compile(
    r"[0-9](?<![0-9_][0-9])(?<![0-9][.,'][0-9])[0-9]{0,14}"
    r"(?:[.,' ][0-9]{3}(?![0-9])){0,5}(?:[.,][0-9]{1,14}(?![0-9]))?"
)
# A letter or digit of the scripts the words are in. By its ranges: a class with a category in it, or one of
# all scripts, takes a millisecond to compile, and this one stands behind hundreds of words.
_NO_LETTER = r"(?![0-9_a-z\u00df-\u00f6\u00f8-\u052f])"
_DIGITS = {char: value for value, chars in enumerate("零一二三四五六七八九") for char in chars} | {
    char: value for value, char in enumerate("영일이삼사오육칠팔구")
}
_DIGITS |= {"〇": 0, "两": 2, "兩": 2}
_TENS = {"十": 1, "百": 2, "千": 3, "십": 1, "백": 2, "천": 3}
_MYRIADS = {"万": 4, "萬": 4, "만": 4, "亿": 8, "億": 8, "억": 8, "兆": 12, "조": 12}
_NUMERALS, _SCALES = "".join(chain(_DIGITS, _TENS, _MYRIADS)), "".join(_MYRIADS)
_NUMERAL = re.compile(f"[{_NUMERALS}]{{1,15}}[{_SCALES}]")
_SHARE = re.compile(f"百分之([{_NUMERALS}]{{1,8}})")
# What every scale in Latin letters has in it, million to triliões.
_STEMS = {"es": ("illi", "illo", "illó"), "pt": ("ilhã", "ilhõ", "iliã", "iliõ")}
# More digits are no figure of an article, and would not stand in the contract.
_DIGITS_MOST = 21


class Words(Generic[T]):
    """Words with a value each, found at a place of a folded text; the longest that fits."""

    def __init__(self, words: Iterable[tuple[str, T]]) -> None:
        self.values = {fold(word): value for word, value in words}
        self.pattern = alternatives(self.values)
        self._match = re.compile(self.pattern).match

    def at(self, text: str, at: int) -> tuple[int, T] | None:
        """The end and the value of the word that begins at an offset."""
        match = self._match(text, at)
        return None if match is None else (match.end(), self.values[match[0]])


class Endings(Generic[T]):
    """Words with a value each, found where they end; the longest that fits."""

    def __init__(self, words: Iterable[tuple[str, T]]) -> None:
        # By their last two characters: most places are told by these to have none.
        self._by_tail: dict[str, list[tuple[str, bool, T]]] = {}
        for word, value in sorted(((fold(w), v) for w, v in words), key=lambda item: -len(item[0])):
            self._by_tail.setdefault(word[-2:], []).append((word, is_inner(word, 0), value))
        self.lasts = frozenset(tail[-1] for tail in self._by_tail)

    def before(self, text: str, at: int) -> tuple[int, T] | None:
        """The start and the value of the word that ends at an offset, a space between allowed."""
        last = text[at - 1 : at]
        if last == " ":
            at -= 1
            last = text[at - 1 : at]
        if last not in self.lasts:
            return None
        tail = text[at - 2 : at] if at > 1 else last
        for key in (tail, last):
            for word, bounded, value in self._by_tail.get(key, ()):
                start = at - len(word)
                if text.startswith(word, max(start, 0)) and not (bounded and is_inner(text, start - 1)):
                    return start, value
        return None


def alternatives(words: Iterable[str]) -> str:
    """A pattern of folded words that takes the longest, and no beginning of a longer word.

    A tree of their characters: what does not fit is told by its first one.
    """
    tree: dict[str, Any] = {}
    for word in words:
        node = tree
        for char in word:
            node = node.setdefault(char, {})
        node[""] = _NO_LETTER if is_inner(word, len(word) - 1) else ""
    return "".join(_branches(tree))


def _branches(tree: Mapping[str, Any]) -> tuple[str, str]:
    """The pattern of a tree, and what is to follow it: once for all its words, as it is slow to compile."""
    longer = [(char, *_branches(node)) for char, node in sorted(tree.items()) if char]
    if "" in tree:
        longer.append(("", "", tree[""]))
    ends = {end for *_, end in longer}
    end = ends.pop() if len(ends) == 1 else None
    words = [re.escape(char) + below + (own if end is None else "") for char, below, own in longer]
    return words[0] if len(words) == 1 else f"(?:{'|'.join(words)})", end or ""


def decimal(raw: str, *, comma: bool, either: bool = False) -> Decimal | None:
    """The value of digits with separators; None for what is no number (`1.2.34`).

    `comma`: the language writes a decimal comma; `either`: three digits behind one are thousands then too.
    """
    if raw.isdigit():
        return Decimal(raw)
    plain = raw.replace(" ", "").replace("'", "")
    dots, commas = plain.count("."), plain.count(",")
    if dots and commas:
        # The one that stands last is the decimal one.
        mark, other = (".", ",") if plain.rfind(".") > plain.rfind(",") else (",", ".")
        if plain.count(mark) > 1:
            return None
        plain = plain.replace(other, "").replace(mark, ".")
    elif dots + commas > 1:
        if any(len(part) != 3 for part in re.split("[.,]", plain)[1:]):
            return None
        plain = plain.replace(".", "").replace(",", "")
    elif dots + commas:
        mark = "." if dots else ","
        whole, part = plain.split(mark)
        grouping = (mark == ".") if comma else (mark == ",")
        if len(part) == 3 and len(whole) <= 3 and whole[0] != "0" and (grouping or (either and commas)):
            plain = whole + part
        else:
            plain = f"{whole}.{part}"
    return Decimal(plain) if len(plain) <= _DIGITS_MOST else None


def cjk_numeral(text: str) -> Decimal | None:
    """The value of a numeral in Chinese characters or hangul; None for a row of digits or no number."""
    total = section = 0
    digit: int | None = None
    for char in text:
        if char in _DIGITS:
            if digit:
                return None
            digit = _DIGITS[char]
        elif char in _TENS:
            section += (1 if digit is None else digit) * 10 ** _TENS[char]
            digit = None
        else:
            section += digit or 0
            power = 10 ** _MYRIADS[char]
            # 万亿: all that stands before it is multiplied; 三亿五千万: only what stands between.
            total = (
                total + section * power if section and total >= power else ((total + section) or 1) * power
            )
            section, digit = 0, None
    value = total + section + (digit or 0)
    return Decimal(value) if 0 < value < 10**_DIGITS_MOST else None


def spelled(
    text: str, language: str, words: Endings[Decimal], vague: Endings[None]
) -> Iterator[tuple[int, int, Decimal]]:
    """Numbers in words before a scale (`two billion`), and Chinese or Korean numerals, with their places."""
    for stem in _STEMS.get(language, ("illi",)):
        at = text.find(stem)
        while at > 0:
            scale = at
            while scale and at - scale < 3 and is_inner(text, scale - 1):
                scale -= 1
            if (hit := _worded(text, scale - 1, words)) and not vague.before(text, hit[0]):
                yield hit[0], scale - 1, hit[1]
            at = text.find(stem, at + 1)
    if language not in ("zh", "ja", "ko"):
        return
    for pattern, group in ((_NUMERAL, 0), (_SHARE, 1)):
        for numeral in pattern.finditer(text):
            start, end = numeral.span(group)
            value = cjk_numeral(numeral[group])
            if value is not None and not (_is_digit(text, start - 1) or vague.before(text, start)):
                yield start, end, value


def _is_digit(text: str, at: int) -> bool:
    """Whether the figure has begun in digits (`3千万`)."""
    return text[at : at + 1].isdigit() or (text[at : at + 1] == " " and text[at - 1 : at].isdigit())


def _worded(text: str, end: int, words: Endings[Decimal]) -> tuple[int, Decimal] | None:
    """A number in words that ends right there, two words at most that belong together (`two hundred`)."""
    if end < 1 or text[end] not in " -" or (hit := words.before(text, end)) is None:
        return None
    start, value = hit
    if (more := words.before(text, start - 1 if text[start - 1 : start] == "-" else start)) is not None:
        if value in (100, 1000) and more[1] < 100:
            return more[0], more[1] * value
        if value < 10 and more[1] >= 20 and more[1] % 10 == 0:
            return more[0], more[1] + value
    return start, value


def plain(value: Decimal) -> str:
    """A value as the contract writes it: no exponent, no zeros at the end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
