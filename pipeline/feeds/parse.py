"""From a document's bytes to its entries in plain text: RSS and Atom here, other formats in their modules.

feedparser is the reference for what an entry is. Never raises: a document that is no feed has a `problem`.
feedparser's own sanitising and link resolving are off: no markup leaves this module, and links are resolved
where addresses are made.
"""

import io
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urljoin

import feedparser

from pipeline.feeds import hints, jsonfeed, sitemap, text
from pipeline.feeds.charset import decode
from pipeline.feeds.dates import published
from pipeline.feeds.seen import part
from pipeline.feeds.values import Entry, ParsedFeed, Seen
from pipeline.feeds.walls import CHALLENGE, is_challenge

# Bounds on what the parser is given, so that no document takes it 2 s. It takes 15 µs for each tag, half of
# that for each character reference, 2 for each line, twice that where a document breaks near its end and is
# read again, and a time that grows with the square of a tag's attributes. Of 140 real feeds the richest has
# 372 entries, 10,000 tags and references, and 22 attributes on a tag.
MAX_ENTRIES = 5_000
MAX_TOKENS = 60_000
MAX_LINES = 100_000
MAX_ATTRIBUTES = 100
# And of what stands before the first tag, where its time grows with the square of the lines: 200,000 empty
# ones take minutes. Of the real feeds the longest such part has 617 bytes.
MAX_HEAD = 100_000
MAX_HEAD_LINES = 2_000

