"""A round of polls in Markdown: what changed, then what came in. Feeds that gave nothing are only counted."""

import re
from collections.abc import Sequence

from pipeline.store.feeds import Poll
from pipeline.workers.poller import row, totals

_COUNTED = ("articles", "revisions", "sightings", "rejected")
# What Markdown, or HTML in it, would take for more than a letter. Servers have a hand in these words.
_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#|!&~]")


def summary(polls: Sequence[Poll]) -> str:
    """The report on one round; a sentence where nothing changed and nothing came in."""
    sums = totals(polls)
    news = [f"{sums[name]} {name}" for name in ("articles", "revisions", "sightings") if sums[name]]
    lines = [f"{_feeds(len(polls))} polled: {', '.join(news) or 'nothing new'}."]
    changed = [f"- **{p.feed_id}** {_plain(p.change)}" for p in polls if p.change]
    if changed:
        lines += ["", "## Changed since the poll before", "", *changed]
    yielding = [p for p in polls if p.articles or p.revisions or p.sightings]
    if yielding:
        lines += ["", f"| feed | {' | '.join(_COUNTED)} |", f"|---{'|---:' * len(_COUNTED)}|"]
        lines += [f"| {p.feed_id} | {' | '.join(str(row(p)[name]) for name in _COUNTED)} |" for p in yielding]
    return "\n".join(lines)


def _feeds(count: int) -> str:
    return "1 feed" if count == 1 else f"{count} feeds"


def _plain(words: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", " ".join(words.split()))
