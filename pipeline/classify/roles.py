"""Which part each actor has in an article: mover, partner, target, rival or mentioned.

Cues (a table of the lexicon) are words right before or right after a name: `against X`, `X-backed`,
`sues X`. Without a cue who stands in the title moves, and who is only in the text is mentioned, unless nobody
moves yet.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from .entities import Mention
from .folding import fold, is_cjk
from .lexicon import EVENTS, ROLES, LexiconError

# How far before and after a name a cue may stand, in characters.
_REACH = 28
_BEFORE = r"(?:{})[ \"'(]*(?:the |der |die |das |den |dem )?$"
_AFTER = r"^(?:'s)?[ \"')-]*(?:{})"


class Cues(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one role that stand right before or right after a name."""

    before: list[str] = []
    after: list[str] = []


class RoleTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Cues by role (the first role with a cue wins); `second`: by event, who else is in the title."""

    cues: dict[str, Cues]
    second: dict[str, str]


class RoleReader:
    """The table, ready to read. Raises LexiconError when it names unknown roles or events."""

    def __init__(self, table: RoleTable) -> None:
        if unknown := {*table.cues, *table.second.values()} - set(ROLES):
            raise LexiconError(f"lexicon table roles.yaml has unknown roles {sorted(unknown)}")
        if unknown := set(table.second) - set(EVENTS):
            raise LexiconError(f"lexicon table roles.yaml has unknown events {sorted(unknown)}")
        self._second = table.second
        self._before = [(role, _any(cues.before, _BEFORE)) for role, cues in table.cues.items()]
        self._after = [(role, _any(cues.after, _AFTER)) for role, cues in table.cues.items()]

    def read(self, mentions: Sequence[Mention], event: str) -> dict[str, str]:
        """The role of each actor named (in reading order, title first) in an article with this main event."""
        found: dict[str, str] = {}
        for mention in mentions:
            if found.get(mention.actor, "mentioned") != "mentioned":
                continue
            role = self._cue(mention)
            moved = "mover" in found.values()
            if not role and mention.field.field == "title":
                role = self._second.get(event, "mover") if moved else "mover"
            elif not role and not moved:
                role = "mover"
            found[mention.actor] = role or found.get(mention.actor, "mentioned")
        return found

    def _cue(self, mention: Mention) -> str:
        """The role the words next to a mention give it, empty if none."""
        text = mention.field.text
        before = text[max(0, mention.start - _REACH) : mention.start]
        after = text[mention.end : mention.end + _REACH]
        for patterns, words in ((self._before, before), (self._after, after)):
            for role, pattern in patterns:
                if pattern is not None and pattern.search(words):
                    return role
        return ""


def _any(words: Sequence[str], frame: str) -> re.Pattern[str] | None:
    if not words:
        return None
    parts = sorted((fold(word) for word in words), key=lambda word: (-len(word), word))
    bounded = [re.escape(part) if is_cjk(part[0]) else rf"(?<![^\W_]){re.escape(part)}" for part in parts]
    return re.compile(frame.format("|".join(bounded)))
