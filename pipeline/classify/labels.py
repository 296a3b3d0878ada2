"""Labelled articles: what a careful reader says of a title and a text, as lines of JSON.

The form is that of `training/labels/`: a line an article with id, relevance, actors, products, events,
status, when, lang, date, source; a line of roles (`{"id": ..., "roles": {...}}`) adds to it. A label without
actors and products was given to train on and is not scored.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from .lexicon import EVENTS, ROLES, STATUSES


class LabelError(ValueError):
    """A line is no label; the message says which and why."""


class Label(Struct, frozen=True, kw_only=True):
    """What a reader says of one article: `events` the main one first, `when` empty if nothing is stated."""

    id: str
    relevance: str = ""
    actors: list[str] | None = None
    products: list[str] | None = None
    events: list[str] = []
    status: str = "none"
    when: str = ""
    lang: str = "und"
    date: str = ""
    source: str = ""
    roles: dict[str, str] = {}

    @property
    def scored(self) -> bool:
        """Whether the label is whole: it names actors and products too."""
        return self.actors is not None and self.products is not None


def read(lines: Iterable[bytes]) -> list[Label]:
    """Labels in the order of their first line, roles joined to them. Raises LabelError."""
    found: dict[str, Label] = {}
    roles: dict[str, dict[str, str]] = {}
    for line in lines:
        if not line.strip():
            continue
        try:
            label = msgspec.json.decode(line, type=Label)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise LabelError(f"not a label: {error}: {line[:80]!r}") from error
        _check(label)
        roles.setdefault(label.id, {}).update(label.roles)
        if label.relevance:
            found.setdefault(label.id, label)
    return [msgspec.structs.replace(label, roles=roles[label.id]) for label in found.values()]


def _check(label: Label) -> None:
    unknown = (
        ({label.relevance} - {"", "core", "peripheral", "none"})
        | (set(label.events) - set(EVENTS))
        | ({label.status} - set(STATUSES))
        | (set(label.roles.values()) - set(ROLES))
    )
    if unknown:
        raise LabelError(f"label of {label.id} says {', '.join(sorted(unknown))}, which is no label")
    if label.relevance == "core" and not label.events:
        raise LabelError(f"label of {label.id} is core and has no event")
