"""News sitemaps: a `urlset` whose addresses carry Google's news tags. Other sitemaps are refused.

A sitemap without those tags lists every page of a site without a title or a date of publication; an index
lists sitemaps. Neither says what is news.
"""

from xml.parsers import expat

from pipeline.feeds import text
from pipeline.feeds.dates import published
from pipeline.feeds.values import Entry, ParsedFeed

ROOTS = (b"urlset", b"sitemapindex")

_NEWS = "google.com/schemas/sitemap-news/"
# What is kept of an address, as of a publication's name, is far below this.
_MAX_VALUE = 10_000


def read(document: bytes, url: str) -> ParsedFeed | tuple[str, str]:
    """The sitemap that was served from `url` as a feed, or the problem with it and its explanation.

    A document that breaks off gives the addresses before the break.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(document, True)
    except expat.ExpatError as error:
        if not reader.urls:
            return "not-a-feed", f"the document begins like a sitemap and is no XML: {error}"
    if reader.root == "sitemapindex":
        detail = "the document is an index of sitemaps; register the news sitemap that it lists"
        return "sitemap-index", detail
    if not reader.has_news:
        return (
            "sitemap-without-news",
            "the document is a sitemap without news tags: it has no titles or dates",
        )
    names = [url_values["name"] for url_values in reader.urls if url_values.get("name")]
    return ParsedFeed(
        base=url,
        format="news-sitemap",
        title=text.from_plain(names[0], text.MAX_TITLE) if names else "",
        entries=tuple(_entry(values) for values in reader.urls),
    )


def _entry(values: dict[str, str]) -> Entry:
    # `lastmod` is when the page changed: of a page that is there for news, the next best.
    dates = (values.get("publication_date"), values.get("lastmod"))
    moment, precision = published((raw, None) for raw in dates)
    return Entry(
        link=values.get("loc", "").strip(),
        title=text.from_either(values.get("title", ""), is_html=False, limit=text.MAX_TITLE),
        published=moment,
        precision=precision,
    )


class _Reader:
    """Collects what each `url` element says. Entities and their bombs are refused before."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartNamespaceDeclHandler = self._namespace
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.root = ""
        self.has_news = False
        self.urls: list[dict[str, str]] = []
        self._value = ""

    def _namespace(self, _prefix: str | None, uri: str | None) -> None:
        # Declared and not used: a paper that has published nothing for two days.
        self.has_news |= _NEWS in (uri or "")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        self.root = self.root or local
        if local == "url":
            self.urls.append({})
        self._value = ""

    def _characters(self, value: str) -> None:
        self._value = (self._value + value)[:_MAX_VALUE]

    def _end(self, name: str) -> None:
        uri, _, local = name.rpartition(" ")
        # Images and videos have a `title` and a `loc` of their own.
        wanted = ("title", "publication_date", "name") if _NEWS in uri else ("loc", "lastmod")
        if self.urls and local in wanted and ("/sitemap/" in uri or not uri or _NEWS in uri):
            self.urls[-1].setdefault(local, self._value)
        self._value = ""
