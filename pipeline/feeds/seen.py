"""What was seen in a feed's last document need not be read again: its entries are known by their bytes.

As a document whose bytes have not changed is not read at all, so is an entry; most documents change by one
entry of thirty. It is left out only where it can have no bearing on the entries that are new: an entry at an
address that was seen, and a document that does not evidently fall into entries, have the whole of it read.
"""

import re
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from pipeline.feeds.identify import address_id
from pipeline.feeds.outcomes import Decision
from pipeline.feeds.values import Feed, ParsedFeed, Seen

# So many entries are remembered of one document; the richest of 140 real feeds has 372.
MAX_SEEN = 500

# Comments and CDATA first: what looks like an entry in them is none.
_EDGE = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<(/?)(item|entry)(?=[\s/>])[^<>]*+>", re.DOTALL
)
# Tags around the entries that decide how these are read: namespaces, base, language.
_CONTEXT = re.compile(rb"<[^<>/!?][^<>]*?\sxml[^<>]*+>")


class Parts(Struct, frozen=True):
    """A document without the entries that were `seen`; `digests` name those it still has, in order."""

    document: bytes
    digests: tuple[str, ...]
    seen: tuple[Seen, ...]


def part(document: bytes, url: str, seen: Iterable[Seen], longest: int) -> Parts:
    """The document from `url` without entries that were seen; whole where it has more than `longest`."""
    known = {entry.digest: entry for entry in seen}
    whole = Parts(document, (), ())
    pieces, digests, found = list[bytes](), list[str](), list[Seen]()
    name, start, end = b"", 0, 0
    context = b""
    for edge in _EDGE.finditer(document):
        if not edge[2]:
            continue
        if not edge[1]:
            if name or edge[0].endswith(b"/>") or len(digests) + len(found) == longest:
                return whole
            name, start = edge[2], edge.start()
            context = context or b"\0".join([url.encode(), *_CONTEXT.findall(document, 0, start)])
            continue
        if edge[2] != name:
            return whole
        name = b""
        digest = sha256(context + document[start : edge.end()]).hexdigest()[:24]
        if (entry := known.pop(digest, None)) is None:
            digests.append(digest)
            continue
        found.append(entry)
        pieces.append(document[end:start])
        end = edge.end()
    if name:
        return whole
    return Parts(b"".join((*pieces, document[end:])), tuple(digests), tuple(found))


def stands_apart(feed: Feed, parsed: ParsedFeed) -> bool:
    """Whether the new entries may be judged without those that were seen: no address is of both."""
    seen = {entry.address for entry in parsed.seen}
    return not seen or all(address_id(feed, entry, parsed.base) not in seen for entry in parsed.entries)


def seen_now(feed: Feed, parsed: ParsedFeed, decision: Decision) -> tuple[Seen, ...]:
    """What to remember of a document once its articles are acknowledged. A reject is looked at each time."""
    found = list(parsed.seen)
    for outcome in decision.outcomes:
        entry = parsed.entries[outcome.position]
        if entry.digest and outcome.kind != "reject":
            published = entry.published if entry.precision == "second" else None
            address = address_id(feed, entry, parsed.base)
            found.append(Seen(digest=entry.digest, address=address, published=published))
    return tuple(found[:MAX_SEEN])
