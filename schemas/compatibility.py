"""What differs between two states of the contract, and whether it breaks anybody.

The one rule, for readers and writers of either state: whatever was published can be read by both, whatever is
published is accepted by both. So a type only grows by fields that have a default; all else that is said of a
field stays as it is. A topic keeps its name, key, cleanup and partitions. Descriptions are free.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

RELEASED = Path(__file__).parent / "released"
"""The contract as of the last release: `json`, `topics` and `examples`, as beside this file."""

_ABSENT = object()
_FIXED = ("key", "partitions")  # of a topic; its cleanup policy stands among the broker's settings


class Change(Struct, frozen=True):
    """One difference. `place` is a file and the path within it; `breaks` says whether anybody is broken."""

    place: str
    text: str
    breaks: bool

    def __str__(self) -> str:
        return f"{'breaks' if self.breaks else 'grows '}  {self.place}: {self.text}"


def compare(old: Path, new: Path) -> list[Change]:
    """The changes from one folder of `json` and `topics` to another. Raises OSError, ValueError."""
    changes: list[Change] = []
    for kind, read, differ in (("json", _schema, _type), ("topics", _topic, _topics)):
        was = {p.name: read(p) for p in sorted((old / kind).iterdir())}
        now = {p.name: read(p) for p in sorted((new / kind).iterdir())}
        if not was:
            raise ValueError(f"{old / kind}: nothing to compare with")
        for name in was:
            if name in now:
                changes.extend(differ(name, was[name], now[name]))
            else:
                changes.append(Change(name, "is gone", breaks=True))
        changes.extend(Change(name, "is new", breaks=False) for name in now if name not in was)
    return changes


def _schema(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_bytes())
    return found


def _topic(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(path.read_bytes())
    return found


def _topics(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    fixed = {name: (old.get(name), new.get(name)) for name in _FIXED}
    policy = "cleanup.policy"
    fixed[policy] = (old["config"].get(policy), new["config"].get(policy))
    for name, (was, now) in fixed.items():
        if was != now:
            yield Change(f"{place} {name}", f"was {was!r}, is {now!r}", breaks=True)


def _type(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _differences(place, _resolved(old, old), _resolved(new, new))


def _differences(place: str, old: Any, new: Any) -> Iterator[Change]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if old != new:
            yield Change(place, f"was {_short(old)}, is {_short(new)}", breaks=True)
        return
    fields, grown = old.get("properties", {}), new.get("properties", {})
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted({*fields, *grown}):
        at = f"{place} {name}"
        if name not in grown:
            yield Change(at, "is gone", breaks=True)
        elif name not in fields:
            text = "is new and required: old records lack it" if name in after else "is new, with a default"
            yield Change(at, text, breaks=name in after)
        else:
            if (name in before) != (name in after):
                text = "is required" if name in after else "is not required any more"
                yield Change(at, text, breaks=True)
            yield from _differences(at, fields[name], grown[name])
    for word in sorted({*old, *new} - {"properties", "required"}):
        was, now = old.get(word, _ABSENT), new.get(word, _ABSENT)
        at = place if word in ("items", "anyOf") else f"{place} [{word}]"
        if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
            for one, other in zip(was, now, strict=True):
                yield from _differences(at, one, other)
        else:
            yield from _differences(at, was, now)


def _resolved(part: Any, root: Mapping[str, Any]) -> Any:
    """A schema with its references put in place and without what is said to people alone."""
    if isinstance(part, list):
        return [_resolved(one, root) for one in part]
    if not isinstance(part, Mapping):
        return part
    if "$ref" in part:
        return _resolved(root["$defs"][part["$ref"].rsplit("/", 1)[-1]], root)
    return {
        name: {field: _resolved(one, root) for field, one in value.items()}
        if name == "properties"
        else _resolved(value, root)
        for name, value in part.items()
        if name not in ("$defs", "$id", "$schema", "title", "description")
    }


def _short(value: Any) -> str:
    return "nothing" if value is _ABSENT else json.dumps(value, ensure_ascii=False)[:120]
