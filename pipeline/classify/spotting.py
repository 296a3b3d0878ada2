"""All that a lexicon looks for, found in the fields of an article: names, and cues of signals."""

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from .entities import Entry
from .folding import Folded
from .lexicon import Signal
from .matcher import Hit, PhraseMatcher
from .patterns import PatternSet, begins

Search = Callable[[re.Pattern[str], str], Iterable[re.Match[str]]]

# How patterns of amounts begin: where a number does.
_NUMBER = r"\d(?<![\d.,]\d)"
_NUMBERS = re.compile(_NUMBER)


class Cue(Struct, frozen=True):
    """A phrase or pattern of a signal, with the names of its features: in a head, in a body, its own."""

    signal: str
    phrase: str
    head: str
    body: str
    own: str

    @classmethod
    def of(cls, signal: str, phrase: str) -> "Cue":
        """The cue of a signal's phrase or pattern."""
        return cls(signal, phrase, f"{signal}@title", f"{signal}@text", f"{signal}:{phrase}")


class Spotter:
    """Looks for names and signals, given in any order. Immutable once built."""

    def __init__(self, names: Iterable[tuple[str, Entry]], signals: Iterable[Signal]) -> None:
        self._phrases: PhraseMatcher[Entry | Cue] = PhraseMatcher()
        for phrase, entry in names:
            self._phrases.add(phrase, entry, inflect=entry.name.inflect)
        patterns: list[tuple[str, tuple[Search, Cue]]] = []
        for signal in sorted(signals, key=lambda signal: signal.id):
            for phrases in signal.phrases.values():
                for phrase in phrases:
                    self._phrases.add(phrase, Cue.of(signal.id, phrase), whole=True)
            # Regular expressions over the folded text: amounts, marks, forms of a title.
            for pattern in sorted(signal.patterns):
                patterns.append((pattern, (_search(pattern), Cue.of(signal.id, pattern))))
        self._phrases.compile()
        self._patterns = PatternSet(patterns)

    def find(self, *fields: Folded) -> tuple[list[Hit[Entry]], list[Hit[Cue]]]:
        """Every name and every cue: field by field, patterns first."""
        names: list[Hit[Entry]] = []
        cues: list[Hit[Cue]] = []
        for field in fields:
            for pattern, (search, cue) in self._patterns.possible(field.text):
                for match in search(pattern, field.text):
                    start, end = match.span()
                    if end > start:
                        cues.append(Hit(field, start, end, cue))
            for hit in self._phrases.find(field):
                # The type checker does not see that the type of a payload is that of its hit.
                (names if type(hit.payload) is Entry else cues).append(hit)  # type: ignore[arg-type]
        return names, cues


def _search(pattern: str) -> Search:
    """The quickest way to find all matches."""
    if begins(pattern, "^"):
        return _first
    return _numbered if begins(pattern, _NUMBER) else re.Pattern.finditer


def _first(pattern: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    found = pattern.match(text)
    return (found,) if found else ()


def _numbered(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    reached = 0
    for number in _NUMBERS.finditer(text):
        start = number.start()
        if start >= reached and (match := pattern.match(text, start)):
            reached = match.end()
            yield match
