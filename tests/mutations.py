"""Copies of documents as hostile or broken servers would send them. The same `Random` makes the same copy.

A mutation takes a document's bytes and gives other bytes; it may be applied to what is broken already.
"""

import json
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from random import Random
from typing import Any

from pipeline.feeds.values import Entry

Mutation = Callable[[bytes, Random], bytes]

# What the fetcher lets through is smaller than this.
LARGEST = 10_000_000

ENCODINGS = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-7", "gb18030", "big5", "euc-kr", "shift_jis",
    "iso-2022-jp", "koi8-r", "cp1250", "cp1251", "cp1252", "cp1256", "latin-1", "cp037",
)  # fmt: skip
BOMB = b"<!DOCTYPE rss [<!ENTITY a 'ha'>%s]>" % b"".join(
    b"<!ENTITY %c '%s'>" % (ord("b") + n, b"&%c;" % (ord("a") + n) * 10) for n in range(9)
)
REFERENCES = (
    b"&j;", b"&nbsp;", b"&undefined;", b"&#0;", b"&#x110000;", b"&#xD800;", b"&#99999999999;",
    b"&amp;lt;b&amp;gt;",
    b"&", b"&;", b"&#", b"&#x", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?", b"<!DOCTYPE", b"<%", b"\x00",
    b"\x1b",
)  # fmt: skip
TAGS = (
    b"div",
    b"item",
    b"entry",
    b"content:encoded",
    b"description",
    b"channel",
    b"svg",
    b"table",
    b"a",
    b"x:y",
)
VALUES: tuple[Any, ...] = (
    None, True, -1, 10**30, 1e308, "", "\ud800", "x" * 100_000, [], [[]], {}, {"url": {}}, ["a", None],
    "https://[", "javascript:alert(1)", "9999-99-99T99:99:99Z", "<p>" * 500,
)  # fmt: skip


def truncated(body: bytes, random: Random) -> bytes:
    """The connection broke."""
    return body[: random.randrange(len(body) + 1)]


def flipped(body: bytes, random: Random) -> bytes:
    """Bits fell over."""
    copy = bytearray(body)
    for _ in range(random.choice((1, 10, 300)) if copy else 0):
        copy[random.randrange(len(copy))] ^= 1 << random.randrange(8)
    return bytes(copy)


def nested(body: bytes, random: Random) -> bytes:
    """Tags, escaped tags or brackets in each other, closed or not."""
    depth = random.choice((50, 2_000, 45_000))
    if body.lstrip().startswith(b"{"):
        opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    else:
        tag = random.choice(TAGS)
        opening, closing = b"<%s>" % tag, b"</%s>" % tag
        if random.random() < 0.5:
            opening, closing = (piece.replace(b"<", b"&lt;") for piece in (opening, closing))
    piece = opening * depth + (closing * depth if random.random() < 0.5 else b"")
    return _inserted(body, piece, random)


def reencoded(body: bytes, random: Random) -> bytes:
    """In another encoding: declared so, declared as yet another one, or as before."""
    text = body.decode("utf-8", "replace")
    encoding, declared = random.choice(ENCODINGS), random.choice(ENCODINGS)
    name = random.choice((encoding, declared, "", "no-such", "x" * 300))
    if random.random() < 0.7:
        text = re.sub(r"\A\s*<\?xml[^>]*\?>", "", text)
        text = f'<?xml version="1.0" encoding="{name}"?>{text}'
    return text.encode(encoding, "xmlcharrefreplace" if random.random() < 0.5 else "replace")


def referring(body: bytes, random: Random) -> bytes:
    """Entities declared, referred to, or broken; sections opened and never closed."""
    for _ in range(random.choice((1, 30))):
        body = _inserted(body, random.choice(REFERENCES) * random.choice((1, 1, 1, 1_000)), random)
    return BOMB + body if random.random() < 0.1 else body


