"""The cases of `tests/data/identity.yaml` as values, and the documents that their feeds serve.

A case has a host of its own, so that all of them can be run on one database.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import msgspec
import yaml
from msgspec.structs import replace

from pipeline.feeds.outcomes import OUTCOME_KINDS
from pipeline.feeds.values import Feed


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the values below: a word that the fixture gets wrong is an error."""


class Item(Value, frozen=True):
    """An entry; `host` stands before that of its case."""

    host: str = ""
    link: str = "/a"
    title: str = "Lab delays its model"
    text: str = ""
    guid: str = ""
    dated: bool = True


class Poll(Value, frozen=True):
    """A poll, or with `polls` several, `times` times. `cleaned_up`: the articles are deleted before it."""

    feed: str = ""
    entries: tuple[Item, ...] = ()
    gives: dict[str, int] = {}
    times: int = 1
    polls: tuple["Poll", ...] = ()
    cleaned_up: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """What must become of the entries, of every kind."""
        return {kind: self.gives.get(kind, 0) for kind in OUTCOME_KINDS}


class Rows(Value, frozen=True):
    """How many there must be at the end."""

    articles: int
    revisions: int
    sightings: int


class Case(Value, frozen=True):
    """`current` are columns that the article's row must have."""

    case: str
    ranks: dict[str, int]
    polls: tuple[Poll, ...]
    rows: Rows
    current: dict[str, str] = {}
    host: str = ""

    def feed_id(self, name: str) -> str:
        """A feed's id among those of all cases."""
        return f"{name}-{self.host.partition('.')[0]}"

    def feed(self, name: str, url: str) -> Feed:
        return Feed(
            id=self.feed_id(name),
            url=url,
            title=name,
            language="en",
            kind="press",
            rank=self.ranks[name],
            allow_hosts=frozenset({"127.0.0.1"}),
        )

    def steps(self) -> Iterator[tuple[Poll, bytes]]:
        """Every poll in its order, and the document that it finds. No two documents are the same bytes."""
        for number, poll in enumerate(_unrolled(self.polls)):
            yield poll, self._document(poll.entries, number)

    def _document(self, entries: tuple[Item, ...], number: int) -> bytes:
        items = "".join(
            f"<item><title>{escape(e.title)}</title><link>{escape(self._address(e))}</link>"
            f"<description>{escape(e.text)}</description>"
            + (f'<guid isPermaLink="false">{escape(e.guid)}</guid>' if e.guid else "")
            + ("<pubDate>Tue, 01 Apr 2025 08:00:00 GMT</pubDate>" if e.dated else "")
            + "</item>"
            for e in entries
        )
        return (
            f'<?xml version="1.0"?><!-- {number} --><rss version="2.0"><channel><title>{escape(self.case)}'
            f"</title><link>https://{self.host}/</link>{items}</channel></rss>"
        ).encode()

    def _address(self, item: Item) -> str:
        return f"https://{item.host}{self.host}{item.link}" if item.link.startswith("/") else item.link


def cases() -> list[Case]:
    """The cases of the fixture."""
    document = yaml.safe_load((Path(__file__).parent / "data" / "identity.yaml").read_text("utf-8"))
    found = msgspec.convert(document, list[Case])
    return [replace(case, host=f"case{number}.example") for number, case in enumerate(found)]


def _unrolled(polls: tuple[Poll, ...]) -> Iterator[Poll]:
    for poll in polls:
        for n in range(1, poll.times + 1):
            for one in poll.polls or (poll,):
                entries = tuple(
                    replace(
                        e,
                        **{
                            name: getattr(e, name).replace("{n}", str(n))
                            for name in ("link", "title", "text")
                        },
                    )
                    for e in one.entries
                )
                yield replace(one, entries=entries)
