"""Do two articles tell of the same development? Titles and facts compared, in every script.

Not here: which stories there are to choose from (`decide`).
"""

import re
from datetime import timedelta
from itertools import pairwise

from pipeline.stories.facts import has_version, product_key
from pipeline.stories.values import Member, Settings

_RUNS = re.compile(r"[぀-ヿ㐀-鿿가-힯]+|[^\W_぀-ヿ㐀-鿿가-힯]+")
_CJK = re.compile(r"[぀-ヿ㐀-鿿가-힯]")

# What speaks for one development, in log-odds. Fitted to the pairs of the labelled windows that share an
# actor within a week (3,627, of which 196 are one story), then rounded. `_VERSION` is set by hand: titles in
# two scripts share hardly a word, and a maker's own version in both is what a reader would call one story.
_WORDS = 7.5  # times the share of common words
_MORE_ACTORS = 1.0  # for the second and the third actor in common
_SAME_ACTORS = 1.3
_EVENT = 0.8
_PRODUCT = 1.0
_VERSION = 3.0
_WEEK = -3.0  # times the weeks between them
_NEEDED = 5.0


def words(title: str) -> frozenset[str]:
    """A title's words without case; runs of Chinese, Japanese and Korean give their pairs of characters.

    Words of up to three letters are left out: in every language most are glue, and `AI` is everywhere.
    """
    found: set[str] = set()
    for run in _RUNS.findall(title.casefold()):
        if _CJK.match(run):
            found.update(a + b for a, b in pairwise(run))
        elif len(run) > 3 or not run.isalpha():
            found.add(run)
    return frozenset(found)


def overlap(a: str, b: str) -> float:
    """The share of the shorter title's words that the other one has too, 0 to 1."""
    left, right = words(a), words(b)
    return len(left & right) / min(len(left), len(right)) if left and right else 0.0


def fit(centre: Member, other: Member, settings: Settings) -> float | None:
    """How well `other` belongs to the story founded by `centre`, from 0; None where it does not."""
    apart = abs(centre.article.published_at - other.article.published_at)
    actors = len(set(centre.actors) & set(other.actors))
    if apart > settings.window or not actors:
        return None
    left, right = ({product_key(p) for p in m.products} for m in (centre, other))
    products = left & right
    if not products and any(map(has_version, left)) and any(map(has_version, right)):
        return None  # Qwen 3 and Qwen 2.5: titles as alike as they can be, and two developments
    worth = _WORDS * overlap(centre.article.title, other.article.title) + _WEEK * (apart / timedelta(weeks=1))
    worth += _MORE_ACTORS * min(actors - 1, 2)
    if set(centre.actors) == set(other.actors):
        worth += _SAME_ACTORS
    if set(centre.events) & set(other.events):
        worth += _EVENT
    if products:
        worth += _PRODUCT
    if any(map(has_version, products)) and set(centre.movers) & set(other.movers):
        worth += _VERSION
    return worth - _NEEDED if worth >= _NEEDED else None
