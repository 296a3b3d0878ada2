"""From a document's bytes to its entries in plain text. feedparser is the reference for what an entry is.

Never raises: a document that is no feed has a `problem`. feedparser's own sanitising and link resolving are
off: no markup leaves this module, and links are resolved where addresses are made.
"""

import codecs
import io
import re
from calendar import month_abbr, timegm
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urljoin

import feedparser
from feedparser.encodings import convert_to_utf8

from pipeline.feeds import hints, text
from pipeline.feeds.values import Entry, ParsedFeed

# Bounds on what the parser is given. It takes 2 µs for each character reference and line, 15 for each tag,
# and a time that grows with the square of a tag's attributes. Of 140 real feeds the richest has 372
# entries, 12,000 such tokens and 22 attributes on a tag.
MAX_ENTRIES = 5_000
MAX_TOKENS = 300_000
MAX_ATTRIBUTES = 100

# A tag up to its end or the next `<`; possessive, so that it is linear on whatever stands there.
_TAG = re.compile(rb"<(?:\w+:)?(\w+)(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+")
_ATTRIBUTE = re.compile(rb"=\s*[\"']")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_HTML_START = re.compile(r"^\s*(?:<!doctype\s+html|<html)", re.IGNORECASE)
# What the walls of the large hosters put into the page that stands in for the feed.
_CHALLENGE = re.compile(
    r"cf-chl|challenge-platform|just a moment\.\.\.|attention required!|captcha|_incapsula_|ddos-guard"
    r"|access denied|verify you are human|enable javascript and cookies",
    re.IGNORECASE,
)


