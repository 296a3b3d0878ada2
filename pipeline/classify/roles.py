"""Which part each actor has in an article: mover, partner, target, rival or mentioned.

Names side by side (`X, Y and Z`, `OpenAI's o1`) have one part. Cues (a table of the lexicon) tell it: words
right before or after them (`rivals like X`, `X-backed`), words of their clause between the name before and
them (`buys the start-up X`) or behind them (`X verklagen`). Without any the first ones named move, and so
does who opens a clause of the title; the main event tells what others are to them: who is in a deal's title
is a partner, in a ranking's text a rival.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from .entities import Mention
from .folding import fold
from .passages import LEAD
from .role_table import BOUGHT, OPPOSED, Phrases, RoleTable, Words, earliest, latest

# How far from a name a cue may stand, in characters: right beside it, and in its clause.
_REACH, _CLAUSE = 28, 80
# What may stand between a cue and the name.
_ARTICLES, _ARTICLE = ("the ", "der ", "die ", "das ", "den ", "dem "), 4
_OPENING, _CLOSING = " \"'(", " \"')-"
# Where a clause ends (written like the end of a sentence).
_STOP = re.compile(r"[,:;!?。、…|/\n. \-](?:(?<=[,:;!?。、…|/\n])|(?<=\.)(?=\s|$)|(?<= )[-+] |(?<=-)-)")
# What stands between two names of one actor.
_OWN = re.compile(r"(?:'s|s|的|의|の)?[ \"'(]*")
# These compete with labs.
_LIKE_LABS = ("apps", "cloud", "community", "research")


class _Around(Struct, frozen=True):
    """The words around a list of names.

    `before` is the actor named before it, if near in its field, `verb` what that name has behind its first
    word (`US bans`), `gap` what stands between; `after` follows, `rest` as far as the clause goes, of which
    `reach` characters up to the next name.
    """

    before: str
    verb: str
    gap: str
    after: str
    rest: str
    reach: int


_NOTHING = _Around("", "", "", "", "", 0)


class RoleReader:
    """The table, ready to read, and the kinds of actors. Raises LexiconError: see `RoleTable.check`."""

    def __init__(self, table: RoleTable, kinds: Mapping[str, str]) -> None:
        table.check()
        self._second, self._below = table.second, table.below
        self._kinds = {actor: "lab" if kind in _LIKE_LABS else kind for actor, kind in kinds.items()}
        joins = "|".join(re.escape(fold(join)) for join in sorted(table.joins, key=lambda join: -len(join)))
        # No join is wider than its words, their endings and an article; more spaces and quotes join nothing.
        self._widest = max((len(fold(join)) for join in table.joins), default=0) + 12
        self._join = re.compile(rf"(?:-?s? ?(?:{joins}) ?(?:the |der |die |das )?)?")
        self._before = Words({role: cues.before for role, cues in table.cues.items()})
        self._after = Words({role: cues.after for role, cues in table.cues.items()})
        self._goods = Words({"partner": table.goods})
        self._between = Phrases(_by_kind(table, "over", "toward", "loose"))
        self._behind = Phrases(_by_kind(table, "passive", "behind"))
        self._joint = Phrases({"joint": {"partner": table.joint}})

    def read(self, mentions: Sequence[Mention], event: str, own: str = "") -> dict[str, str]:
        """The role of each actor named (in reading order, title first) in an article with this main event.

        On a site of its `own` an actor moves, unless another organisation is named first: its customer, say.
        """
        lists = list(self._lists(mentions))
        first = [m for m in mentions[: lists[0][1]] if m.actor == mentions[0].actor] if lists else []
        found = {own: "mover"} if own and any(m.actor == own or m.product for m in first) else {}
        default: dict[str, str] = {}
        for start, end in lists:
            names = mentions[start:end]
            titled = names[0].field.field == "title"
            new = [m.actor for m in names if found.get(m.actor, "mentioned") == "mentioned"]
            if not new:
                continue
            movers = [actor for actor, role in found.items() if role == "mover"]
            near = titled or names[0].start < LEAD
            around = _around(mentions, start, end) if near or not movers else _NOTHING
            role = self._told(around, bool(movers)) if near else ""
            if role == OPPOSED:
                role = "target" if self._second.get(event) == "target" else "rival"
            if role == BOUGHT:
                role = self._goods.beginning(around.after.lstrip(_CLOSING)) or "target"
            # `Acme's Ann joins Bolt`, where Ann stands for Bolt: who is left is named before her.
            left = movers[0] if movers and around.before in new else around.before
            if role == "mover" and left in movers:
                found[left] = "target"  # is left, bought or sued by it
            if role := role or found.get(names[0].actor, ""):
                found |= dict.fromkeys(new, role)
                continue
            new = [actor for actor in dict.fromkeys(new) if actor not in default and actor not in found]
            if movers and not (titled and around.before and _opens(around.gap)):
                default |= {actor: self._default(event, actor, titled, movers[0]) for actor in new}
                continue
            found |= dict.fromkeys(new, "mover")
            if movers and self._hit(movers, names[0].actor, event, own):
                found[movers[0]] = "target"
            if not movers and len(new) == 2:
                inside = names[0].field.text[names[0].end : names[-1].start]
                clause, reach = inside + around.rest, len(inside) + around.reach
                # A deal's two are partners anyway.
                if event == "deal" or earliest(self._joint.find(clause), "joint", reach):
                    found[new[1]] = "partner"
        return {
            actor: found.get(actor) or default[actor] for actor in dict.fromkeys(m.actor for m in mentions)
        }

    def _lists(self, mentions: Sequence[Mention]) -> Iterator[tuple[int, int]]:
        """Where lists of names side by side begin and end; most hold one."""
        start = 0
        for at in range(1, len(mentions)):
            first, second = mentions[at - 1], mentions[at]
            if first.field is second.field and 0 <= second.start - first.end <= self._widest:
                between = _OWN if first.actor == second.actor else self._join
                if between.fullmatch(first.field.text, first.end, second.start):
                    continue
            yield start, at
            start = at
        if mentions:
            yield start, len(mentions)

    def _told(self, around: _Around, moved: bool) -> str:
        """The role that the words before and behind a list give it, empty if none."""
        head = around.gap[-_REACH:]
        if head.endswith(_ARTICLES):
            head = head[:-_ARTICLE]
        # `X's rival Y`: the words are about the name before.
        owned = around.before and self._beside(around.gap) not in ("", "mentioned")
        clause = _STOP.split(around.gap)[-1]
        verb = around.verb if clause == around.gap else ""
        between = [] if owned else self._between.find(verb + clause)
        if moved and (role := latest(between, "over")):
            return role
        if not owned and (role := self._before.ending(head.rstrip(_OPENING))):
            return role
        if role := self._beside(around.after):
            return role
        behind = self._behind.find(around.rest)
        if not moved and (role := earliest(behind, "passive", around.reach)):
            return role
        if role := latest(between, "toward", len(verb)):
            return role
        if moved and (role := earliest(behind, "behind", around.reach)):
            return role
        return latest(between, "loose", len(verb))

    def _beside(self, after: str) -> str:
        """The role that the words right behind a name give it, empty if none."""
        after = after.removeprefix("'s")
        bare = after.lstrip(_CLOSING)
        return self._after.beginning(after) or (self._after.beginning(bare) if bare != after else "")

    def _hit(self, movers: Sequence[str], actor: str, event: str, own: str) -> bool:
        """Whether a state acts upon who was named before a colon: `Acme: EU opens a case`."""
        alone = len(movers) == 1 and movers[0] != own and self._second.get(event) == "target"
        return alone and self._kinds.get(actor) == "state" != self._kinds.get(movers[0])

    def _default(self, event: str, actor: str, titled: bool, mover: str) -> str:
        """The role without a cue; in the text alone only who is of a kind is a rival, and a state scenery."""
        if titled:
            return self._second.get(event, "partner")
        role = self._below.get(event, "mentioned")
        kind = self._kinds.get(actor, "")
        alike = kind == self._kinds.get(mover, "")
        return "mentioned" if kind == "state" or (role == "rival" and not alike) else role


def _by_kind(table: RoleTable, *kinds: str) -> dict[str, dict[str, list[str]]]:
    return {kind: {role: getattr(cues, kind) for role, cues in table.cues.items()} for kind in kinds}


def _around(mentions: Sequence[Mention], start: int, end: int) -> _Around:
    first, last = mentions[start], mentions[end - 1]
    text, before, verb, since = first.field.text, "", "", max(0, first.start - _CLAUSE)
    if start and (left := mentions[start - 1]).field is first.field and since <= left.end <= first.start:
        before, since = left.actor, left.end
        verb = text[left.start : left.end].partition(" ")[2]
    after = text[last.end : last.end + _CLAUSE]
    stop = _STOP.search(after)
    rest = after[: stop.start()] if stop else after
    reach = len(rest)
    if end < len(mentions) and mentions[end].field is last.field:
        reach = min(reach, mentions[end].start - last.end)
    return _Around(before, verb, text[since : first.start], after, rest, reach)


def _opens(gap: str) -> bool:
    """Whether a name behind this gap opens a clause."""
    _, *rest = _STOP.split(gap)
    return bool(rest) and not rest[-1].strip(_OPENING)
