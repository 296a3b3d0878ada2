"""Do two articles tell of the same development? Titles and facts compared, in every script.

Not here: which stories there are to choose from (`decide`).
"""

import re
from itertools import pairwise

from pipeline.stories.facts import has_version, product_key
from pipeline.stories.values import Member, Settings

_RUNS = re.compile(r"[぀-ヿ㐀-鿿가-힯]+|[^\W_぀-ヿ㐀-鿿가-힯]+")
_CJK = re.compile(r"[぀-ヿ㐀-鿿가-힯]")

# The less two articles share, the more alike their titles must be. Tuned on the labelled story windows.
SAME_VERSION = 0.0
SAME_PRODUCT_AND_EVENT = 0.15
SAME_MOVERS_AND_EVENT = 0.2
SAME_ACTOR = 0.3


def words(title: str) -> frozenset[str]:
    """A title's words without case; runs of Chinese, Japanese and Korean give their pairs of characters.

    Words of up to three letters are left out: in every language most of them are glue, and `AI` is everywhere.
    """
    found: set[str] = set()
    for run in _RUNS.findall(title.casefold()):
        if _CJK.match(run):
            found.update(a + b for a, b in pairwise(run))
        elif len(run) > 3 or not run.isalpha():
            found.add(run)
    return frozenset(found)


def likeness(a: str, b: str) -> float:
    """The share of common words in two titles (Jaccard), 0 to 1."""
    left, right = words(a), words(b)
    return len(left & right) / len(left | right) if left and right else 0.0


def fit(centre: Member, other: Member, settings: Settings) -> float | None:
    """How well `other` belongs to the story founded by `centre`; None where it does not."""
    if abs(centre.article.published_at - other.article.published_at) > settings.window:
        return None
    if not set(centre.actors) & set(other.actors):
        return None
    left, right = ({product_key(p) for p in m.products} for m in (centre, other))
    shared = left & right
    if not shared and any(map(has_version, left)) and any(map(has_version, right)):
        return None  # Qwen 3 and Qwen 2.5: titles as alike as they can be, and two developments
    same_event = centre.events[:1] == other.events[:1]
    needed = SAME_ACTOR
    if set(centre.movers) & set(other.movers):
        if any(map(has_version, shared)):
            needed = SAME_VERSION
        elif shared and same_event:
            needed = SAME_PRODUCT_AND_EVENT
        elif same_event:
            needed = SAME_MOVERS_AND_EVENT
    like = likeness(centre.article.title, other.article.title)
    return like - needed if like >= needed else None
