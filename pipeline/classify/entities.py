"""Who and what an article names: occurrences of names settled into actors and products.

Longer readings win over the shorter ones inside them (`Meta-Analyse` over `Meta`, `Claude Code` over
`Claude`), guarded names need company, and a product stands for its owner. Roles are decided elsewhere.
"""

import re
from collections.abc import Container, Iterable
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from .folding import Folded, fold, is_inner
from .lexicon import Actor, Name, Product
from .matcher import Hit

_CASED = re.compile(r"[A-Za-z]")
# The end of a word in a script that puts spaces between words.
_END = r"(?![a-z0-9\u00df-\u024f\u0400-\u04ff])"


class Family(Struct, frozen=True):
    """A product family: its owner and the grammar of what follows its name (see `_tail`), if anything."""

    actor: str
    product: Product
    tail: tuple[str, frozenset[str], str] | None


class Entry(Struct, frozen=True):
    """What a name in the lexicon stands for; `actor` is empty for what only looks like a name."""

    actor: str
    name: Name
    native: bool = False
    aside: bool = False
    family: Family | None = None
    rank: tuple[bool, bool, bool, str] = (False, False, False, "")

    def __post_init__(self) -> None:
        rank = not self.actor, bool(self.name.needs), self.family is None, self.actor
        force_setattr(self, "rank", rank)


class Mention(Struct, frozen=True, gc=False):
    """A settled occurrence: whom it means, where, and the product's usual spelling if it names one."""

    actor: str
    field: Folded
    start: int
    end: int
    product: str = ""
    family: str = ""
    native: bool = False


class ProductGrammar(Struct, frozen=True, forbid_unknown_fields=True):
    """How versions are written in general; a family may say otherwise."""

    version: str
    variants: list[str]
    size: str


def entries(actors: Iterable[Actor], grammar: ProductGrammar) -> list[tuple[str, Entry]]:
    """Every phrase that names an actor or a product, with what it stands for."""
    found: list[tuple[str, Entry]] = []
    for actor in actors:
        for raw in (*actor.names, *actor.people):
            name = raw if isinstance(raw, Name) else Name(raw)
            found.append((name.text, Entry(actor.id, name, actor.native, name.aside or actor.aside)))
        for text in actor.not_:
            found.append((text, Entry("", Name(text.strip("*"), inflect=False))))
        for given in actor.products:
            product = given if isinstance(given, Product) else Product(given)
            family = _family(actor.id, product, grammar)
            for raw in (product.name, *product.aliases):
                name = raw if isinstance(raw, Name) else Name(raw, case=product.case, needs=product.needs)
                for text in _joined(name.text):
                    written = replace(name, text=text)
                    # The end is left open: `Qwen3` is `Qwen` with a version.
                    found.append(
                        (f"{text}*", Entry(actor.id, written, native=True, aside=name.aside, family=family))
                    )
    return found


def _joined(name: str) -> list[str]:
    """A product's name, and with a hyphen for a space and the other way round: `GitHub-Copilot-Agent`."""
    return list(dict.fromkeys((name, name.replace(" ", "-"), name.replace("-", " "))))


def _family(actor: str, product: Product, grammar: ProductGrammar) -> Family:
    version = grammar.version if product.version is None else product.version
    words = frozenset((*product.variants, *(grammar.variants if version else ())))
    tail = (version, words, grammar.size if version else "") if version or words else None
    return Family(actor, product, tail)


class _Tail(Struct, frozen=True):
    """What follows a product's name, as ranges of the folded text: words, a version, words again."""

    before: tuple[int, int]
    version: tuple[int, int]
    after: tuple[int, int]


def _tail(tail: tuple[str, frozenset[str], str], text: str, at: int) -> _Tail:
    version, words, size = tail
    # No part may end inside a word: `Gemini Pro免费` is one, `Gemini Prozess` is not; `Llama 4 %` is a share.
    variant = _variant(words, size)
    before = (at, _repeated(variant, text, at, apart=True))
    at = before[1]
    named = (at, at)
    if not version:
        return _Tail(before, named, named)
    if found := _version(version).match(text, at):
        named, at = found.span("version"), found.end()
    return _Tail(before, named, (at, _repeated(variant, text, at, apart=False)))


def _repeated(variant: re.Pattern[str] | None, text: str, at: int, *, apart: bool) -> int:
    """Where words that follow each other end, `apart` if something stands before each."""
    while variant and (found := variant.match(text, at)) and (found["gap"] or not apart):
        at = found.end()
    return at


@lru_cache(maxsize=1_000)
def _variant(words: frozenset[str], size: str) -> re.Pattern[str] | None:
    # Most families are written alike, few are met, and a pattern of all words is slow to put together.
    known = [re.escape(fold(word)) for word in sorted(words, key=lambda word: (-len(word), word))]
    variants = "|".join([*([size] if size else []), *known])
    return re.compile(rf"(?P<gap>[ -]?)(?:{variants}){_END}") if variants else None


@lru_cache(maxsize=1_000)
def _version(version: str) -> re.Pattern[str]:
    return re.compile(rf"[ -]?(?P<version>{version}){_END}(?![.,]\d| ?%)")


