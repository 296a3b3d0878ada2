"""The values that cross the room's door: what the storyteller remembers, asks for, and is told to write.

The store keeps `Member`s (one row an article) and `Release`s; a `Story` is always folded from its members, so
it can be rebuilt from them. Nothing here decides anything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from schemas.messages import Release, Story, StoryArticle


class Member(Struct, frozen=True, kw_only=True):
    """One article as it was placed in a story: all that later decisions need to know of it.

    `movers` are the actors whose development it is, `actors` adds partners and targets; `products` are those
    in its title that are not a bystander's, `events` has the main one first.
    """

    story_id: str
    article: StoryArticle
    movers: tuple[str, ...]
    actors: tuple[str, ...]
    products: tuple[str, ...]
    events: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`window` is how far an article may lie from the founding article of its story, before or after."""

    window: timedelta = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What to load before an assessment is decided. Loading more changes no decision; loading less may.

    - every member of the story that has `article_id` as a member;
    - every member of each story that has a member with one of `actors` among its own `actors`, published
      between `since` and `until` (both inclusive);
    - the releases named in `releases`, and those with a statement by `article_id`.
    """

    article_id: str
    actors: frozenset[str]
    since: datetime
    until: datetime
    releases: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class State:
    """What was remembered before the batch; `Keys` says what must be in it."""

    members: tuple[Member, ...] = ()
    releases: tuple[Release, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be written; everything that would not change is left out.

    `members` are new or changed rows, `left` the articles that are in no story any more (delete their
    rows). `stories` and `releases` are whole new states with version 0: the store numbers them. A story that
    lost its last article comes as its last state with empty `articles`; `merged_into` names the story that
    article went to, if any. A release that lost its last statement has none and status `none`.
    """

    members: tuple[Member, ...]
    left: tuple[str, ...]
    stories: tuple[Story, ...]
    releases: tuple[Release, ...]
