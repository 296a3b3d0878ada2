"""Organisations that act in the race and that the lexicon does not know, proposed for a human to read. Pure.

Of articles called core it takes the names that stand where actors stand (`naming`) and that no alias covers,
and ranks them by sources and articles. Nothing is decided here, and nothing is written.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from schemas.messages import Article

from .classifier import READ_TITLE
from .folding import Folded, fold
from .matcher import PhraseMatcher
from .naming import Vocabulary, cjk, latin
from .usage import Finder

_EXAMPLES = 3
_LEAD = 400  # characters of a text in which names are looked for
_PUBLISHER = re.compile(r"\s+[-–|]\s+[^-–|]{2,40}$")
_ACTING = 0.3  # the least share of its articles in which a name stands as one that acts


class Proposal(Struct, frozen=True):
    """A name, in how many sources and core articles it is written, and titles to judge it by.

    `places` counts the articles in which it stands where actors do: `moves` (before a verb of moving), `kind`
    (beside a word such as `startup`), `beside` (in a list with a known actor).
    """

    name: str
    sources: int
    articles: int
    languages: tuple[str, ...]
    places: dict[str, int]
    examples: tuple[str, ...]

    @property
    def acting(self) -> int:
        """The articles in which it stands as one that acts."""
        return self.places.get("moves", 0) + self.places.get("kind", 0)


def propose(finder: Finder, vocabulary: Vocabulary, core: Sequence[Article]) -> list[Proposal]:
    """Names of `core` articles that no alias of the lexicon covers, those of most sources and articles first.

    Left out is what seldom stands where actors do, a word that did so by chance, and what only ever stands
    beside a known actor: most of these are products and people.
    """
    places: dict[str, dict[str, str]] = defaultdict(dict)  # by name, by article
    for article in core:
        for name, place in _names(finder, vocabulary, article):
            if places[name].get(article.article_id) in (None, "beside"):
                places[name][article.article_id] = place
    acting = [name for name, found in places.items() if set(found.values()) != {"beside"}]
    written = _written(finder, acting, core)
    found = [_proposal(n, Counter(places[n].values()), written[n]) for n in acting if written[n]]
    return sorted(
        (proposal for proposal in found if proposal.acting >= _ACTING * proposal.articles),
        key=lambda p: (-p.sources, -p.acting, -p.articles, p.name),
    )


def skeleton(proposal: Proposal) -> str:
    """An actor's file to be filled in. As it stands the lint refuses it: nobody has read it."""
    ident = "-".join(re.findall(r"[a-z0-9]+", proposal.name.casefold())) or "FILL-IN"
    lines = (f"id: {ident}", f'name: "{proposal.name}"', "country: FILL-IN", "kind: FILL-IN")
    rest = (f'names: ["{proposal.name}"]', "people: []", "products: []", "examples: []", "")
    return "\n".join((*lines, *rest))


def _proposal(name: str, places: Counter[str], articles: Sequence[Article]) -> Proposal:
    return Proposal(
        name,
        len({article.feed.id for article in articles}),
        len({fold(_title(article)) for article in articles}),
        tuple(language for language, _ in Counter(a.language for a in articles).most_common()),
        dict(places.most_common()),
        tuple(dict.fromkeys(_title(article) for article in articles))[:_EXAMPLES],
    )


def _title(article: Article) -> str:
    """A title without its publisher's name, as some feeds add it."""
    return _PUBLISHER.sub("", article.title[:READ_TITLE])


def _fields(article: Article) -> tuple[str, str]:
    return _title(article), article.text[:_LEAD]


def _written(finder: Finder, names: Iterable[str], core: Sequence[Article]) -> dict[str, list[Article]]:
    """The articles in which each name is written as it stands here, and as no part of a known one."""
    matcher: PhraseMatcher[str] = PhraseMatcher()
    for name in names:
        matcher.add(name, name)
    matcher.compile()
    found: dict[str, list[Article]] = defaultdict(list)
    for article in core:
        here = set[str]()
        for text in _fields(article):
            field = Folded.of("title", text)
            hits = [hit for hit in matcher.find(field) if _original(field, hit.start, hit.end) == hit.payload]
            known = _known(finder, text) if hits else []
            here.update(h.payload for h in hits if not _overlaps(*field.back(h.start, h.end), known))
        for name in here:
            found[name].append(article)
    return found


def _original(field: Folded, start: int, end: int) -> str:
    return field.original[slice(*field.back(start, end))]


def _known(finder: Finder, text: str) -> list[tuple[int, int]]:
    """Where known names stand."""
    return [m.field.back(m.start, m.end) for m, _ in finder.readings(text)]


def _overlaps(start: int, end: int, known: Iterable[tuple[int, int]]) -> bool:
    return any(left < end and start < right for left, right in known)


def _names(finder: Finder, vocabulary: Vocabulary, article: Article) -> Iterator[tuple[str, str]]:
    """Unknown names where actors stand, each with the kind of place."""
    # In German every noun is written large, and who acts stands first in its sentence.
    german = article.language == "de"
    for text in _fields(article):
        known = _known(finder, text)
        for start, end, place in (*latin(vocabulary, text, known, german=german), *cjk(vocabulary, text)):
            if not _overlaps(start, end, known):
                yield text[start:end], place
