"""The registry: `feeds.yaml` as values, checked strictly, every mistake named with its line.

A registry is a list of mappings with the fields of `Feed`. The one beside this module is the default.
"""

from pathlib import Path

import msgspec
import yaml

from pipeline.feeds.address import BadAddressError, canonical
from pipeline.feeds.values import Feed

DEFAULT = Path(__file__).with_name("feeds.yaml")


class RegistryError(ValueError):
    """A registry that cannot be used. The message has a line for each mistake: `file:line: what is wrong`."""


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
