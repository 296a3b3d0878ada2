"""From a text and marked places in it to pieces that carry their marks. Pure; knows no HTML and no verdicts.

Marks may overlap in any way: the text is cut at every edge of a mark, and each piece carries all over it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

_REACH = 16  # how far a cut may move to fall between words; longer than most words that have spaces around


@dataclass(frozen=True)
class Mark:
    """`text[start:end]` carries `label`. `kind` says what sort of label it is."""

    start: int
    end: int
    kind: str
    label: str


@dataclass(frozen=True)
class Piece:
    """A part of a text and what it carries, in the marks' order."""

    text: str
    marks: tuple[Mark, ...] = ()

    @property
    def kinds(self) -> str:
        """The kinds it carries, each once, with spaces between: the classes of an element."""
        return " ".join(dict.fromkeys(m.kind for m in self.marks))

    @property
    def title(self) -> str:
        """Everything it carries, in words."""
        return " · ".join(dict.fromkeys(f"{m.kind}: {m.label}" for m in self.marks))


GAP = Piece("…")
"""Stands for what an excerpt leaves out."""


def highlight(text: str, marks: Iterable[Mark]) -> list[Piece]:
    """The whole text in pieces. Marks that are empty or reach outside of the text are left out."""
    inside = [m for m in marks if 0 <= m.start < m.end <= len(text)]
    cuts = sorted({0, len(text)}.union(*((m.start, m.end) for m in inside)))
    return [
        Piece(text[a:b], tuple(m for m in inside if m.start <= a and b <= m.end)) for a, b in pairwise(cuts)
    ]


def excerpt(text: str, marks: Iterable[Mark], around: int = 80, limit: int = 360) -> list[Piece]:
    """A text of up to `limit` characters whole; of a longer one the marks with some words around.

    `around` is how many characters on both sides. Where nothing is marked it is the beginning. Cuts fall
    between words where there are any.
    """
    if len(text) <= limit:
        return highlight(text, marks)
    marks = list(marks)
    shown: list[Piece] = []
    left, reached = limit, 0
    for start, end in _windows(text, marks, around, limit):
        if left <= 0:
            break
        end = min(end, _after_word(text, start + left))
        clipped = (replace(m, start=max(m.start, start) - start, end=min(m.end, end) - start) for m in marks)
        if start > reached:
            shown.append(GAP)
        shown += highlight(text[start:end], clipped)
        left, reached = left - (end - start), end
    return [*shown, GAP] if reached < len(text) else shown


def _windows(text: str, marks: Iterable[Mark], around: int, limit: int) -> Iterator[tuple[int, int]]:
    """Places worth showing, in order, with space between them."""
    places = sorted((m.start, m.end) for m in marks) or [(0, limit - around)]
    start, end = None, 0
    for a, b in places:
        begin, stop = _before_word(text, a - around), _after_word(text, b + around)
        if start is None:
            start, end = begin, stop
        elif begin <= end:
            end = max(end, stop)
        else:
            yield start, end
            start, end = begin, stop
    if start is not None:
        yield start, end


def _before_word(text: str, at: int) -> int:
    at = max(at, 0)
    spaces = [i for i in range(max(at - _REACH, 0), at) if text[i].isspace()]
    if spaces:
        return spaces[-1] + 1
    return at if at > _REACH else 0


def _after_word(text: str, at: int) -> int:
    reach = min(at + _REACH, len(text))
    spaces = [i for i in range(at, reach) if text[i].isspace()]
    if spaces:
        return spaces[0]
    return at if reach < len(text) else len(text)
