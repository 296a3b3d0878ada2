"""JSON Feed 1.0 and 1.1 (jsonfeed.org). Lenient: what an item lacks or has of the wrong type is left out."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from pipeline.feeds import text
from pipeline.feeds.dates import published
from pipeline.feeds.values import Entry, ParsedFeed

_VERSIONS = {"1": "json10", "1.0": "json10", "1.1": "json11"}


def read(document: str, url: str) -> ParsedFeed | None:
    """The feed that was served from `url`; None where the document is no JSON Feed.

    Raises RecursionError for nesting that no feed has.
    """
    try:
        feed = json.loads(document, strict=False)
    except ValueError:
        return None
    version = _string(feed, "version").rstrip("/").partition("jsonfeed.org/version/")[2]
    items = feed.get("items")
    if not version or not isinstance(items, list):
        return None
    site = _string(feed, "home_page_url")
    try:
        site = urljoin(url, site) if site else ""
    except ValueError:  # no address
        site = ""
    return ParsedFeed(
        base=site or url,
        site=site,
        format=_VERSIONS.get(version, "json"),
        title=text.from_plain(_string(feed, "title"), text.MAX_TITLE),
        language=_string(feed, "language"),
        entries=tuple(_entry(item if isinstance(item, dict) else {}) for item in items),
    )


def _entry(item: Mapping[str, Any]) -> Entry:
    html = text.from_html(_string(item, "content_html"))
    plain = text.from_plain(_string(item, "content_text"))
    summary = text.from_either(_string(item, "summary"), is_html=False)
    # The longest; of equals the first, as everywhere.
    body, source = max(
        ((summary, "summary"), (html, "content"), (plain, "content")), key=lambda pair: len(pair[0])
    )
    names = ("date_published", "date_modified")
    moment, precision = published((_string(item, name), None) for name in names)
    attachments = item.get("attachments")
    found = attachments if isinstance(attachments, list) else []
    files = (_string(attachment, "url") for attachment in found if isinstance(attachment, dict))
    return Entry(
        link=_string(item, "url") or _string(item, "external_url"),
        guid=_string(item, "id"),
        enclosure=next(filter(None, files), ""),
        title=text.from_either(_string(item, "title"), is_html=False, limit=text.MAX_TITLE),
        text=body,
        text_source=source,
        published=moment,
        precision=precision,
    )


def _string(of: Mapping[str, Any], name: str) -> str:
    """A string as it can be encoded: JSON may escape halves of characters. Ids may be numbers."""
    value = of.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
