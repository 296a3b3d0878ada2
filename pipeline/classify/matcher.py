"""All phrases of the lexicon found in one pass over a text.

An Aho-Corasick automaton reports every occurrence, overlapping ones too; a boundary filter of our own
keeps those that stand for themselves (a Unicode word boundary would miss `阿里Qwen发布`).
What an occurrence means is decided elsewhere: a phrase carries an opaque payload.
"""

from collections import defaultdict
from typing import Generic, TypeVar

from ahocorasick_rs import AhoCorasick, MatchKind
from msgspec import Struct

from .folding import INNER, Folded, fold, is_inner

P = TypeVar("P")
# How far apart the two halves of a phrase with a gap may stand: `stellt ... vor`, `raises ... in funding`.
_REACH = 90


class Hit(Struct, Generic[P], frozen=True, gc=False):
    """A phrase found: its field, the range in the folded text and the phrase's payload."""

    field: Folded
    start: int
    end: int
    payload: P


# How a phrase may stand in words: open at its start, its end or behind the gap, with a genitive; and whether
# it is reported with the rest of its word.
_OPEN_START, _OPEN_END, _INFLECT, _STEM, _OPEN_REST = 1, 2, 4, 8, 16


class PhraseMatcher(Generic[P]):
    """Finds phrases. Add all, then `compile()` once."""

    def __init__(self) -> None:
        # By their (first) words: how they may stand, the words behind a gap, the payload.
        self._phrases: dict[str, list[tuple[int, str, P]]] = defaultdict(list)
        self._automaton: AhoCorasick | None = None
        self._order: list[tuple[tuple[int, str, P], ...]] = []
        self._open = b""

    def add(self, phrase: str, payload: P, *, inflect: bool = False, whole: bool = False) -> None:
        """Look for `phrase` (`*` leaves an end open, ` ~ ` is a gap within a sentence).

        `whole` reports an open end with the rest of its word: evidence is shown in words.
        """
        head, _, rest = phrase.partition(" ~ ")
        key = fold(head.strip("*"))
        # No space need stand around a mark or a Chinese word, and Korean particles follow a name at once.
        flags = _OPEN_START * (head[0] == "*" or not INNER[key[0]]) | _INFLECT * inflect
        flags |= _OPEN_END * (head[-1] == "*" or not INNER[key[-1]]) | _STEM * (whole and phrase[-1] == "*")
        rest = fold(rest)
        if rest and not INNER[rest[-1]]:  # its own `*`, too
            flags |= _OPEN_REST
        self._phrases[key].append((flags, rest.rstrip("*"), payload))

    def compile(self) -> None:
        """Build the automaton; phrases are ordered, so that the order of files does not matter."""
        keys = sorted(self._phrases)
        self._order = [tuple(self._phrases[key]) for key in keys]
        self._open = bytes(any(flags & _OPEN_START for flags, *_ in phrases) for phrases in self._order)
        self._automaton = AhoCorasick(keys, matchkind=MatchKind.Standard) if keys else None

    def find(self, field: Folded) -> list[Hit[P]]:
        """Every occurrence, by end and then by phrase."""
        found: list[Hit[P]] = []
        if self._automaton is None:
            return found
        text = field.text
        size = len(text)
        for index, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            # Most of what the automaton reports lies inside a word: that is told first, and cheaply.
            inner_start = start > 0 and INNER[text[start - 1]]
            if inner_start and not self._open[index]:
                continue
            inner_end = end < size and INNER[text[end]]
            limit = 0
            for flags, rest, payload in self._order[index]:
                if inner_start and not flags & _OPEN_START:
                    continue
                if inner_end and not flags & _OPEN_END and not (flags & _INFLECT and _genitive(text, end)):
                    continue
                until = end
                if rest:
                    if text.find(rest, end, end + _REACH) < 0:
                        continue
                    limit = limit or field.sentence_end(end, end + _REACH)
                    until = _second_half(text, end, limit, rest, flags & _OPEN_REST)
                    if not until:
                        continue
                if flags & _STEM:
                    until = _end_of_word(text, until)
                found.append(Hit(field, start, until, payload))
        return found


def _end_of_word(text: str, at: int) -> int:
    size = len(text)
    while at < size and INNER[text[at]]:
        at += 1
    return at


def _genitive(text: str, at: int) -> bool:
    return text[at] == "s" and text[at - 1] != "s" and not is_inner(text, at + 1)


def _second_half(text: str, at: int, limit: int, rest: str, is_open: int) -> int:
    """Where a phrase's second half ends, 0 if it does not follow before `limit`, its sentence's end."""
    found = text.find(rest, at, limit)
    while found >= 0:
        end = found + len(rest)
        free_start = not is_inner(text, found - 1) or not INNER[rest[0]]
        if free_start and (is_open or not is_inner(text, end)):
            return end
        found = text.find(rest, found + 1, limit)
    return 0