def repeated(body: bytes, random: Random) -> bytes:
    """A stretch between two tags, again and again."""
    start, end = _stretch(body, random)
    piece = body[start:end]
    times = min(random.choice((1, 5, 5_000)), (LARGEST - len(body)) // (len(piece) or 1))
    return body[:end] + piece * times + body[end:]


def thinned(body: bytes, random: Random) -> bytes:
    """Without some of its tags."""
    share = random.choice((0.01, 0.1, 0.9))
    return re.sub(rb"<[^<>]*>", lambda tag: b"" if random.random() < share else tag[0], body)


def adorned(body: bytes, random: Random) -> bytes:
    """A tag with attributes: many, or long, or without an end."""
    many = b"".join(
        b" a%d='%s'" % (n, b"v" * random.choice((0, 30))) for n in range(random.choice((5, 2_000)))
    )
    attributes = random.choice((many, b" href='" + b"x" * 300_000 + b"'", b" title='", b' a="<' * 500))
    place = body.find(b">", random.randrange(len(body) + 1))
    return body[:place] + attributes + body[place:] if place >= 0 else body + attributes


def blank(body: bytes, random: Random) -> bytes:
    """White space, line ends or one letter, a lot of it."""
    return _inserted(body, random.choice((b" ", b"\n", b"\r\n ", b"a", b"<", b"\xff")) * 200_000, random)


def doubled(body: bytes, random: Random) -> bytes:
    """Two documents in one."""
    return body + body[random.randrange(len(body) + 1) :]


def retyped(body: bytes, random: Random) -> bytes:
    """JSON with values of other types; what is no JSON stays as it is."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    for _ in range(random.choice((1, 20))):
        holder: Any = document
        while isinstance(holder, (dict, list)) and holder:
            key = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            if random.random() < 0.3 or not isinstance(holder[key], (dict, list)):
                holder[key] = deepcopy(random.choice(VALUES))
                break
            holder = holder[key]
    return json.dumps(document).encode()


MUTATIONS: tuple[Mutation, ...] = (
    truncated, flipped, nested, reencoded, referring, repeated, thinned, adorned, blank, doubled, retyped,
)  # fmt: skip


def mutated(body: bytes, random: Random) -> tuple[bytes, str]:
    """A copy after one to three mutations, and their names."""
    chosen = random.choices(MUTATIONS, k=random.randint(1, 3))
    for mutate in chosen:
        body = mutate(body, random)[:LARGEST]
    return body, "+".join(mutate.__name__ for mutate in chosen)


def as_json_feed(entries: Iterable[Entry]) -> bytes:
    """A JSON Feed of these entries."""
    items = [
        {
            "id": e.guid or str(number),
            "url": e.link,
            "title": e.title,
            "content_text": e.text,
            "date_published": e.published.isoformat() if e.published else None,
            "attachments": [{"url": e.enclosure}],
        }
        for number, e in enumerate(entries)
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Paper", "items": items}
    return json.dumps(feed, ensure_ascii=False).encode()


def as_news_sitemap(entries: Iterable[Entry]) -> bytes:
    """A news sitemap of these entries."""
    urls = "".join(
        f"<url><loc>{_escaped(e.link)}</loc><news:news><news:title>{_escaped(e.title)}</news:title>"
        f"<news:publication_date>{e.published or ''}</news:publication_date></news:news></url>"
        for e in entries
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        f'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">{urls}</urlset>'
    ).encode("utf-8", "replace")


def _escaped(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;")


def _inserted(body: bytes, piece: bytes, random: Random) -> bytes:
    """`piece` somewhere, mostly at a tag's end."""
    place = random.randrange(len(body) + 1)
    if random.random() < 0.8:
        place = body.find(b">", place) + 1 or place
    return body[:place] + piece + body[place:]


def _stretch(body: bytes, random: Random) -> tuple[int, int]:
    tags = [found.start() for found in re.finditer(rb"<", body)] or [0]
    start = random.randrange(len(tags))
    return tags[start], tags[min(len(tags) - 1, start + random.choice((1, 4, 20)))]
