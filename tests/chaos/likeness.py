"""How like two worlds of the same input have become: one that was left in peace, one that was not.

Articles and verdicts must be the same but for the times at which things happened and the numbers of versions,
which say how many states there were on the way. Stories depend on the order of arrival, and are compared
as clusterings are, by B³.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.reading import World


@dataclass(frozen=True)
class Likeness:
    """How many articles and verdicts were compared, which differ, and B³ of the stories (1 is equal)."""

    articles: int
    different: tuple[str, ...]
    stories: float


def compare(one: World, other: World) -> Likeness:
    """Compare two worlds at rest."""
    different = []
    articles = _articles(one), _articles(other)
    verdicts = _verdicts(one), _verdicts(other)
    for what, (a, b) in (("article", articles), ("verdict on", verdicts)):
        different += [f"{what} {n}" for n in sorted(a.keys() | b.keys()) if a.get(n) != b.get(n)]
    return Likeness(len(articles[0]), tuple(different), b_cubed(_homes(one), _homes(other)))


def b_cubed(one: Mapping[str, str], other: Mapping[str, str]) -> float:
    """B³ F1 of two clusterings, each given as the cluster of every item; items must be the same to give 1."""
    items = one.keys() | other.keys()
    if not items:
        return 1.0
    first, second = _members(one), _members(other)
    precision = recall = 0.0
    for item in one.keys() & other.keys():
        a, b = first[one[item]], second[other[item]]
        precision += len(a & b) / len(a)
        recall += len(a & b) / len(b)
    if not precision:
        return 0.0
    precision, recall = precision / len(items), recall / len(items)
    return 2 * precision * recall / (precision + recall)


def _members(homes: Mapping[str, str]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for item, home in homes.items():
        found[home].add(item)
    return found


def _homes(world: World) -> dict[str, str]:
    return {name: row["story_id"] for name, row in world.table("story_members", "article_id").items()}


def _articles(world: World) -> dict[str, str]:
    """Every row of an article as text, without the times at which it was observed and stored."""
    lacking = {"first_stored_at", "observed_at"}
    return {n: _text(row, lacking) for n, row in world.table("articles", "article_id").items()}


def _verdicts(world: World) -> dict[str, str]:
    """The messages themselves, without their number and without when others saw the article."""
    found = {}
    for name, row in world.table("assessments", "article_id").items():
        body: dict[str, Any] = row["body"]
        seen = sorted((s["feed"], s["url"]) for s in body["sightings"])
        found[name] = _text({**body, "sightings": seen}, {"version"})
    return found


def _text(values: Mapping[str, Any], without: set[str]) -> str:
    return json.dumps({k: v for k, v in values.items() if k not in without}, sort_keys=True, default=str)