# A tag up to its end or the next `<`; possessive, so that it is linear on whatever stands there.
_TAG = re.compile(rb"<(?:\w+:)?(\w+)(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+")
_FIRST_TAG = re.compile(rb"<\w")
_ATTRIBUTE = re.compile(rb"=\s*[\"']")
# References to characters from U+D800 on, among which are those that no document may have.
_REFERENCE = re.compile(r"&#(?:x0*+([0-9a-f]{4,})|0*+([0-9]{5,}));?", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A<\?xml[^>]*\?>")
# Around a document: marks that were put twice, and what pads it.
_PADDING = "\ufeff\0 \t\r\n"
# The first tag's name, after whatever may stand before it.
_ROOT = re.compile(
    rb"(?:\s|<\?.*?\?>|<!--.*?-->|<!doctype[^<>]*>)*+<(?:[\w.-]++:)?(\w+)", re.DOTALL | re.IGNORECASE
)
_HTML_START = re.compile(r"^\s*(?:<!doctype\s+html|<html)", re.IGNORECASE)


def parse(body: bytes, *, url: str, content_type: str = "", seen: Iterable[Seen] = ()) -> ParsedFeed:
    """Parse a document that was served from `url`. `content_type` is the header's value, for its charset.

    Entries that were `seen` are left out where the document falls into entries.
    """
    try:
        # Decoded once here, so that the checks see what the parser will see whatever the encoding.
        document = _XML_DECLARATION.sub("", decode(body, content_type).strip(_PADDING)).lstrip(_PADDING)
        parsed = _jsonfeed(document, url) if document.startswith("{") else _xml(document, url, seen)
    except Exception as error:  # the parser's own failures are many and undocumented; none may stop a batch
        detail = f"the parser failed on this document: {type(error).__name__}: {str(error)[:200]}"
        return ParsedFeed(base=url, problem="parser-failed", detail=detail)
    if isinstance(parsed, ParsedFeed):
        return parsed
    problem, detail = parsed
    return ParsedFeed(base=url, problem=problem, detail=detail)


def _jsonfeed(document: str, url: str) -> ParsedFeed | tuple[str, str]:
    """The feed, or the problem with it and its explanation."""
    tokens = document.count("{") + document.count("[")
    if tokens > MAX_TOKENS:
        return "too-complex", f"the document has {tokens} objects and lists, more than {MAX_TOKENS}"
    return _bounded(jsonfeed.read(document, url) or _what_it_is(document))


def _xml(document: str, url: str, seen: Iterable[Seen] = ()) -> ParsedFeed | tuple[str, str]:
    """The feed, or the problem with it and its explanation."""
    # Halves of characters, of which many an emoji is made, are put together; lone ones are replaced.
    document = _REFERENCE.sub(_legal, document).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    parts = part(document.encode(), url, seen, MAX_ENTRIES)
    encoded = b"<?xml version='1.0' encoding='utf-8'?>\n" + parts.document
    refusal = _refuse(encoded)
    if refusal is not None:
        return refusal
    root = _ROOT.match(encoded)
    if root is not None and root[1] in sitemap.ROOTS:
        return _bounded(sitemap.read(encoded, url))
    result = feedparser.parse(io.BytesIO(encoded), sanitize_html=False, resolve_relative_uris=False)
    digests = parts.digests
    if len(digests) != len(result.entries):
        if parts.seen:  # its entries are not what they seemed to be
            return _xml(document, url)
        digests = ("",) * len(result.entries)
    entries = tuple(map(_entry, result.entries, digests))
    if not result.version and not entries:
        return _what_it_is(document)
    link = str(result.feed.get("link") or "")
    return ParsedFeed(
        # RSS has no base of its own; a relative link there means the site, which can be on another host.
        base=url if result.version.startswith("atom") else _join(url, link),
        site=_join(url, link) if link else "",
        format=result.version,
        title=_text(result.feed, "title", text.MAX_TITLE),
        language=str(result.feed.get("language") or ""),
        entries=entries,
        seen=parts.seen,
        hints=hints.of_channel(encoded, str(result.feed.get("ttl") or "")),
    )


def _legal(reference: re.Match[str]) -> str:
    """A reference as the parser survives it, which fails on half a character and on one that is none."""
    number = reference[1] or reference[2]
    code = int(number, 16 if reference[1] else 10) if len(number) < 8 else sys.maxunicode + 1
    if 0xD800 <= code <= 0xDFFF:
        return chr(code)
    return reference[0] if code <= sys.maxunicode else "\N{REPLACEMENT CHARACTER}"


def _bounded(parsed: ParsedFeed | tuple[str, str]) -> ParsedFeed | tuple[str, str]:
    return _too_many(len(parsed.entries)) or parsed if isinstance(parsed, ParsedFeed) else parsed


def _too_many(entries: int) -> tuple[str, str] | None:
    if entries <= MAX_ENTRIES:
        return None
    return "too-many-entries", f"the document has {entries} entries, more than {MAX_ENTRIES}"


def _refuse(document: bytes) -> tuple[str, str] | None:
    """Why a document is not even given to the parser, or None."""
    if b"<!ENTITY" in document.upper():
        # 160 kB of them make the parser take 36 s and 2 GB. No feed needs entities of its own.
        return "entities", "the document declares entities of its own, as bombs do and feeds do not"
    tokens, lines = document.count(b"<") + document.count(b"&"), document.count(b"\n")
    if tokens > MAX_TOKENS:
        return "too-complex", f"the document has {tokens} tags and references, more than {MAX_TOKENS}"
    if lines > MAX_LINES:
        return "too-complex", f"the document has {lines} lines, more than {MAX_LINES}"
    first = _FIRST_TAG.search(document)
    head = first.start() if first is not None else 0
    if head > MAX_HEAD or document.count(b"\n", 0, head) > MAX_HEAD_LINES:
        return "too-complex", f"{head} bytes stand before the first tag, more than the parser is given"
    entries = 0
    for tag in _TAG.finditer(document):
        entries += tag[1] in (b"item", b"entry")
        # No tag has so many attributes in fewer bytes.
        if len(tag[0]) > 5 * MAX_ATTRIBUTES and len(_ATTRIBUTE.findall(tag[0])) > MAX_ATTRIBUTES:
            return "too-complex", f"a tag has more than {MAX_ATTRIBUTES} attributes"
    return _too_many(entries)


def _what_it_is(document: str) -> tuple[str, str]:
    """The problem with a document in which the parser saw no feed."""
    head = document[:200_000]
    if not head:
        return "empty-body", "the server sent an empty document"
    if is_challenge(head):
        return CHALLENGE
    if _HTML_START.search(head):
        return "html", f"the server sent an HTML page, not a feed: {text.from_html(head, 100)!r}"
    return "not-a-feed", f"the document is no feed that is known here; it begins with {head[:60]!r}"


def _entry(item: Mapping[str, Any], digest: str) -> Entry:
    body, source = _richest(item)
    names = ("published", "updated", "created")
    moment, precision = published((item.get(name), item.get(f"{name}_parsed")) for name in names)
    return Entry(
        link=str(item.get("feedburner_origlink") or item.get("link") or ""),
        guid=str(item.get("id") or ""),
        enclosure=next(
            (str(link.get("href") or "") for link in item.get("links", ()) if link.get("href")), ""
        ),
        title=_text(item, "title", text.MAX_TITLE),
        text=body,
        text_source=source,
        published=moment,
        precision=precision,
        digest=digest,
    )


def _richest(item: Mapping[str, Any]) -> tuple[str, str]:
    """The longest text of an entry, and whether it is its `content` or its `summary`."""
    contents = item.get("content", ())
    # A summary without detail is the parser's own copy of the content, whose type it does not tell.
    told = "summary_detail" in item or not contents
    best, source = _text(item, "summary", text.MAX_TEXT) if told else "", "summary"
    for content in contents:
        candidate = text.from_either(str(content.get("value") or ""), _is_html(content))
        if len(candidate) > len(best):
            best, source = candidate, "content"
    return best, source


def _text(item: Mapping[str, Any], name: str, limit: int) -> str:
    value = item.get(name)
    return text.from_either(str(value), _is_html(item.get(f"{name}_detail") or {}), limit) if value else ""


def _is_html(detail: Mapping[str, Any]) -> bool:
    return "html" in str(detail.get("type") or "")


def _join(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return base
