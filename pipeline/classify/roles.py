"""Which part each actor has in an article: mover, partner, target, rival or mentioned.

Cues (a table of the lexicon) are words right before or right after a name: `against X`, `X-backed`,
`sues X`. Without a cue the first named in the title moves, who else is in the title moves with it, and who is only in
the text is mentioned.
"""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from .entities import Mention
from .folding import fold, is_cjk
from .lexicon import ROLES, LexiconError

# How far before and after a name a cue may stand, in characters.
_REACH = 28


class Cues(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one role that stand right before or right after a name."""

    before: list[str] = []
    after: list[str] = []


class RoleCues:
    """The table of cues, ready to match."""

    def __init__(self, table: Mapping[str, Cues]) -> None:
        if unknown := set(table) - set(ROLES):
            raise LexiconError(f"lexicon table roles.yaml has unknown roles {sorted(unknown)}")
        # In the order of the table: the first role whose cue stands there wins.
        self._before = [(role, _any(cues.before, r"(?:{})[ \"'(]*(?:the |der |die |das |den |dem )?$")) for role, cues in table.items()]
        self._after = [(role, _any(cues.after, r"^(?:'s)?[ \"')-]*(?:{})")) for role, cues in table.items()]

    def of(self, mention: Mention) -> str:
        """The role the words next to a mention give it, empty if none."""
        text = mention.field.text
        before = text[max(0, mention.start - _REACH) : mention.start]
        after = text[mention.end : mention.end + _REACH]
        for patterns, words in ((self._before, before), (self._after, after)):
            for role, pattern in patterns:
                if pattern is not None and pattern.search(words):
                    return role
        return ""


def roles(mentions: Sequence[Mention], cues: RoleCues) -> dict[str, str]:
    """The role of each actor named by `mentions` (in reading order, title first)."""
    found: dict[str, str] = {}
    weak: dict[str, str] = {}
    moved = False
    for mention in mentions:
        role = cues.of(mention)
        if role:
            found.setdefault(mention.actor, role)
        if mention.actor not in weak:
            in_title = mention.field.field == "title"
            weak[mention.actor] = "mover" if in_title or not moved else "mentioned"
        moved = moved or not role
    return {actor: found.get(actor, role) for actor, role in weak.items()}


def _any(words: Sequence[str], frame: str) -> re.Pattern[str] | None:
    if not words:
        return None
    parts = sorted((fold(word) for word in words), key=lambda word: (-len(word), word))
    bounded = [re.escape(part) if is_cjk(part[0]) else rf"(?<![^\W_]){re.escape(part)}" for part in parts]
    return re.compile(frame.format("|".join(bounded)))
