"""Stories told anew beside those that are out: which ids go on, and how far the two agree. Pure.

A clustering is given as the story of every article. Not here: telling them (`decide`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.stories.facts import story_id_of

Homes = Mapping[str, str]


def keep_ids(new: Homes, live: Homes) -> dict[str, str]:
    """The articles' stories of `new` under ids that readers of `live` know, where a story is much the same.

    A story takes the id with which it shares most articles, of those whose founder it holds or which have
    lost theirs: an id that one of its own articles did not found could be founded again. One that finds none
    has its founder's.
    """
    founders = {story_id_of(article): article for article in new}
    shared = Counter((story, live[article]) for article, story in new.items() if article in live)
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for (story, old), _ in sorted(shared.items(), key=lambda pair: (-pair[1], pair[0][1], pair[0][0])):
        founder = founders.get(old)
        if story not in ids and old not in taken and (founder is None or new[founder] == story):
            ids[story] = old
            taken.add(old)
    for story, articles in _clusters(new).items():
        if story not in ids:
            own = founders.get(story) in articles
            ids[story] = story if own else story_id_of(min(articles))
    return {article: ids[story] for article, story in new.items()}


def heirs(new: Homes, live: Homes) -> dict[str, str | None]:
    """For each story of `live` that `new` has no more, the one that has most of its articles, if any has."""
    there = set(new.values())
    found: dict[str, str | None] = {}
    for story, articles in _clusters(live).items():
        if story not in there:
            went = Counter(new[article] for article in sorted(articles) if article in new)
            found[story] = min(went, key=lambda heir: (-went[heir], heir)) if went else None
    return found


@dataclass(frozen=True)
class Agreement:
    """How two clusterings differ: articles with another story, stories that came together or fell apart.

    `b_cubed` is B³ F1, 1 where they are the same.
    """

    moved: int
    joined: int
    split: int
    b_cubed: float


def agreement(new: Homes, live: Homes) -> Agreement:
    """Compare what is told anew with what is out."""
    after, before = _clusters(new), _clusters(live)
    precision = recall = 0.0
    for article in new.keys() & live.keys():
        one, other = after[new[article]], before[live[article]]
        both = len(one & other)
        precision += both / len(one)
        recall += both / len(other)
    every = len(new.keys() | live.keys())
    p, r = (precision / every, recall / every) if every else (1.0, 1.0)
    return Agreement(
        moved=sum(new.get(article) != live.get(article) for article in new.keys() | live.keys()),
        joined=sum(len({live[a] for a in articles if a in live}) > 1 for articles in after.values()),
        split=sum(len({new[a] for a in articles if a in new}) > 1 for articles in before.values()),
        b_cubed=2 * p * r / (p + r) if p + r else 0.0,
    )


def _clusters(homes: Homes) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for article, story in homes.items():
        found[story].add(article)
    return found