def parse(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """Parse a document that was served from `url`. `content_type` is the header's value, for its charset."""
    headers = {"content-type": content_type} if content_type else {}
    try:
        # Decoded once here, so that the checks see what the parser will see whatever the encoding.
        document = _decode(body, headers)
        refusal = _refuse(document)
        if refusal is not None:
            return ParsedFeed(base=url, problem=refusal[0], detail=refusal[1])
        result = feedparser.parse(io.BytesIO(document), sanitize_html=False, resolve_relative_uris=False)
        entries = tuple(_entry(item) for item in result.entries)
    except Exception as error:  # the parser's own failures are many and undocumented; none may stop a batch
        detail = f"the parser failed on this document: {type(error).__name__}: {str(error)[:200]}"
        return ParsedFeed(base=url, problem="parser-failed", detail=detail)
    if not result.version and not entries:
        problem, detail = _what_it_is(document)
        return ParsedFeed(base=url, problem=problem, detail=detail)
    link = str(result.feed.get("link") or "")
    return ParsedFeed(
        # RSS has no base of its own; a relative link there means the site, which can be on another host.
        base=url if result.version.startswith("atom") else _join(url, link),
        site=_join(url, link) if link else "",
        format=result.version,
        title=_text(result.feed, "title", text.MAX_TITLE),
        language=str(result.feed.get("language") or ""),
        entries=entries,
        hints=hints.of_channel(document, str(result.feed.get("ttl") or "")),
    )


def _decode(body: bytes, headers: dict[str, str]) -> bytes:
    """The document in UTF-8 and declared as such: by its byte order mark, else as feedparser decides."""
    for mark, encoding in _MARKS.items():
        if body.startswith(mark):
            document = body[len(mark) :].decode(encoding, "replace")
            return b"<?xml version='1.0' encoding='utf-8'?>" + _DECLARATION.sub("", document).encode()
    return bytes(convert_to_utf8(headers, body, {}))


def _refuse(document: bytes) -> tuple[str, str] | None:
    """Why a document is not even given to the parser, or None."""
    if b"<!ENTITY" in document.upper():
        # 160 kB of them make the parser take 36 s and 2 GB. No feed needs entities of its own.
        return "entities", "the document declares entities of its own, as bombs do and feeds do not"
    tokens = sum(map(document.count, (b"<", b"&", b"\n")))
    if tokens > MAX_TOKENS:
        return "too-complex", f"the document has {tokens} tags, references and lines, more than {MAX_TOKENS}"
    entries = 0
    for tag in _TAG.finditer(document):
        entries += tag[1] in (b"item", b"entry")
        # No tag has so many attributes in fewer bytes.
        if len(tag[0]) > 5 * MAX_ATTRIBUTES and len(_ATTRIBUTE.findall(tag[0])) > MAX_ATTRIBUTES:
            return "too-complex", f"a tag has more than {MAX_ATTRIBUTES} attributes"
    if entries > MAX_ENTRIES:
        return "too-many-entries", f"the document has {entries} entries, more than {MAX_ENTRIES}"
    return None


def _what_it_is(document: bytes) -> tuple[str, str]:
    """The problem with a document in which the parser saw no feed."""
    head = _DECLARATION.sub("", document[:200_000].decode("utf-8", "replace"))
    if not head.strip():
        return "empty-body", "the server sent an empty document"
    if _CHALLENGE.search(head):
        return "challenge", "the server sent a page that wants to see a person, not the feed"
    if _HTML_START.search(head):
        return "html", f"the server sent an HTML page, not a feed: {text.from_html(head, 100)!r}"
    return "not-a-feed", f"the document is no feed that is known here; it begins with {head.strip()[:60]!r}"


def _entry(item: Mapping[str, Any]) -> Entry:
    body, source = _richest(item)
    published, precision = _published(item)
    return Entry(
        link=str(item.get("feedburner_origlink") or item.get("link") or ""),
        guid=str(item.get("id") or ""),
        enclosure=next(
            (str(link.get("href") or "") for link in item.get("links", ()) if link.get("href")), ""
        ),
        title=_text(item, "title", text.MAX_TITLE),
        text=body,
        text_source=source,
        published=published,
        precision=precision,
    )


def _richest(item: Mapping[str, Any]) -> tuple[str, str]:
    """The longest text of an entry, and whether it is its `content` or its `summary`."""
    best, source = _text(item, "summary", text.MAX_TEXT), "summary"
    for content in item.get("content", ()):
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


# Dates: feedparser reads the standard ones. Of these two kinds it reads the first as the first of the
# month, and the second not at all.
_NUMERIC_DATE = re.compile(
    r"(?P<year>\d{4})\s*[/.年]\s*(?P<month>\d{1,2})\s*[/.月]\s*(?P<day>\d{1,2})日?"
    r"(?:[\sT]*(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?)?(?:\s*(?P<zone>[+-]\d\d)(?::?\d\d)?)?"
)
_LOOSE_DATE = re.compile(
    r"(?P<day>\d{1,2})\s+(?P<month>[A-Z][a-z]{2})[a-z]*\.?\s+(?P<year>\d{4})"
    r"(?:\s+(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?)?(?:\s+(?:GMT|UTC)?(?P<zone>[+-]\d{1,2})\b)?"
)
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_YEAR_MONTH = re.compile(r"\d{4}(-\d{2})?$")
_MONTHS = list(month_abbr)[1:]


def _published(item: Mapping[str, Any]) -> tuple[datetime | None, str]:
    """When an entry says it was published, in UTC, and how precisely."""
    for name in ("published", "updated", "created"):
        raw = str(item.get(name) or "").strip()
        if not raw:
            continue
        for moment in _readings(item.get(f"{name}_parsed"), raw):
            # Before the web there were no feeds: an epoch's zero or a year 1 is a missing date.
            if moment.year >= 1990:
                return moment, _precision(raw)
    return None, "observed"


def _readings(parsed: Any, raw: str) -> Iterator[datetime]:
    """What a date may mean, the likeliest first."""
    with suppress(ValueError, OverflowError):  # a day that no calendar has
        if (found := _NUMERIC_DATE.match(raw)) is not None:
            yield _moment(found.groupdict())
    with suppress(ValueError, OverflowError):
        if parsed is not None:
            yield datetime.fromtimestamp(timegm(parsed), UTC)
    with suppress(ValueError, OverflowError):
        if (found := _LOOSE_DATE.search(raw)) is not None:
            yield _moment(found.groupdict())


def _moment(part: Mapping[str, str | None]) -> datetime:
    month = str(part["month"])
    return datetime(
        int(part["year"] or 0),
        _MONTHS.index(month) + 1 if month.isalpha() else int(month),
        int(part["day"] or 0),
        int(part["hour"] or 0),
        int(part["minute"] or 0),
        int(part["second"] or 0),
        tzinfo=timezone(timedelta(hours=int(part["zone"] or 0))),
    ).astimezone(UTC)


def _precision(raw: str) -> str:
    if _CLOCK.search(raw):
        return "second"
    short = _YEAR_MONTH.match(raw)
    if short is not None:
        return "month" if short[1] else "year"
    return "day"
