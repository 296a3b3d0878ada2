"""The registry: `feeds.yaml` as values, checked strictly, every mistake named with its line; and its growth.

A registry is a list of mappings with the fields of `Feed`. The one beside this module is the default.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from itertools import chain, count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml

from pipeline.feeds.address import BadAddressError, canonical
from pipeline.feeds.values import Feed

DEFAULT = Path(__file__).with_name("feeds.yaml")


class RegistryError(ValueError):
    """A registry that cannot be used. The message has a line for each mistake: `file:line: what is wrong`."""


@dataclass(frozen=True)
class Registry:
    """A registry that is read when it is needed. The same `digest` is the same feeds."""

    digest: str
    read: Callable[[], tuple[Feed, ...]]

    @classmethod
    def at(cls, path: Path) -> "Registry":
        """The registry of a file. Raises `RegistryError` where it cannot be read; `read` as `load` does."""
        try:
            document = path.read_bytes()
        except OSError as error:
            raise RegistryError(f"{path}: the feed registry cannot be read: {error}") from error
        # Another release may read the same file otherwise.
        return cls(sha256(version("racewire").encode() + document).hexdigest(), lambda: load(path))

    @classmethod
    def of(cls, feeds: Iterable[Feed]) -> "Registry":
        """The registry of these feeds."""
        feeds = tuple(feeds)
        return cls(sha256(msgspec.json.encode(feeds, order="deterministic")).hexdigest(), lambda: feeds)


def load(path: Path = DEFAULT) -> tuple[Feed, ...]:
    """The feeds of a registry in its order. Raises `RegistryError` with every mistake that is in it."""
    try:
        document = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path}: the feed registry cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise RegistryError(f"{path}:{line}: not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(document, yaml.SequenceNode) or not document.value:
        raise RegistryError(f"{path}:1: a feed registry is a list of feeds, and has at least one")
    feeds: list[Feed] = []
    mistakes: list[str] = []
    first_line: dict[tuple[str, str], int] = {}
    for node in document.value:
        try:
            feed = _feed(node)
        except _Mistake as mistake:
            mistakes.append(f"{path}:{mistake.line}: {mistake}")
            continue
        feeds.append(feed)
        line = node.start_mark.line + 1
        for key in (("id", feed.id), ("url", canonical(feed.url))):
            if first_line.setdefault(key, line) != line:
                mistakes.append(f"{path}:{line}: the {key[0]} {key[1]} is taken since line {first_line[key]}")
    if mistakes:
        raise RegistryError("\n".join(mistakes))
    return tuple(feeds)


def grow(path: Path, feeds: Iterable[Feed], source: Path) -> None:
    """Write to `path` what is in `source`, to the letter, with `feeds` at its end: all of it or nothing.

    Raises RegistryError where the whole is no registry.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate = path.with_suffix(".new")
    candidate.write_text(source.read_text("utf-8").rstrip("\n") + "\n" + as_yaml(feeds), "utf-8")
    try:
        load(candidate)
    except RegistryError as error:
        candidate.unlink()
        raise RegistryError(str(error).replace(candidate.name, path.name)) from error
    candidate.replace(path)


def as_yaml(feeds: Iterable[Feed]) -> str:
    """Feeds as a registry has them, without fields that are empty."""
    entries = [{k: v for k, v in msgspec.to_builtins(f, order="deterministic").items() if v} for f in feeds]
    return str(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True))


def renamed(feeds: Iterable[Feed], stored: Iterable[Feed]) -> dict[str, str]:
    """The new ids, by the old, of feeds that are `stored` under an id which the registry no longer has.

    A feed is known by its address. Of several old ids the first in `stored` counts.
    """
    feeds, stored = tuple(feeds), tuple(stored)
    kept, old_ids = {f.id for f in feeds}, {f.id for f in stored}
    new = {canonical(f.url): f.id for f in feeds if f.id not in old_ids} if kept - old_ids else {}
    found: dict[str, str] = {}
    for feed in stored:
        if new and feed.id not in kept and (now := new.pop(canonical(feed.url), None)) is not None:
            found[feed.id] = now
    return found


def checked(fields: Mapping[str, Any]) -> Feed:
    """A feed of these fields. Raises RegistryError that names the field which is wrong."""
    try:
        feed = msgspec.convert(dict(fields), Feed)
        canonical(feed.url)
    except ValueError as error:
        raise RegistryError(f"{fields.get('id')}: {error}") from error
    return feed


def free_id(address: str, taken: Container[str]) -> str:
    """An id for a feed of the site at `address` that is not `taken`: what people call the site."""
    host = urlsplit(address).hostname or ""
    name = _SUFFIX.sub("", _PREFIX.sub("", host))
    name = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:60].rstrip("-") or "feed"
    return next(i for i in chain([name], (f"{name}-{n}" for n in count(2))) if i not in taken)


# What stands before and behind a site's own name. A name of its own must remain.
_PREFIX = re.compile(r"^(?:(?:www|m|feeds?|rss|blogs?|news)\.)+(?=[^.]+\.[^.])")
_SUFFIX = re.compile(r"(?<=[^.])(?:\.(?:com?|org|net|ac|gov|edu|ne|or|gr))?\.[a-z][a-z0-9-]+$")


class _Mistake(Exception):  # noqa: N818 - an operator's mistake, not an error that leaves this module
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _feed(node: yaml.Node) -> Feed:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise _Mistake(line, "a feed is a mapping with id, url, title, language, kind and rank")
    lines: dict[str, int] = {}
    for key, _ in node.value:
        at = key.start_mark.line + 1
        if key.value in lines:
            raise _Mistake(at, f"`{key.value}` stands twice in one feed, first in line {lines[key.value]}")
        if key.value not in Feed.__struct_fields__:
            raise _Mistake(
                at, f"`{key.value}` is no field of a feed; known are {', '.join(Feed.__struct_fields__)}"
            )
        lines[key.value] = at
    try:
        feed = msgspec.convert(yaml.SafeLoader("").construct_document(node), Feed)
        canonical(feed.url)
    except msgspec.ValidationError as error:
        # msgspec's words are "Expected `int` <= 9 - at `$.rank`".
        message, _, where = str(error).partition(" - at `$.")
        name = where.rstrip("`").partition("[")[0]
        raise _Mistake(lines.get(name, line), f"{name}: {message}" if name else message) from error
    except BadAddressError as error:
        raise _Mistake(lines["url"], str(error)) from error
    return feed
