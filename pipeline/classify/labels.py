"""Labelled articles: what a careful reader says of a title and a text, as lines of JSON.

The form is that of `training/labels/`: a line an article with id, relevance, actors, products, events,
status, when, lang, date, source; a line of roles (`{"id": ..., "roles": {...}}`) adds to it. A label without
actors and products was given to train on and is not scored.
"""

import re
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from schemas.messages import DATE, Assessment
from schemas.messages import Label as Slug

from .lexicon import EVENTS, RELEVANCE, ROLES, STATUSES


class LabelError(ValueError):
    """A line is no label; the message says which and why."""


class Label(Struct, frozen=True, kw_only=True):
    """What a reader says of one article: `events` the main one first, `when` empty if nothing is stated.

    `chosen` was read since a model had called it core, so it tells nothing of how likely core is.
    """

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
    chosen: bool = False

    @property
    def scored(self) -> bool:
        """Whether the label is whole: it names actors and products too."""
        return self.actors is not None and self.products is not None


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is right instead of a verdict; where nothing is given, the verdict stands.

    `actors` are roles by actor, all of them; `events` the main one first; `when` is empty for no date.
    """

    relevance: Slug | None = None
    actors: Annotated[dict[Slug, Slug], Meta(max_length=20)] | None = None
    products: (
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=80)]], Meta(max_length=5)] | None
    ) = None
    events: Annotated[list[Slug], Meta(max_length=3)] | None = None
    status: Slug | None = None
    when: Annotated[str, Meta(max_length=10)] | None = None


def label_of(verdict: Assessment, change: Change = Change()) -> Label:  # noqa: B008  # frozen
    """What a verdict says as a label, with a change. `check` tells whether it is one.

    As the guide has it, what is not core has no events, status and date, and what is none has no actors.
    """
    roles = {a.id: a.role for a in verdict.actors} if change.actors is None else change.actors
    products = [p.name for p in verdict.products] if change.products is None else change.products
    events = [e.id for e in verdict.events] if change.events is None else change.events
    when = (verdict.expected.value if verdict.expected else "") if change.when is None else change.when
    relevance = change.relevance or verdict.relevance.label
    core, told = relevance == "core", relevance != "none"
    return Label(
        id=verdict.article_id,
        relevance=relevance,
        actors=sorted(roles) if told else [],
        products=products if told else [],
        events=events if core else [],
        status=(change.status or verdict.status) if core else "none",
        when=when if core else "",
        lang=verdict.language,
        date=f"{verdict.published_at:%Y-%m-%d}",
        source=verdict.feed,
        roles=dict(sorted(roles.items())) if core else {},
    )


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
        check(label)
        roles.setdefault(label.id, {}).update(label.roles)
        if label.relevance:
            found.setdefault(label.id, label)
    return [msgspec.structs.replace(label, roles=roles[label.id]) for label in found.values()]


def check(label: Label) -> None:
    """Raises LabelError where a label says what none may."""
    unknown = (
        ({label.relevance} - {"", *RELEVANCE})
        | (set(label.events) - set(EVENTS))
        | ({label.status} - set(STATUSES))
        | (set(label.roles.values()) - set(ROLES))
    )
    if unknown:
        raise LabelError(f"label of {label.id} says {', '.join(sorted(unknown))}, which is no label")
    if label.relevance == "core" and not label.events:
        raise LabelError(f"label of {label.id} is core and has no event")
    if label.when and not re.fullmatch(DATE, label.when):
        raise LabelError(
            f"label of {label.id} says {label.when!r}: a date is 2025, 2025-Q3, 2025-04 or 2025-04-17"
        )
