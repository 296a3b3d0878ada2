"""What one verdict after another changes, counted label by label, with examples. Pure.

Not here: how good either is (`scores`). A change of score, of spans or of the classifier's name is none.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.messages import Assessment

from .scores import product_key

EXAMPLES = 20

Label = tuple[str, str]  # what it says something of, and what it says


@dataclass(frozen=True)
class Example:
    """An article whose labels change: those it loses, and those it gets."""

    article_id: str
    title: str
    before: list[str]
    after: list[str]


@dataclass
class Changes:
    """The balance of many verdicts: `articles` assessed, of which `changed` have other labels.

    `first` have their first verdict, which is no change; `added` and `removed` count the labels of the
    others. `examples` are the first few, those that become core or are core no more before all others.
    """

    articles: int = 0
    first: int = 0
    changed: int = 0
    core: int = 0
    core_no_more: int = 0
    added: Counter[Label] = field(default_factory=Counter)
    removed: Counter[Label] = field(default_factory=Counter)
    _turned: list[Example] = field(default_factory=list)
    _others: list[Example] = field(default_factory=list)

    def add(self, old: Assessment | None, new: Assessment) -> None:
        """Count the verdict `new` in the place of `old`."""
        self.articles += 1
        if old is None:
            self.first += 1
            return
        before, after = dict(_labels(old)), dict(_labels(new))
        lost, got = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
        if not lost and not got:
            return
        self.changed += 1
        self.removed.update((kind, before[kind, key]) for kind, key in lost)
        self.added.update((kind, after[kind, key]) for kind, key in got)
        is_core, was_core = (a.relevance.label == "core" for a in (new, old))
        self.core += is_core and not was_core
        self.core_no_more += was_core and not is_core
        kept = self._others if is_core == was_core else self._turned
        if len(kept) < EXAMPLES:
            said = [f"{kind} {before[kind, key]}" for kind, key in lost]
            says = [f"{kind} {after[kind, key]}" for kind, key in got]
            kept.append(Example(new.article_id, new.title, said, says))

    @property
    def examples(self) -> list[Example]:
        """At most `EXAMPLES`."""
        return [*self._turned, *self._others][:EXAMPLES]

    def labels(self) -> list[tuple[str, str, int, int]]:
        """Kind, value, how often added and how often removed of each label; the most frequent first."""
        counts = [(*label, self.added[label], self.removed[label]) for label in self.added | self.removed]
        return sorted(counts, key=lambda c: (-c[2] - c[3], c[0], c[1]))


def _labels(a: Assessment) -> Iterator[tuple[Label, str]]:
    """Each label by what makes it the same in another verdict, with the words that are shown."""
    yield ("relevance", a.relevance.label), a.relevance.label
    for actor in a.actors:
        named = f"{actor.id} ({actor.role})"
        yield ("actor", named), named
    for product in a.products:
        yield ("product", product_key(product.name)), product.name
    for event in a.events:
        yield ("event", event.id), event.id
    if a.status != "none":
        yield ("status", a.status), a.status
    if a.expected:
        yield ("when", a.expected.value), a.expected.value
