"""YAML as the lexicon is written, read in half the time that PyYAML's constructor takes.

PyYAML parses; here its events become dicts, lists and scalars, plain ones by its own rules (YAML 1.1).
Anchors and tags are refused, and so is a key given twice, of which PyYAML keeps the last and says nothing.
"""

import re
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, bool | None] = {"": None, "~": None}
for _word, _value in (
    *dict.fromkeys(("true", "yes", "on"), True).items(),
    *dict.fromkeys(("false", "no", "off"), False).items(),
    ("null", None),
):
    _WORDS |= dict.fromkeys((_word, _word.capitalize(), _word.upper()), _value)
_PLAIN_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
# What is, or may be, none of the above and no string either: left to PyYAML.
_OTHER = re.compile(r"[-+]?\.?[0-9][^ ]*|[-+]?\.(?:inf|nan)|[=<]{1,2}", re.IGNORECASE)


def load(data: bytes) -> Any:
    """The one document in `data`. Raises yaml.YAMLError where it is malformed, or more than is read here."""
    parser = _LOADER(data)
    try:
        parser.get_event()  # the stream's start
        if parser.check_event(yaml.StreamEndEvent):
            return None
        parser.get_event()  # the document's
        document = _node(parser, parser.get_event())
        parser.get_event()
        if not parser.check_event(yaml.StreamEndEvent):
            raise yaml.YAMLError("more than one document")
        return document
    finally:
        parser.dispose()


def _node(parser: Any, event: Any) -> Any:
    kind = type(event)
    if kind is yaml.AliasEvent or event.anchor or getattr(event, "tag", None):
        raise yaml.YAMLError(f"anchors and tags are not read{event.start_mark}")
    if kind is yaml.ScalarEvent:
        return _scalar(event.value) if event.implicit[0] else event.value
    if kind is yaml.SequenceStartEvent:
        items = []
        while type(event := parser.get_event()) is not yaml.SequenceEndEvent:
            items.append(_node(parser, event))
        return items
    pairs: dict[Any, Any] = {}
    while type(event := parser.get_event()) is not yaml.MappingEndEvent:
        key = _node(parser, event)
        if not isinstance(key, str | int) or key in pairs:
            raise yaml.YAMLError(f"a key must be a word, and given once: {key!r}{event.start_mark}")
        pairs[key] = _node(parser, parser.get_event())
    return pairs


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _PLAIN_INT.fullmatch(text):
        return int(text)
    return yaml.load(text, Loader=_LOADER) if _OTHER.fullmatch(text) else text  # noqa: S506 - a safe loader
