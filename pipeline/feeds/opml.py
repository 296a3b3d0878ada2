"""OPML: feed lists as other readers write and read them.

What OPML has no attribute for (id, kind, rank, allowed hosts) stands in a namespace of its own, as OPML 2.0
asks, so that a list that is exported and imported again is the same.
"""

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.parsers import expat

from pipeline.feeds.text import MAX_TITLE, from_plain
from pipeline.feeds.values import Feed, Value

MAX_SIZE = 10_000_000
MAX_FEEDS = 10_000
_OWN = "urn:racewire:feed"


class OpmlError(ValueError):
    """A document that is no OPML, or one that is not read. The message says which line and why."""


class Outline(Value, frozen=True, kw_only=True):
    """A feed as a list names it; everything is as given and may be anything. Empty where it is not said."""

    line: int
    url: str
    title: str = ""
    site: str = ""
    language: str = ""
    id: str = ""
    kind: str = ""
    rank: str = ""
    allow_hosts: tuple[str, ...] = ()


def read(document: bytes) -> tuple[Outline, ...]:
    """The feeds of a list, however deep in folders, in its order. Raises OpmlError."""
    if len(document) > MAX_SIZE:
        raise OpmlError(f"the list is larger than {MAX_SIZE} bytes")
    found: list[Outline] = []
    inside = False
    parser = expat.ParserCreate(namespace_separator=" ")

    def element(name: str, given: dict[str, str]) -> None:
        nonlocal inside
        tag = name.rpartition(" ")[2].lower()  # some lists have a default namespace
        inside = inside or tag == "opml"
        if not inside:
            raise OpmlError(f"the document begins with <{name[:60]}>, not with <opml>")
        said = {key.lower(): value for key, value in given.items()}
        url = said.get("xmlurl", "").strip()
        if tag != "outline" or not url:
            return
        if len(found) == MAX_FEEDS:
            raise OpmlError(f"the list has more than {MAX_FEEDS} feeds")
        own = {key: said.get(f"{_OWN} {key}", "") for key in ("id", "kind", "rank")}
        found.append(
            Outline(
                line=parser.CurrentLineNumber,
                url=url,
                title=from_plain(said.get("title") or said.get("text") or "", MAX_TITLE),
                site=said.get("htmlurl", ""),
                language=said.get("language", ""),
                allow_hosts=tuple(said.get(f"{_OWN} allowhosts", "").split()),
                **own,
            )
        )

    def entity(name: str, *_: object) -> None:
        raise OpmlError(f"the list declares an entity of its own ({name[:60]}), as bombs do and lists do not")

    parser.StartElementHandler = element
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise OpmlError(f"line {error.lineno}: not XML: {expat.ErrorString(error.code)}") from error
    except (ValueError, LookupError) as error:
        if isinstance(error, OpmlError):
            raise
        raise OpmlError(f"the list cannot be decoded: {error}") from error
    return tuple(found)


def write(feeds: Iterable[Feed]) -> bytes:
    """An OPML 2.0 document of feeds, in their order."""
    ElementTree.register_namespace("racewire", _OWN)
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = "Feeds of Racewire"
    body = ElementTree.SubElement(root, "body")
    for feed in feeds:
        title = from_plain(feed.title)  # no character that XML forbids
        own = {"id": feed.id, "kind": feed.kind, "rank": str(feed.rank)}
        if feed.allow_hosts:
            own["allowHosts"] = " ".join(sorted(feed.allow_hosts))
        ElementTree.SubElement(
            body,
            "outline",
            {"type": "rss", "text": title, "title": title, "xmlUrl": feed.url, "language": feed.language}
            | {f"{{{_OWN}}}{name}": value for name, value in own.items()},
        )
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
