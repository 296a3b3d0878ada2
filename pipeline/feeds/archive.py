"""Archives: articles as lines of JSON, and saved feed documents, read into candidates and rejects.

A file that ends in `.jsonl` or `.ndjson` has a line an article (`Line`); any other is a feed document of any
kind that is polled. Both may be packed (`.gz`). Nothing in a file stops the reading: what is no article of
the past becomes a reject with its place. Not here: what is known already, and publishing.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.feeds import text
from pipeline.feeds.dates import published
from pipeline.feeds.discover import language_of
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Reject
from pipeline.feeds.parse import parse
from pipeline.feeds.registry import free_id
from pipeline.feeds.values import Entry, Feed, ParsedFeed
from schemas.messages import FeedRef, Label

MAX_LINE = 4_000_000  # bytes: ten times the longest article that is taken over
MAX_DOCUMENT = 50_000_000  # bytes, unpacked; the parser has bounds of its own
_LINES = (".jsonl", ".ndjson")

# A file has no site against which links could be resolved; this names none (RFC 2606).
_NOWHERE = "https://archive.invalid/"


class Line(Struct, frozen=True):
    """An article as a line. `url`, a title or text, and a date in the past must be there.

    The names are those of `news.articles.v1`, so that a dump of the topic is an archive, and those that
    `racewire assess` reads. The longest text counts. `feed` is an id of the registry, a name, or as in a
    message; without one it is the site's name.
    """

    url: str | None = None
    title: str | None = None
    text: str | None = None
    content: str | None = None
    summary: str | None = None
    text_source: Label | None = None
    published_at: str | None = None
    published: str | None = None
    language: str | None = None
    lang: str | None = None
    feed: FeedRef | str | None = None
    source: str | None = None


class Item(NamedTuple):
    """What became of a line or an entry: where it stands, and whose it is."""

    place: str
    feed: Feed
    entry: Candidate | Reject


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among `paths` and in the folders among them, by name; hidden ones are left out."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for found in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in found.relative_to(path).parts)
            if found.is_file() and not hidden:
                yield found


class Archive:
    """Reads files as one observation at `now`; feeds of the `registry` are recognised by id and title.

    `of`, where given, is the feed of all that is read.
    """

    def __init__(self, registry: Sequence[Feed], now: datetime, of: Feed | None = None) -> None:
        self._now, self._of = now, of
        self._feeds = {f.title.casefold(): f for f in registry} | {f.id: f for f in registry}
        self._detector = Detector({f.language for f in registry} | {"en"})

    def items(self, path: Path) -> Iterator[Item]:
        """Every line or entry of a file, in its order."""
        plain = path.with_suffix("") if path.suffix == ".gz" else path
        lines = plain.suffix in _LINES
        try:
            with _open(path) as file:
                yield from self._lines(path, file) if lines else self._document(path, plain, file)
        except (OSError, EOFError, zlib.error) as error:
            yield self._refused(str(path), "unreadable", str(error) or type(error).__name__)

    def _lines(self, path: Path, file: BinaryIO) -> Iterator[Item]:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            place = f"{path}:{number}"
            if len(line) > MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE)
                yield self._refused(place, "too-long", f"the line has more than {MAX_LINE} bytes")
            elif line.strip():
                yield self._line(place, line)

    def _line(self, place: str, line: bytes) -> Item:
        try:
            given = msgspec.json.decode(line, type=Line)
        except (msgspec.MsgspecError, UnicodeError) as error:
            return self._refused(place, "not-an-article", str(error))
        raw = given.text or "", given.content or "", given.summary or ""
        bodies = [text.from_either(value, is_html=False) for value in raw]
        longest = max(range(3), key=lambda i: len(bodies[i]))
        moment, precision = published([(given.published_at, None), (given.published, None)])
        entry = Entry(
            link=given.url or "",
            title=text.from_either(given.title or "", is_html=False, limit=text.MAX_TITLE),
            text=bodies[longest],
            text_source=(given.text_source or "content", "content", "summary")[longest],
            published=moment,
            precision=precision,
        )
        if not entry.link:
            return self._refused(place, "no-address", "an article of the past needs the address it was at")
        said = given.feed or given.source or ""
        feed = self._feed(said.id if isinstance(said, FeedRef) else said, entry.link)
        if isinstance(said, FeedRef) and feed.url == _NOWHERE and said.kind in _KINDS:
            feed = replace(feed, kind=said.kind, rank=said.rank)
        feed = replace(feed, language=language_of(given.language or given.lang or "", feed.language))
        (found,) = identify(
            feed, ParsedFeed(base=_NOWHERE, entries=(entry,)), now=self._now, detector=self._detector
        )
        return Item(place, feed, _of_the_past(found))

    def _document(self, path: Path, plain: Path, file: BinaryIO) -> Iterator[Item]:
        body = file.read(MAX_DOCUMENT + 1)
        if len(body) > MAX_DOCUMENT:
            yield self._refused(str(path), "too-long", f"the document has more than {MAX_DOCUMENT} bytes")
            return
        # A saved document is known by its name or its folder's: paper.xml, paper/2024-06-01.xml.gz.
        named = self._of or self._feeds.get(plain.stem) or self._feeds.get(path.absolute().parent.name)
        parsed = parse(body, url=named.url if named else _NOWHERE)
        if parsed.problem is not None:
            hint = f"; articles as lines of JSON end in {' or '.join(_LINES)}" if body[:1] == b"{" else ""
            yield self._refused(str(path), parsed.problem, f"{parsed.detail}{hint}")
            return
        links = (entry.link for entry in parsed.entries)
        feed = named or self._feed("", parsed.site or next(filter(None, links), ""))
        if named is None:
            feed = replace(feed, language=language_of(parsed.language, feed.language))
        for entry in identify(feed, parsed, now=self._now, detector=self._detector):
            yield Item(f"{path}#{entry.position + 1}", feed, _of_the_past(entry))

    def _feed(self, name: str, address: str) -> Feed:
        """The feed of that name: of the registry, else one that is like it and ranks behind all of them."""
        known = self._of or self._feeds.get(name) or self._feeds.get(name.casefold())
        if known is not None:
            return known
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].rstrip("-")
        try:
            feed_id = slug or free_id(address, ())
        except ValueError:  # no address: the article will be refused for it
            feed_id = "archive"
        if feed_id in self._feeds:
            return self._feeds[feed_id]
        return Feed(id=feed_id, url=_NOWHERE, title=feed_id, language="en", kind="press", rank=9)

    def _refused(self, place: str, reason: str, detail: str) -> Item:
        return Item(place, self._feed("", ""), Reject(position=0, reason=reason, detail=detail))


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


_KINDS = ("press", "lab", "research", "community")


def _of_the_past(entry: Candidate | Reject) -> Candidate | Reject:
    """What history cannot use is refused: a relative address, and a date that would be today's."""
    if isinstance(entry, Reject):
        return entry
    article = entry.article
    why = None
    if urlsplit(article.url).hostname == urlsplit(_NOWHERE).hostname:
        why = "no-address", "its address is relative or missing, and nothing says to which site"
    elif article.published_precision == "observed":
        why = "undated", "history without a date in the past would count as today's"
    if why is None:
        return entry
    return Reject(
        position=entry.position,
        reason=why[0],
        detail=why[1],
        address=article.url[:200],
        title=article.title[:200],
    )
