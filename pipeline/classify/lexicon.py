"""The lexicon's shape: typed structs for its files, and reading them from bytes.

Three kinds of files (`lexicon/README.md` tells an editor what to write where):
`actors/<id>.yaml` an organisation, `signals/*.yaml` the words that speak for a label, `tables/*`
dates, amounts, product grammar, role cues and, as JSON, the fitted weights. Nothing here matches text.
"""

import re
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
import yaml
from msgspec import Meta, Struct

from . import yamlfile

EVENTS = (
    "release",
    "roadmap",
    "benchmark",
    "pricing",
    "openness",
    "funding",
    "deal",
    "compute",
    "talent",
    "policy",
    "legal",
    "adoption",
    "safety",
    "research",
    "strategy",
)
RELEVANCE = ("core", "peripheral", "none")
STATUSES = ("rumoured", "announced", "happened", "delayed", "denied", "none")
ROLES = ("mover", "partner", "target", "rival", "mentioned")
# `core` tells core from none, `focus` core from peripheral; the others are the labels themselves.
HEADS = ("core", "focus", *EVENTS, *(f"status-{status}" for status in STATUSES))

# A verdict adds up thousands of weights at most, and they have 32 bits for it (scoring.py).
Weights = dict[str, Annotated[float, Meta(ge=-100, le=100)]]
Text = Annotated[str, Meta(min_length=1)]
T = TypeVar("T")


class LexiconError(ValueError):
    """A lexicon file is not what it must be; the message names the file."""


class Name(Struct, frozen=True, forbid_unknown_fields=True):
    """One way to write a name, with what guards it.

    `case`: only as written here or in capitals. `inflect`: a genitive or plural `s` may follow.
    `needs`: ids of signals of which one must be in the article too, unless the actor is named otherwise
    (`self`: only then). `aside`: mostly background (a platform, a school), counted where the title names it.
    `unless`: ids of actors that take the mention over where they are named themselves.
    """

    text: Text
    case: bool = False
    inflect: bool = True
    aside: bool = False
    needs: list[str] = []
    unless: list[str] = []


class Product(Struct, frozen=True, forbid_unknown_fields=True):
    """A product family: its usual spelling and how versions are written.

    `join` stands between the name and a version, `variants` are this family's own words around it.
    `version` is a regular expression, empty for a product without versions. `bare`: the name without a
    version is a product too.
    """

    name: Text
    aliases: list[str | Name] = []
    case: bool = False
    join: str = " "
    variants: list[str] = []
    version: str | None = None
    bare: bool = True
    needs: list[str] = []


class Actor(Struct, frozen=True, forbid_unknown_fields=True, rename={"not_": "not"}):
    """An organisation: how it, its people and its products are named, and what is written alike (`not`).

    `native`: whoever names it speaks of AI. `aside` holds for all its names. `sites`: where it speaks.
    `examples`: titles in which it must be found, looked at by `racewire lexicon check`.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")]
    name: Text
    country: Annotated[str, Meta(pattern=r"^[a-z]{2}$")]
    kind: Text
    native: bool = False
    aside: bool = False
    names: list[str | Name] = []
    people: list[str | Name] = []
    products: list[str | Product] = []
    sites: list[str] = []
    examples: list[str] = []
    not_: list[str] = []


class Signal(Struct, frozen=True, forbid_unknown_fields=True):
    """Words that speak for or against labels.

    `weighs` maps a head to log-odds. `phrases` by language is for the reader: all are looked for in every
    text. `*` at an end leaves that end open, ` ~ ` is a gap inside one sentence.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")]
    weighs: Weights = {}
    phrases: dict[str, list[str]] = {}
    patterns: list[str] = []


class SignalFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Signals of one theme; `shapes` weighs what is no phrase (see signals.py)."""

    signals: list[Signal] = []
    shapes: dict[str, Weights] = {}


def actor_file(name: str, data: bytes) -> Actor:
    """Read one actor; raises LexiconError when the file is malformed or named after another id."""
    actor = _decode(name, data, Actor)
    if name != f"{actor.id}.yaml":
        raise LexiconError(f"lexicon file {name} holds the actor {actor.id}: name it {actor.id}.yaml")
    return actor


def signal_file(name: str, data: bytes) -> SignalFile:
    """Read signals; raises LexiconError where the file, a head or a pattern is not what it must be."""
    file = _decode(name, data, SignalFile)
    weighed = [(signal.id, signal.weighs) for signal in file.signals] + list(file.shapes.items())
    for owner, weights in weighed:
        if unknown := set(weights) - set(HEADS):
            raise LexiconError(f"lexicon file {name}: {owner} weighs unknown labels {sorted(unknown)}")
    for signal in file.signals:
        for pattern in signal.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise LexiconError(
                    f"lexicon file {name}: the pattern {pattern!r} of {signal.id}: {error}"
                ) from error
    return file


def table(name: str, tables: Mapping[str, bytes], kind: type[T]) -> T:
    """Read the table of that name as `kind`; raises LexiconError when missing or malformed."""
    if name not in tables:
        raise LexiconError(f"lexicon table {name} is missing")
    return _decode(name, tables[name], kind)


def _decode(name: str, data: bytes, kind: type[T]) -> T:
    try:
        if name.endswith(".json"):
            return msgspec.json.decode(data, type=kind)
        return msgspec.convert(yamlfile.load(data), kind)
    except (yaml.YAMLError, msgspec.MsgspecError) as error:
        raise LexiconError(f"lexicon file {name}: {error}") from error
