"""Which part each actor has in an article: mover, partner, target, rival or mentioned.

Cues (a table of the lexicon) are words right before or right after a name: `against X`, `X-backed`,
`sues X`. Names in a list (`X, Y and Z`) have one part. Without either the first one named moves, and the main
event tells what the others are to it: whoever is in a deal's title is a partner, in a ranking's text a rival.
"""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from .entities import Mention
from .folding import fold, is_cjk, is_inner
from .lexicon import EVENTS, ROLES, LexiconError

# How far before and after a name a cue may stand, in characters.
_REACH = 28
# What may stand between a cue and the name.
_ARTICLES = ("the ", "der ", "die ", "das ", "den ", "dem ")
_OPENING, _CLOSING = " \"'(", " \"')-"


class Cues(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one role that stand right before or right after a name."""

    before: list[str] = []
    after: list[str] = []


class RoleTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Cues by role (of two that fit the longer wins, then the first role); `joins` link the names of a list.

    By event `second` is who else is in the title, `below` who is in the text only.
    """

    cues: dict[str, Cues]
    joins: list[str]
    second: dict[str, str]
    below: dict[str, str]


class RoleReader:
    """The table, ready to read. Raises LexiconError when it names unknown roles or events."""

    def __init__(self, table: RoleTable) -> None:
        if unknown := {*table.cues, *table.second.values(), *table.below.values()} - set(ROLES):
            raise LexiconError(f"lexicon table roles.yaml has unknown roles {sorted(unknown)}")
        if unknown := {*table.second, *table.below} - set(EVENTS):
            raise LexiconError(f"lexicon table roles.yaml has unknown events {sorted(unknown)}")
        self._second, self._below = table.second, table.below
        joins = "|".join(re.escape(fold(join)) for join in sorted(table.joins, key=lambda join: -len(join)))
        self._join = re.compile(rf"s? ?(?:{joins}) ?(?:the |der |die |das )?")
        self._before = _Words({role: cues.before for role, cues in table.cues.items()})
        self._after = _Words({role: cues.after for role, cues in table.cues.items()})

    def read(self, mentions: Sequence[Mention], event: str) -> dict[str, str]:
        """The role of each actor named (in reading order, title first) in an article with this main event."""
        found: dict[str, str] = {}
        last: Mention | None = None
        for mention in mentions:
            before, last = last, mention
            if found.get(mention.actor, "mentioned") != "mentioned":
                continue
            role = self._cue(mention)
            # A partner's cue may be no more than the list's `and`.
            if role in ("", "partner") and before is not None and self._joined(before, mention):
                role = found[before.actor]
            if not role and "mover" not in found.values():
                role = "mover"
            elif not role and mention.field.field == "title":
                role = self._second.get(event, "mover")
            found[mention.actor] = role or self._below.get(event, "mentioned")
        return found

    def _joined(self, first: Mention, second: Mention) -> bool:
        """Whether two names stand side by side in one list."""
        if first.field is not second.field or first.actor == second.actor:
            return False
        return self._join.fullmatch(first.field.text[first.end : second.start]) is not None

    def _cue(self, mention: Mention) -> str:
        """The role the words next to a mention give it, empty if none."""
        text = mention.field.text
        before = text[max(0, mention.start - _REACH) : mention.start]
        after = text[mention.end : mention.end + _REACH]
        for article in _ARTICLES:
            if before.endswith(article):
                before = before.removesuffix(article)
                break
        after = after.removeprefix("'s")
        return (
            self._before.ending(before.rstrip(_OPENING))
            or self._after.beginning(after)
            or self._after.beginning(after.lstrip(_CLOSING))
        )


class _Words:
    """Cues by their role, looked up by length: a search for each of 300 would take longer than all else."""

    def __init__(self, cues: Mapping[str, Sequence[str]]) -> None:
        self._roles: dict[str, str] = {}
        for role, words in cues.items():
            for word in words:
                self._roles.setdefault(fold(word), role)
        self._lengths = sorted({len(word) for word in self._roles}, reverse=True)

    def ending(self, text: str) -> str:
        """The role of the longest cue that ends a text and begins with a word, empty if none."""
        for length in self._lengths:
            start = len(text) - length
            role = self._roles.get(text[start:]) if start >= 0 else None
            if role and (is_cjk(text[start]) or not is_inner(text, start - 1)):
                return role
        return ""

    def beginning(self, text: str) -> str:
        """The role of the longest cue that begins a text, empty if none."""
        for length in self._lengths:
            if role := self._roles.get(text[:length]):
                return role
        return ""
