"""Regular expressions of which only those are tried that can match: each needs certain words in the text.

One pass of an automaton tells which of these stand there. To try every pattern of a table took most of the
time of a long text.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from ahocorasick_rs import AhoCorasick, MatchKind

P = TypeVar("P")

# The parts of a pattern, each with its quantifier.
_PIECES = re.compile(
    r"(\\.|\[(?:\\.|[^\]\\])*\]|\(\?P<\w+>|\(\?(?:<?[=!]|:)|.)([?*+]|\{[\d,]+\})?", re.DOTALL
)
_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")
_OPTIONAL = ("?", "*", "{0")


class PatternSet(Generic[P]):
    """Patterns with a payload each, in the order they are given. Raises re.error for what is no pattern."""

    def __init__(self, patterns: Iterable[tuple[str, P]]) -> None:
        self._patterns = [(re.compile(pattern), payload) for pattern, payload in patterns]
        needs: dict[str, set[int]] = {}
        self._always: list[int] = []
        for number, (pattern, _) in enumerate(self._patterns):
            either = needed(pattern.pattern)
            if not either:
                self._always.append(number)
            for word in either:
                needs.setdefault(word, set()).add(number)
        words = sorted(needs)
        self._needs = [needs[word] for word in words]
        self._automaton = AhoCorasick(words, matchkind=MatchKind.Standard)

    def possible(self, text: str) -> list[tuple[re.Pattern[str], P]]:
        """The patterns that may match in a text, in their order; no other one does."""
        numbers = set(self._always)
        for word, *_ in self._automaton.find_matches_as_indexes(text, overlapping=True):
            numbers |= self._needs[word]
        return [self._patterns[number] for number in sorted(numbers)]


def needed(pattern: str) -> frozenset[str]:
    """Strings of which at least one is in all that a pattern matches, the longest there are; or none."""
    words, _ = _needed(iter(_PIECES.findall(pattern)))
    return words


def _needed(pieces: Iterator[tuple[str, str]]) -> tuple[frozenset[str], str]:
    """What the pieces need up to the end of their group, and the group's quantifier."""
    ways, best, run = [], frozenset[str](), ""
    for piece, quantifier in pieces:
        found = frozenset[str]()
        if piece in ("|", ")"):
            ways.append(best)
            best, run = found, ""
            if piece == ")":
                return _either(ways), quantifier
            continue
        if piece in ("^", "$"):
            continue
        if piece.startswith("("):
            found, quantifier = _needed(pieces)
            if piece in _LOOKS:
                continue
            run = ""
        elif len(piece) == 1 and piece != ".":
            run += piece
        elif piece[0] == "\\" and not piece[1].isalnum():
            run += piece[1]
        else:
            run = ""
            if piece[0] == "[" and not set(piece) & set("\\-^"):
                found = frozenset(piece[1:-1])
        if quantifier.startswith(_OPTIONAL):
            run = run[:-1]
            found = frozenset()
        found = found or frozenset({run} if run else ())
        if quantifier:
            run = ""
        if _least(found) > _least(best):
            best = found
    return _either([*ways, best]), ""


def _either(ways: list[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*ways) if all(ways) else frozenset()


def _least(words: frozenset[str]) -> int:
    return min(map(len, words), default=0)
