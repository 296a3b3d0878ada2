"""What is wrong with a lexicon as it stands, before any article is read. Pure.

An error is a line that cannot do what it is there for, or that names two things at once; a warning one that
is likely not meant.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from .classifier import Classifier
from .entities import Entry
from .folding import fold, is_cjk
from .lexicon import Actor, LexiconError, Name, Signal, SignalFile, actor_file, signal_file, table
from .ndjson import article
from .scoring import Matrix
from .usage import Finder

# A name of so few letters is another word, an initial or a unit as well.
_SHORT = 2

T = TypeVar("T")


class Fault(Struct, frozen=True, order=True):
    """What is wrong, and in which file."""

    level: Literal["error", "warning"]
    file: str
    says: str


def lint(
    actors: Mapping[str, bytes], signals: Mapping[str, bytes], tables: Mapping[str, bytes]
) -> list[Fault]:
    """Every fault of a lexicon's YAML files, errors first."""
    faults: list[Fault] = []
    themes = _read(signals, signal_file, "signals", faults)
    organisations = _read(actors, actor_file, "actors", faults)
    faults += _of_signals(themes)
    faults += _of_actors(organisations, {s.id for file in themes.values() for s in file.signals})
    if any(fault.level == "error" for fault in faults):
        return sorted(faults)  # what follows builds the lexicon
    try:
        finder = Finder(organisations, themes, tables)
        classifier = Classifier.build(actors, signals, tables)
        faults += _of_weights(table("weights.json", tables, Matrix), themes)
    except (LexiconError, re.error) as error:
        return sorted([*faults, Fault("error", "tables", str(error))])
    faults += _unreachable(finder, organisations)
    faults += _examples(classifier, organisations)
    return sorted(faults)


def _read(
    files: Mapping[str, bytes], read: Callable[[str, bytes], T], folder: str, faults: list[Fault]
) -> dict[str, T]:
    found = {}
    for name, data in sorted(files.items()):
        try:
            found[name] = read(name, data)
        except LexiconError as error:
            faults.append(Fault("error", f"{folder}/{name}", str(error)))
    return found


def names(actor: Actor) -> Iterator[Name]:
    """How an actor and its people are named."""
    for raw in (*actor.names, *actor.people):
        yield raw if isinstance(raw, Name) else Name(raw)


def products(actor: Actor) -> Iterator[Name]:
    """How its products are named."""
    for given in actor.products:
        if isinstance(given, str):
            yield Name(given)
            continue
        for raw in (given.name, *given.aliases):
            yield raw if isinstance(raw, Name) else Name(raw, case=given.case, needs=given.needs)


def _of_actors(actors: Mapping[str, Actor], signals: set[str]) -> Iterator[Fault]:
    ids = {actor.id for actor in actors.values()}
    known = {fold(n.text.strip("*")) for a in actors.values() for n in (*names(a), *products(a))}
    claims, sites = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for file, actor in actors.items():
        where = f"actors/{file}"
        for site in actor.sites:
            sites[site].add(actor.id)
        mine = [*names(actor), *products(actor)]
        for kind in (names, products):
            counted = Counter(name.text if name.case else fold(name.text) for name in kind(actor))
            for text in (text for text, count in counted.items() if count > 1):
                yield Fault("warning", where, f"{text!r} is there twice, case folded")
        for name in mine:
            key = fold(name.text.strip("*"))
            if not key.strip():
                yield Fault("error", where, f"{name.text!r} is no name")
                continue
            if not name.needs and not name.unless:
                claims[key].add(actor.id)
            if unknown := set(name.needs) - signals - {"self"}:
                yield Fault("error", where, f"{name.text!r} needs unknown signals {sorted(unknown)}")
            if unknown := set(name.unless) - ids:
                yield Fault("error", where, f"{name.text!r} yields to unknown actors {sorted(unknown)}")
            yield from _short(where, name, key)
        for text in actor.not_:
            key = fold(text.strip("*"))
            if key in {fold(name.text) for name in mine}:
                yield Fault("error", where, f"{text!r} is a name and under `not`")
            elif not any(name in key for name in known):
                yield Fault("warning", where, f"{text!r} under `not` holds nobody's name")
    for what, found in (("name", claims), ("site", sites)):
        for key, owners in found.items():
            if len(owners) > 1:
                first, *others = sorted(owners)
                yield Fault(
                    "error", f"actors/{first}.yaml", f"the {what} {key!r} is also that of {', '.join(others)}"
                )


