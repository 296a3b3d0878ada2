"""Markdown for the flows' artifacts.

A round of polls: what changed, then what came in; feeds that gave nothing are only counted. A loss proof: its
lines, then what it has found.
"""

import re
from collections.abc import Sequence

from pipeline.feeds.fulltext import counted
from pipeline.store.balance import Balance
from pipeline.store.feeds import Poll

_COLUMNS = ("articles", "revisions", "sightings", "rejected")
# What Markdown, or HTML in it, would take for more than a letter. Servers have a hand in these words.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#|!&~]")


def summary(polls: Sequence[Poll]) -> str:
    """The report on one round; a sentence where nothing changed and nothing came in."""
    sums = totals(polls)
    news = [_counted(sums[name], name) for name in ("articles", "revisions", "sightings") if sums[name]]
    lines = [f"{_counted(len(polls), 'feeds')} polled: {', '.join(news) or 'nothing new'}."]
    changed = [f"- **{p.feed_id}** {_plain(p.change)}" for p in polls if p.change]
    if changed:
        lines += ["", "## Changed since the poll before", "", *changed]
    yielding = [p for p in polls if p.articles or p.revisions or p.sightings]
    if yielding:
        lines += ["", f"| feed | {' | '.join(_COLUMNS)} |", f"|---{'|---:' * len(_COLUMNS)}|"]
        lines += [f"| {p.feed_id} | {' | '.join(str(row(p)[name]) for name in _COLUMNS)} |" for p in yielding]
    return "\n".join(lines)


def balance(found: Balance) -> str:
    """The report on a loss proof."""
    said = f"**findings: {found.found}**" if found.found else "balanced: nothing is missing or too many"
    lines = [said, "", "| what | how many | accounted for | missing | too many |", "|---|---:|---|---:|---:|"]
    lines += [f"| {x.what} | {x.count} | {x.accounted} | {x.missing} | {x.surplus} |" for x in found.lines]
    lines += [
        "",
        *(f"- **{f.problem}** {_plain(f'{f.subject}, {f.where} {f.detail}')}" for f in found.findings),
    ]
    return "\n".join(lines)


def row(poll: Poll) -> dict[str, object]:
    """A poll as a row of the table people see."""
    return {
        "feed": poll.feed_id,
        "fetch": poll.fetch,
        "entries": poll.entries,
        "articles": poll.articles,
        "revisions": poll.revisions,
        "sightings": poll.sightings,
        "unchanged": poll.unchanged,
        "rejected": len(poll.rejects),
        "history": poll.history,
        "pages": counted(poll.pages),
        "detail": poll.detail,
    }


def totals(polls: Sequence[Poll]) -> dict[str, int]:
    """The sums over polls; `history` is what is no news."""
    names = ("entries", "articles", "revisions", "sightings", "unchanged", "history")
    sums = {name: sum(getattr(p, name) for p in polls) for name in names}
    return {"feeds": len(polls), **sums, "rejected": sum(len(p.rejects) for p in polls)}


def _counted(count: int, plural: str) -> str:
    return f"{count} {plural.removesuffix('s') if count == 1 else plural}"


def _plain(words: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", " ".join(words.split()))
