"""Single facts of HTML pages that may be hostile: tags and their attributes, read in linear time. Pure."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser

from pipeline.feeds.charset import decode

# Where a page says its encoding: browsers look at the first 1,024 bytes, real pages are late at times.
_META = 5_000
_CHARSET = re.compile(rb"<meta\s[^<>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)


def page_text(body: bytes, content_type: str) -> str:
    """The characters of a page: as its server declares them, else as it does itself."""
    meta = _CHARSET.search(body[:_META])
    if meta is not None and "charset" not in content_type.lower():
        content_type = f"{content_type}; charset={meta[1].decode()}"
    return decode(body, content_type)


def tags(page: str, *names: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The opening tags of these names with their attributes, in the page's order, names in lower case."""
    for tag in _pattern(names).finditer(page):
        yield tag[1].lower(), _attributes(tag[0])


@cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    # At most to the next `<`, so that it is linear on whatever stands there.
    return re.compile(rf"<({'|'.join(names)})\s[^<>]{{1,4000}}>", re.IGNORECASE)


def _attributes(tag: str) -> dict[str, str]:
    """The attributes of one tag, names in lower case, references resolved. The first of a name counts."""
    reader = _TagReader()
    reader.feed(tag)
    return {name: value or "" for name, value in reversed(reader.attributes)}


class _TagReader(HTMLParser):
    """Given single tags only: on whole pages its time can grow with the square of their length."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for the one tag that is given."""
        self.attributes = attrs
