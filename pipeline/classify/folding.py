"""Texts made comparable: compatibility forms, case, quotes and dashes folded, with the way back.

Offsets found in a folded text are turned into offsets of the original, so that a span is always the
article's own words. Nothing here knows what is looked for.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping

from msgspec import Struct

# Written apart by typesetters and phone keyboards, meant alike by readers.
_ALIKE = dict.fromkeys("‘’ʼ`´", "'") | dict.fromkeys("“”„«»「」『』", '"') | dict.fromkeys("‐‑‒–—−", "-")
# It begins with a class of characters, for which `re` looks five times as fast as for an alternative.
_SENTENCE_END = re.compile(r"[.!?…。;\n](?:(?<=\n)\n*|(?<=[.!?…])[.!?…]*(?=\s|$)|(?<=[。!?;]))")


class _Fold(dict[int, str]):
    """Folded form of a code point, computed once. Never empty: an equal length means equal offsets."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if 0xD800 <= code <= 0xDFFF:
            # A lone surrogate is no text: the automaton takes UTF-8 only.
            folded = "\ufffd"
        else:
            folded = _ALIKE.get(char) or unicodedata.normalize("NFKC", char).lower() or char
        self[code] = folded
        return folded


_FOLD = _Fold()


class _Inner(dict[str, bool]):
    """Whether a character is one of a word written with spaces, computed once."""

    def __missing__(self, char: str) -> bool:
        # Nothing below U+1100 is CJK: most letters need no second look.
        self[char] = inner = char.isalnum() and (char < "\u1100" or not is_cjk(char))
        return inner


INNER = _Inner()


def fold(text: str) -> str:
    """The folded form of a name or phrase."""
    return text.translate(_FOLD)


def _is_regular(char: str) -> bool:
    # Which small letter a sigma has depends on where it stands.
    return _FOLD[ord(char)] == char.lower() and len(char.lower()) == 1 and char != "Σ"


# What is not simply made small; of most scripts that is said of every character.
_CHECKED = map(chr, (*range(0x530), *range(0x3000, 0x3100)))
_ODD = re.compile(
    rf"[^\u4e00-\u9fff\uac00-\ud7a3{re.escape(''.join(char for char in _CHECKED if _is_regular(char)))}]"
)


# No article has more odd characters, each of which is looked for in all of its text.
_FEW = 100


class Folded(Struct, frozen=True, gc=False):
    """A field of an article, folded: `field`, its `original` and `text`, and the way back.

    `wide` are the characters that became several: where each begins in `text`, and there its offset in
    `original` and by how much those behind it have moved.
    """

    field: str
    original: str
    text: str
    wide: tuple[list[int], list[tuple[int, int]]] | None

    @classmethod
    def of(cls, field: str, original: str) -> "Folded":
        if original.isascii():
            return cls(field, original, original.translate(_FOLD), None)
        # As `fold`, for most texts in half of its time or less.
        odd = set(_ODD.findall(original))
        if not odd:
            return cls(field, original, original.lower(), None)
        folds = {char: _FOLD[ord(char)] for char in odd}
        if len(folds) <= _FEW and folds.keys().isdisjoint("".join(folds.values())):
            text = original
            for char, folded in folds.items():
                text = text.replace(char, folded)
            text = text.lower()
        else:
            text = original.translate(_FOLD)
        grown = {char: len(folded) - 1 for char, folded in folds.items() if len(folded) > 1}
        return cls(field, original, text, _wide(original, grown) if grown else None)

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the original of a range of the folded text, widened to whole characters."""
        if self.wide is None:
            return start, end
        return self._back(start, self.wide), self._back(end - 1, self.wide) + 1

    @staticmethod
    def _back(at: int, wide: tuple[list[int], list[tuple[int, int]]]) -> int:
        last = bisect_right(wide[0], at) - 1
        if last < 0:
            return at
        place, moved = wide[1][last]
        return max(place, at - moved)

    def sentences(self) -> list[int]:
        """Where sentences end, in order, the last one included."""
        return [*(stop.end() for stop in _SENTENCE_END.finditer(self.text)), len(self.text)]

    def sentence_end(self, at: int, limit: int) -> int:
        """Where the sentence around an offset of the folded text ends, at most `limit`."""
        stop = _SENTENCE_END.search(self.text, at, limit)
        return stop.start() if stop else min(limit, len(self.text))


def _wide(original: str, grown: Mapping[str, int]) -> tuple[list[int], list[tuple[int, int]]]:
    """The wide characters of a text: those that have `grown`, and by how much."""
    begins, places, moved = [], [], 0
    for match in _ODD.finditer(original):
        if more := grown.get(match[0]):
            begins.append(match.start() + moved)
            moved += more
            places.append((match.start(), moved))
    return begins, places


Range = tuple[Folded, int, int]


def is_cjk(char: str) -> bool:
    """Han, kana and hangul are written without a space between a name and what follows."""
    code = ord(char)
    return code >= 0x1100 and (
        0x3040 <= code <= 0x30FF
        or 0x3400 <= code <= 0x9FFF
        or 0xAC00 <= code <= 0xD7AF
        or 0x1100 <= code <= 0x11FF
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFF
    )


def is_inner(text: str, at: int) -> bool:
    """Whether the character at an offset would continue a word written with spaces."""
    # Nothing below U+1100 is CJK: most letters need no second look.
    return 0 <= at < len(text) and INNER[text[at]]