def _short(where: str, name: Name, key: str) -> Iterator[Fault]:
    guarded = name.needs or name.unless
    if guarded:
        return
    if any(map(is_cjk, key)):
        if len(key) == 1:
            yield Fault("error", where, f"{name.text!r} is one character: it stands in a thousand words")
    elif key.isascii() and len(key) <= _SHORT and not (name.case and name.text.isupper()):
        yield Fault("warning", where, f"{name.text!r} is short: `case: true` or `needs` guards it")


def _of_signals(files: Mapping[str, SignalFile]) -> Iterator[Fault]:
    owners: dict[str, str] = {}
    for file, themes in files.items():
        where = f"signals/{file}"
        for signal in themes.signals:
            if signal.id in owners:
                yield Fault("error", where, f"the signal {signal.id} is also in {owners[signal.id]}")
            owners.setdefault(signal.id, where)
            yield from _phrases(where, signal)
            yield from _patterns(where, signal)


def _phrases(where: str, signal: Signal) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for language, phrases in signal.phrases.items():
        for phrase in phrases:
            parts = [part.strip("*") for part in phrase.split(" ~ ")]
            if len(parts) > 2 or any(not p.strip() or "*" in p or "~" in p or p != p.strip() for p in parts):
                says = f"{signal.id}: {phrase!r} is never found: `*` stands at ends alone, ` ~ ` once inside"
                yield Fault("error", where, says)
            if "  " in phrase:
                yield Fault("warning", where, f"{signal.id}: {phrase!r} has two spaces")
            key = fold(phrase)
            if seen.get(key) == language:
                yield Fault(
                    "warning", where, f"{signal.id}: {phrase!r} is there twice in {language}: it counts twice"
                )
            seen.setdefault(key, language)


def _patterns(where: str, signal: Signal) -> Iterator[Fault]:
    for pattern in signal.patterns:
        empty = re.compile(pattern).match("")
        if empty and not re.search(r"\(\?|\^|\$|\\b", pattern):
            yield Fault("warning", where, f"{signal.id}: {pattern!r} fits nothing at all")
        # The text is folded: capitals and compatibility forms never stand in it.
        literal = re.sub(r"\\.|\(\?P<\w+>", "", pattern)
        if lost := sorted({char for char in literal if fold(char) != char}):
            yield Fault("error", where, f"{signal.id}: {pattern!r} waits for {''.join(lost)!r}, folded away")


def _of_weights(fitted: Matrix, files: Mapping[str, SignalFile]) -> Iterator[Fault]:
    """Corrections of signals and phrases that are gone."""
    known = {s.id for file in files.values() for s in file.signals}
    phrases = {
        f"{s.id}:{text}"
        for file in files.values()
        for s in file.signals
        for text in (*s.patterns, *(p for found in s.phrases.values() for p in found))
    }
    gone = [
        feature
        for feature in fitted
        if ":" in feature and (feature.partition(":")[0] not in known or feature not in phrases)
    ]
    if gone:
        says = f"{len(gone)} corrections are of phrases that are gone, {gone[0]!r} first: `racewire train`"
        yield Fault("warning", "tables/weights.json", says)


def _unreachable(finder: Finder, actors: Mapping[str, Actor]) -> Iterator[Fault]:
    """Names that another line takes wherever they stand."""
    owners = {actor.id: file for file, actor in actors.items()}
    for entry in finder.entries:
        if not entry.actor:
            continue
        readings = [reading for text in _samples(entry) for reading in finder.readings(text)]
        if any(mention.actor == entry.actor for mention, _ in readings):
            continue
        by = sorted(
            {f"{a.kind} {a.text!r} of {a.owner}" for _, other in readings if (a := finder.alias(other))}
        )
        why = f"taken by {', '.join(by)}" if by else "never found as it is written"
        yield Fault("error", f"actors/{owners[entry.actor]}", f"{entry.name.text!r} is {why}")


def _samples(entry: Entry) -> Iterable[str]:
    """Texts in which an entry must be found."""
    text = entry.name.text.strip("*")
    if entry.family is None or entry.family.product.bare:
        return [text]
    versions = ["3", "2.5", "v3", "70b", "pro", *entry.family.product.variants]
    return [f"{text}{join}{version}" for version in versions for join in (" ", "-", "")]


def _examples(classifier: Classifier, actors: Mapping[str, Actor]) -> Iterator[Fault]:
    """Sentences in which an actor must be found, and is not."""
    for file, actor in actors.items():
        for sentence in actor.examples:
            example = article(msgspec.json.encode({"id": actor.id, "title": sentence}))
            found = {named.id for named in classifier.assess(example).actors}
            if actor.id not in found:
                yield Fault("error", f"actors/{file}", f"not found in its example {sentence!r}")