def settle(hits: Iterable[Hit[Entry]], signals: Container[str], own: str) -> list[Mention]:
    """The mentions that hold, in reading order.

    `signals` are the ids of the signals the article has, `own` the actor on whose site it stands, if any.
    """
    groups = longest(hits)
    readings = [readings[0] for readings in groups]
    ai = "ai" in signals or bool(own) or any(m.native and not entry.name.needs for m, entry in readings)
    titled = {mention.actor for mention, _ in readings if mention.field.field == "title"}
    sure = {own} | {
        mention.actor
        for mention, entry in readings
        if not entry.name.needs
        and not entry.name.unless
        and not (entry.aside and mention.actor not in titled)
    }

    def holds(mention: Mention, entry: Entry) -> bool:
        if not mention.actor or not sure.isdisjoint(entry.name.unless):
            return False
        if entry.aside and mention.actor not in titled and mention.actor != own:
            return False
        needs = entry.name.needs
        if not needs or mention.actor in sure:
            return True
        # Who writes a version speaks of the product: `Gemini 3` is no sign of the zodiac.
        versioned = "ai" in needs and mention.product != mention.family
        return versioned or any(need in signals or (need == "ai" and ai) for need in needs)

    # Two makers' `R1` are told apart by who else is named: the first reading whose guards hold.
    held = (next((m for m, entry in group if holds(m, entry)), None) for group in groups)
    return [mention for mention in held if mention is not None]


def longest(hits: Iterable[Hit[Entry]]) -> list[list[tuple[Mention, Entry]]]:
    """The words of which no reading lies inside another one, in reading order (title first), each with its
    readings, the likeliest first: a second one only where both are guarded.
    """
    readings = [reading for hit in hits if (reading := _read(hit))]
    # On the same words a name goes before what only looks like one (of another actor), a reading without
    # guards before a guarded one, a product before its owner: the order of files never decides.
    readings.sort(
        key=lambda reading: (
            reading[0].field.field != "title",
            reading[0].start,
            -reading[0].end,
            reading[1].rank,
            reading[0].product,
        )
    )
    kept: list[list[tuple[Mention, Entry]]] = []
    for mention, entry in readings:
        last, guard = kept[-1][0] if kept else (None, None)
        # Of two that overlap without one holding the other, the first in the text stays.
        if last is None or last.field is not mention.field or mention.start >= last.end:
            kept.append([(mention, entry)])
        elif guard and guard.name.needs and mention.actor and _range(mention) == _range(last):
            kept[-1].append((mention, entry))
    return kept


def _range(mention: Mention) -> tuple[int, int]:
    return mention.start, mention.end


def _read(hit: Hit[Entry]) -> tuple[Mention, Entry] | None:
    """What an occurrence says, or None where case or what follows forbids the reading."""
    entry, field = hit.payload, hit.field
    if entry.name.case and not _as_written(hit, entry.name.text):
        return None
    if entry.family is None:
        return Mention(entry.actor, field, hit.start, hit.end, native=entry.native), entry
    end, spelling = _versioned(hit, entry.family)
    if not spelling:
        return None
    family = entry.family.product.name
    return Mention(entry.actor, field, hit.start, end, spelling, family, native=True), entry


def _as_written(hit: Hit[Entry], name: str) -> bool:
    start, end = hit.field.back(hit.start, hit.end)
    original = hit.field.original[start:end]
    return original == name or (original == name.upper() and len(_CASED.findall(name)) > 1)


def _versioned(hit: Hit[Entry], family: Family) -> tuple[int, str]:
    """Where a product's name with its version ends, and its usual spelling; none where it is another word."""
    field, product, end, spelling = hit.field, family.product, hit.end, family.product.name
    if family.tail is not None:
        tail = _tail(family.tail, field.text, end)
        if tail.after[1] > end:
            end = tail.after[1]
            spelling = _spell(product, field, tail)
    genitive = end < len(field.text) and field.text[end] == "s" and not is_inner(field.text, end + 1)
    if is_inner(field.text, end) and not genitive:
        return end, ""
    return end, spelling if product.bare or end > hit.end else ""


@lru_cache(maxsize=1_000)
def _known(variants: tuple[str, ...]) -> dict[str, str]:
    return {fold(word): word for word in variants}


def _spell(product: Product, field: Folded, tail: _Tail) -> str:
    """The usual spelling: `qwen3-max` is `Qwen 3 Max`, `gpt5.5 pro` is `GPT-5.5 Pro`."""
    known = _known(tuple(product.variants))

    def words(part: tuple[int, int]) -> list[str]:
        start, end = field.back(*part) if part[0] < part[1] else (0, 0)
        return [known.get(fold(word), word) for word in re.findall(r"[^ -]+", field.original[start:end])]

    before, after = words(tail.before), words(tail.after)
    version = "-".join(words(tail.version))
    if version[:1].isalpha():
        version = version[0].upper() + version[1:]
    spelling = " ".join([product.name, *before])
    if version:
        spelling += (product.join if not before else " ") + version
    return " ".join([spelling, *after])
