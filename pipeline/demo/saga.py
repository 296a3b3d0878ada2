"""A saga: the feeds of a small press, what they carry round by round, and what must come out of it.

One YAML file a saga, any number in a folder. Only the newsroom serves it, and only the summary reads `expect`
and `relevance`: the pipeline sees neither.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
import yaml

SAGAS = Path(__file__).parent / "sagas"


class SagaError(ValueError):
    """A saga file cannot be used; the message names the file and the field."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mistyped field in a saga is an error, not a default."""


class DemoFeed(_Strict, frozen=True, kw_only=True):
    """A paper of the saga."""

    id: str
    title: str
    language: str
    kind: str
    rank: int
    format: Literal["rss", "atom"]


class Item(_Strict, frozen=True, kw_only=True):
    """What a feed shows from a round on; `text` may be HTML.

    The same feed and slug in a later round is a corrected article; another item's `url` makes a second feed
    carry the same article. `relevance` is the verdict the summary wants: core, none, or either (peripheral).
    """

    feed: str
    slug: str
    title: str
    text: str
    published: datetime
    url: str = ""
    relevance: Literal["core", "peripheral", "none"] = "none"

    @property
    def link(self) -> str:
        """The article's address: stable over runs, and of no real site."""
        return self.url or f"https://{self.feed}.example/{self.slug}"


class ExpectedStory(_Strict, frozen=True, kw_only=True):
    """At least one of the stories about `product` of `actor` has articles in all `languages`."""

    actor: str
    product: str
    languages: list[str]


class ExpectedRelease(_Strict, frozen=True, kw_only=True):
    """A release whose statements go through `statuses` in this order and first expected it `expected`."""

    actor: str
    product: str
    statuses: list[str]
    expected: str
    slips: int


class Expect(_Strict, frozen=True, kw_only=True):
    """What the summary looks for among the verdicts, stories and releases of one saga."""

    actors: list[str]
    events: list[str]
    story: ExpectedStory
    release: ExpectedRelease


class Saga(_Strict, frozen=True, kw_only=True):
    """A name, its papers, the items by round, and what must be found."""

    name: str
    feeds: list[DemoFeed]
    expect: Expect
    rounds: list[list[Item]]

    def items(self) -> Iterator[Item]:
        """Every item, in the order of the rounds."""
        for carried in self.rounds:
            yield from carried


def load(folder: Path = SAGAS) -> list[Saga]:
    """The sagas of a folder by file name. Raises `SagaError`."""
    sagas = [_read(path) for path in sorted(folder.glob("*.yaml"))]
    if not sagas:
        raise SagaError(f"{folder}: no saga (*.yaml) in this folder")
    papers = [feed.id for saga in sagas for feed in saga.feeds]
    twice = sorted({p for p in papers if papers.count(p) > 1})
    if twice:
        raise SagaError(f"{folder}: feeds defined twice: {', '.join(twice)}")
    return sagas


def _read(path: Path) -> Saga:
    try:
        saga = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Saga)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise SagaError(f"{path}: {error}") from error
    unknown = {item.feed for item in saga.items()} - {feed.id for feed in saga.feeds}
    if unknown:
        raise SagaError(f"{path}: items of feeds that are not defined: {', '.join(sorted(unknown))}")
    return saga
