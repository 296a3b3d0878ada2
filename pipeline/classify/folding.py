"""Texts made comparable: compatibility forms, case, quotes and dashes folded, with the way back.

Offsets found in a folded text are turned into offsets of the original, so that a span is always the
article's own words. Nothing here knows what is looked for.
"""

import re
import unicodedata
from bisect import bisect_right
from itertools import accumulate

from msgspec import Struct

# Written apart by typesetters and phone keyboards, meant alike by readers.
_ALIKE = dict.fromkeys("‘’ʼ`´", "'") | dict.fromkeys("“”„«»「」『』", '"') | dict.fromkeys("‐‑‒–—−", "-")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)|[。!?;]|\n+")


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


class Folded(Struct, frozen=True):
    """A field of an article, folded: `field`, its `original` and `text`, and the way back."""

    field: str
    original: str
    text: str
    starts: list[int] | None

    @classmethod
    def of(cls, field: str, original: str) -> "Folded":
        text = original.translate(_FOLD)
        starts = None
        if len(text) != len(original):
            lengths = map(len, map(_FOLD.__getitem__, map(ord, original)))
            starts = list(accumulate(lengths, initial=0))[:-1]
        return cls(field, original, text, starts)

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the original of a range of the folded text, widened to whole characters."""
        if self.starts is None:
            return start, end
        return bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1)

    def sentences(self) -> list[int]:
        """Where sentences end, in order, the last one included."""
        return [*(stop.end() for stop in _SENTENCE_END.finditer(self.text)), len(self.text)]

    def sentence_end(self, at: int, limit: int) -> int:
        """Where the sentence around an offset of the folded text ends, at most `limit`."""
        stop = _SENTENCE_END.search(self.text, at, limit)
        return stop.start() if stop else min(limit, len(self.text))


Range = tuple[Folded, int, int]


def is_cjk(char: str) -> bool:
    """Han, kana and hangul are written without a space between a name and what follows."""
    code = ord(char)
    return (
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
