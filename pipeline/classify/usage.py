"""How often each alias, phrase and pattern of a lexicon occurs in articles, with examples. Pure.

What occurs is what the classifier would read there: the case holds and no longer reading takes the words.
Guards (`needs`, `unless`, `aside`) are not asked: they decide what an occurrence means.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct

from schemas.messages import Article

from .classifier import READ_TEXT, READ_TITLE
from .entities import Entry, Mention, ProductGrammar, entries, longest
from .folding import Folded, fold
from .lexicon import Actor, Signal, SignalFile, table
from .signals import Place
from .spotting import Spotter

_EXAMPLES = 3
_AROUND = 30


class Alias(Struct, frozen=True, order=True):
    """One thing that is looked for: the file it stands in, what it is there, and its words.

    `kind` is `name` (people too), `product`, `not`, `phrase` or `pattern`; `owner` the actor or signal.
    """

    file: str
    owner: str
    kind: str
    text: str


class Example(Struct, frozen=True):
    """An article in which it occurs, and the words with those around them."""

    article_id: str
    title: str
    words: str


class Use(Struct):
    """In how many articles something occurs, and the first of them."""

    articles: int
    examples: list[Example]


class Finder:
    """Finds what a lexicon looks for, and says which line of which file it was. Immutable once built."""

    def __init__(
        self, actors: Mapping[str, Actor], signals: Mapping[str, SignalFile], tables: Mapping[str, bytes]
    ) -> None:
        grammar = table("products.yaml", tables, ProductGrammar)
        self._named: dict[int, Alias] = {}
        self.entries: list[Entry] = []  # kept, so that an id is one entry's for good
        self._cues: dict[tuple[str, str], Alias] = {}
        named: list[tuple[str, Entry]] = []
        for file, actor in sorted(actors.items()):
            for phrase, entry in entries([actor], grammar):
                kind = "product" if entry.family else "name" if entry.actor else "not"
                text = entry.name.text if entry.actor else phrase
                self.entries.append(entry)
                self._named[id(entry)] = Alias(f"actors/{file}", actor.id, kind, text)
                named.append((phrase, entry))
        flat: list[Signal] = []
        for file, themes in sorted(signals.items()):
            for signal in themes.signals:
                flat.append(signal)
                phrases = ((phrase, "phrase") for of in signal.phrases.values() for phrase in of)
                for text, kind in (*phrases, *((pattern, "pattern") for pattern in signal.patterns)):
                    self._cues[signal.id, text] = Alias(f"signals/{file}", signal.id, kind, text)
        self._spotter = Spotter(named, flat)

    @property
    def aliases(self) -> list[Alias]:
        """All that is looked for, in the order of files."""
        return sorted({*self._named.values(), *self._cues.values()})

    def alias(self, entry: Entry) -> Alias:
        """The line that made an entry."""
        return self._named[id(entry)]

    def readings(self, text: str) -> list[tuple[Mention, Entry]]:
        """Whom and what a title names, guards aside."""
        names, _ = self._spotter.find(Folded.of("title", text))
        return [reading for group in longest(names) for reading in group]

    def find(self, article: Article) -> Iterator[tuple[Alias, Place]]:
        """Every occurrence in an article."""
        title = Folded.of("title", article.title[:READ_TITLE])
        names, cues = self._spotter.find(title, Folded.of("text", article.text[:READ_TEXT]))
        for hit in cues:
            yield self._cues[hit.payload.signal, hit.payload.phrase], (hit.field, hit.start, hit.end)
        for mention, entry in (reading for group in longest(names) for reading in group):
            yield self._named[id(entry)], (mention.field, mention.start, mention.end)


class Usage:
    """The count over many articles: `add` each, then ask."""

    def __init__(self, finder: Finder) -> None:
        self.articles = 0
        self._finder = finder
        self._uses: dict[Alias, Use] = {}

    def add(self, article: Article) -> None:
        """Count an article, each alias once."""
        self.articles += 1
        first: dict[Alias, Place] = {}
        for alias, place in self._finder.find(article):
            first.setdefault(alias, place)
        for alias, place in first.items():
            use = self._uses.setdefault(alias, Use(0, []))
            use.articles += 1
            if len(use.examples) < _EXAMPLES:
                use.examples.append(Example(article.article_id, article.title, _around(place)))

    def unused(self) -> dict[str, list[Alias]]:
        """What occurs nowhere, by file. Who is called like its product occurs with that."""
        found = defaultdict[str, list[Alias]](list)
        used = {(alias.owner, fold(alias.text)) for alias in self._uses}
        for alias in self._finder.aliases:
            if (alias.owner, fold(alias.text)) not in used:
                found[alias.file].append(alias)
        return dict(found)

    def frequent(self, share: float) -> list[tuple[Alias, Use]]:
        """What occurs in more than a share of the articles, the most frequent first."""
        found = [(a, use) for a, use in self._uses.items() if use.articles > share * self.articles]
        return sorted(found, key=lambda pair: (-pair[1].articles, pair[0]))


def _around(place: Place) -> str:
    field, start, end = place
    start, end = field.back(start, end)
    before = field.original[max(0, start - _AROUND) : start]
    after = field.original[end : end + _AROUND]
    return f"{before}»{field.original[start:end]}«{after}"
