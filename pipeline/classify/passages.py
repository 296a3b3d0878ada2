"""The passages in which an article is read: its title with the opening, and the sections of a long text.

What an article is about stands at its top; what else it deals with, under the headings further down. A
section is read like an article of its own with its heading as the title.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

from msgspec import Struct

from .folding import Folded, Range

# What a feed's summary or an article's opening holds, in characters.
LEAD = 1_500
# Below this a text is one passage.
LONG = 3_000
# No article has more; what a hostile one has does not pay.
_MOST = 30
# How far a date reaches over what looks like the end of a sentence (`am 17. April 2025`).
_MARGIN = 24
# A line on its own, of a headline's length, that is neither an item of a list nor the end of a sentence.
_HEADING = re.compile(r"^[ \t]*(?![•*\-–·])(\S[^\n]{6,98}[^\n.;,!\"'\s])[ \t]*$", re.MULTILINE)


class Passage(Struct, frozen=True):
    """A head and the body below it, as ranges of folded fields."""

    head: Range
    body: Range

    def part(self, field: Folded, at: int) -> str:
        """Where an offset lies: `title` in the head, `text` in the body, nothing elsewhere."""
        owner, start, end = self.head
        if owner is field and start <= at < end:
            return "title"
        owner, start, end = self.body
        return "text" if owner is field and start <= at < end else ""


def opening(title: Folded, text: Folded) -> Passage:
    """The title and the first words of the text."""
    return Passage((title, 0, len(title.text)), (text, 0, LEAD))


def sections(text: Folded) -> list[Passage]:
    """The sections of a long text that have a heading, in reading order; none of a short one."""
    if len(text.text) < LONG:
        return []
    headings = [match.span(1) for match in islice(_HEADING.finditer(text.text), _MOST)]
    ends = [start for start, _ in [*headings, (len(text.text), 0)][1:]]
    return [
        Passage((text, start, end), (text, end, min(until, end + LEAD)))
        for (start, end), until in zip(headings, ends, strict=True)
    ]


def around(field: Folded, places: Sequence[Range]) -> list[Range]:
    """The sentences of a field that hold one of these places, in reading order, those that touch in one."""
    starts = [start for owner, start, _ in places if owner is field]
    ends = field.sentences() if starts else []
    held = sorted({bisect_right(ends, start) for start in starts})
    ranges: list[Range] = []
    for number in held:
        start = max(0, (ends[number - 1] if number else 0) - _MARGIN)
        end = ends[min(number, len(ends) - 1)] + _MARGIN
        if ranges and start <= ranges[-1][2]:
            start = ranges.pop()[1]
        ranges.append((field, start, end))
    return ranges
