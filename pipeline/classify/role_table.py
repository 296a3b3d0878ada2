"""The words that tell roles: the shape of `tables/roles.yaml`, and the words made ready to be looked up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from .folding import Folded, fold, is_cjk, is_inner
from .lexicon import EVENTS, ROLES, LexiconError
from .matcher import Hit, PhraseMatcher

# The part that a cue such as `against` gives: a target where the event has targets, else a rival.
OPPOSED = "opposed"
# The part that a cue such as `buys` gives: a partner whose goods are bought, else a target.
BOUGHT = "bought"


# A phrase found, with its kind and role.
Found = Hit[tuple[str, str]]


class Cues(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one role: right `before` or `after` a name, as they are, or phrases of its clause.

    `toward` stands between the name before (or the beginning of the clause) and this one, `loose` too, where
    nothing else tells. Once somebody moves `over` stands there, whatever else does (`bans deals with`), and
    `behind` after the name; as long as nobody does, `passive`.
    """

    before: list[str] = []
    after: list[str] = []
    toward: list[str] = []
    over: list[str] = []
    behind: list[str] = []
    passive: list[str] = []
    loose: list[str] = []


class RoleTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Cues by role, `opposed` and `bought` among them, and the roles by event of those that have no cue.

    `joins` link the names of a list; `joint` are phrases in or behind a list of two that make the second the
    first one's partner; `goods` behind a name are what is bought of it. `second` is who else is in the title,
    `below` who is in the text only.
    """

    cues: dict[str, Cues]
    joins: list[str]
    second: dict[str, str]
    below: dict[str, str]
    joint: list[str] = []
    goods: list[str] = []

    def check(self) -> None:
        """Raises LexiconError when it names unknown roles or events."""
        if unknown := {*self.cues, *self.second.values(), *self.below.values()} - {*ROLES, OPPOSED, BOUGHT}:
            raise LexiconError(f"lexicon table roles.yaml has unknown roles {sorted(unknown)}")
        if unknown := {*self.second, *self.below} - set(EVENTS):
            raise LexiconError(f"lexicon table roles.yaml has unknown events {sorted(unknown)}")


class Phrases:
    """Phrases by their kind and role, found anywhere in a clause: all kinds in one search."""

    def __init__(self, cues: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self._matcher: PhraseMatcher[tuple[str, str]] = PhraseMatcher()
        for kind, roles in cues.items():
            for role, phrases in roles.items():
                for phrase in phrases:
                    self._matcher.add(phrase, (kind, role))
        self._matcher.compile()

    def find(self, text: str) -> list[Found]:
        """Every phrase of a text."""
        return self._matcher.find(Folded("", text, text, None)) if text else []


def earliest(found: Iterable[Found], kind: str, limit: int) -> str:
    """The role of the phrase that begins first and before `limit`, the longer of two, empty if none."""
    hits = (
        (hit.start, -hit.end, hit.payload[1]) for hit in found if hit.payload[0] == kind and hit.start < limit
    )
    return min(hits, default=(0, 0, ""))[2]


def latest(found: Iterable[Found], kind: str, since: int = 0) -> str:
    """The role of the phrase that ends last, of those from `since` on, the longer of two, empty if none."""
    hits = (
        (hit.end, -hit.start, hit.payload[1])
        for hit in found
        if hit.payload[0] == kind and hit.start >= since
    )
    return max(hits, default=(0, 0, ""))[2]


class Words:
    """Words by their role at an end of a text, by their outer character: to try each would take too long."""

    def __init__(self, cues: Mapping[str, Sequence[str]]) -> None:
        roles: dict[str, str] = {}
        for role, words in cues.items():
            for word in words:
                roles.setdefault(fold(word), role)
        self._by_first: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._by_last: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for word, role in sorted(roles.items(), key=lambda item: -len(item[0])):
            self._by_first[word[0]].append((word, role))
            self._by_last[word[-1]].append((word, role))

    def beginning(self, text: str) -> str:
        """The role of the longest cue that begins a text, empty if none."""
        for word, role in self._by_first.get(text[:1], ()):
            if text.startswith(word):
                return role
        return ""

    def ending(self, text: str) -> str:
        """The role of the longest cue that ends a text and begins with a word, empty if none."""
        for word, role in self._by_last.get(text[-1:], ()):
            if text.endswith(word) and (is_cjk(word[0]) or not is_inner(text, len(text) - len(word) - 1)):
                return role
        return ""
