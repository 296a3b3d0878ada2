"""Regular expressions of which only those are tried that can match: each needs certain words in the text.

One pass of an automaton tells which of these stand there. To try every pattern of a table took most of the
time of a long text.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from ahocorasick_rs import AhoCorasick, MatchKind

P = TypeVar("P")
Need = frozenset[str]

# The parts of a pattern, each with its quantifier.
_PIECES = re.compile(
    r"(\\.|\[(?:\\.|[^\]\\])*\]|\(\?P<\w+>|\(\?(?:<?[=!]|:)|.)([?*+]|\{[\d,]+\})?", re.DOTALL
)
# What is ahead must be there, too; what is not, or before, may not be.
_LOOKS = ("(?!", "(?<=", "(?<!")
_OPTIONAL = ("?", "*", "{0")
# Syntax that is not read here, or may not be: such a pattern is always tried.
_UNREAD = re.compile(r"\(\?(?!P<|<?[=!]|:)|\\[NUux0-9]|\[\^?\]|[?*+}][?+]|\{,")


class PatternSet(Generic[P]):
    """Patterns with a payload each, in the order they are given. Raises re.error for what is no pattern."""

    def __init__(self, patterns: Iterable[tuple[str, P]]) -> None:
        self._patterns = [(re.compile(pattern), payload) for pattern, payload in patterns]
        # Every need of a pattern is a bit.
        self._every: list[int] = []
        uses: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, (pattern, _) in enumerate(self._patterns):
            found = needs(pattern.pattern)
            self._every.append((1 << len(found)) - 1)
            for bit, words in enumerate(found):
                for word in words:
                    uses[word].append((number, 1 << bit))
        self._always = [number for number, every in enumerate(self._every) if not every]
        ordered = sorted(uses)
        self._uses = [uses[word] for word in ordered]
        self._automaton = AhoCorasick(ordered, matchkind=MatchKind.Standard)

    def possible(self, text: str) -> list[tuple[re.Pattern[str], P]]:
        """The patterns that may match in a text, in their order; no other one does."""
        met = dict.fromkeys(self._always, 0)
        for word in {hit[0] for hit in self._automaton.find_matches_as_indexes(text, overlapping=True)}:
            for number, bit in self._uses[word]:
                met[number] = met.get(number, 0) | bit
        return [self._patterns[number] for number in sorted(met) if met[number] == self._every[number]]


def begins(pattern: str, start: str) -> bool:
    """Whether all that a pattern matches begins as `start` says, itself the beginning of a pattern."""
    depth = 0
    for piece, _ in _PIECES.findall(pattern):
        depth += piece.startswith("(") - (piece == ")")
        if piece == "|" and not depth:
            return False  # what goes another way need not
    return pattern.startswith(start)


def needs(pattern: str) -> list[Need]:
    """What a pattern needs: of each of these sets one string is in all that it matches."""
    if _UNREAD.search(pattern):
        return []
    found, _ = _needs(iter(_PIECES.findall(pattern)))
    first, *more = sorted(dict.fromkeys(found), key=_least, reverse=True) or [Need()]
    # That a text has a space or a full stop tells nothing.
    return [need for need in (first, *more) if need and (need is first or not any(map(_is_common, need)))]


def _needs(pieces: Iterator[tuple[str, str]]) -> tuple[list[Need], str]:
    """What the pieces need up to the end of their group, and the group's quantifier."""
    ways: list[list[Need]] = [[]]
    run = ""
    for piece, quantifier in pieces:
        inner: list[Need] = []
        literal = ""
        if piece in ("^", "$"):
            continue
        if piece.startswith("("):
            inner, quantifier = _needs(pieces)
            if piece in _LOOKS:
                inner = []
        elif piece.startswith("["):
            inner = [] if set(piece) & set("\\-^") else [Need(piece[1:-1])]
        elif piece not in (".", "|", ")") and not (piece[0] == "\\" and piece[1].isalnum()):
            literal = piece[-1]
        optional = quantifier.startswith(_OPTIONAL)
        if literal and not optional:
            run += literal
        if run and (not literal or quantifier):
            ways[-1].append(Need([run]))
            run = ""
        if not optional:
            ways[-1] += inner
        if piece == "|":
            ways.append([])
        if piece == ")":
            return _either(ways), quantifier
    if run:
        ways[-1].append(Need([run]))
    return _either(ways), ""


def _either(ways: list[list[Need]]) -> list[Need]:
    """What is needed whichever way is taken."""
    if len(ways) == 1:
        return ways[0]
    best = [max(way, key=_least, default=Need()) for way in ways]
    return [Need().union(*best)] if all(best) else []


def _least(need: Need) -> int:
    return min(map(len, need), default=0)


def _is_common(word: str) -> bool:
    return len(word) == 1 and word.isascii()
