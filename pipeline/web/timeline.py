"""A release told in a line: `expected 2025-04 → slipped → released`."""

from dataclasses import dataclass

from schemas.messages import Release, ReleaseStatement

_WORDS = {
    # status: (without a date, before one)
    "rumoured": ("rumoured", "expected"),
    "announced": ("announced", "announced for"),
    "delayed": ("slipped", "slipped to"),
    "happened": ("released", "released"),
    "denied": ("denied", "denied"),
}


@dataclass(frozen=True)
class Step:
    """A turn in a release: what was said first by `first` and by `count` articles in a row."""

    words: str
    status: str
    first: ReleaseStatement
    count: int = 1


def steps(release: Release) -> list[Step]:
    """The turns of a release, oldest first.

    Once it is out, only a withdrawal is another turn: what is said after is about something else, as in the
    release's own state.
    """
    told: list[Step] = []
    known: str | None = None
    for said in release.statements:
        words = _words(said, known)
        known = said.expected or known
        last = told[-1] if told else None
        if last is not None and last.status == "happened" and said.status != "denied":
            continue
        if last is not None and last.words == words:
            told[-1] = Step(words, last.status, last.first, last.count + 1)
        else:
            told.append(Step(words, said.status, said))
    return told


def _words(said: ReleaseStatement, known: str | None) -> str:
    alone, before = _WORDS.get(said.status, (said.status, said.status))
    if said.expected is None or said.status in ("happened", "denied"):
        return alone
    # A delay within the expected month or quarter has no other date to tell.
    return alone if said.status == "delayed" and said.expected == known else f"{before} {said.expected}"
