"""Feeds, entries and documents for the tests of this room."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Reject
from pipeline.feeds.values import Entry, Feed, FeedKind, ParsedFeed

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DETECTOR = Detector({"de", "en", "es", "fr", "ja", "ko", "zh"})


def a_feed(
    feed_id: str = "paper", *, rank: int = 5, kind: FeedKind = "press", language: str = "en", url: str = ""
) -> Feed:
    return Feed(
        id=feed_id,
        url=url or f"https://{feed_id}.example/feed.xml",
        title=feed_id,
        language=language,
        kind=kind,
        rank=rank,
    )


def identified(
    feed: Feed, entries: Iterable[Entry], *, now: datetime = NOW, site: str = ""
) -> tuple[Candidate | Reject, ...]:
    parsed = ParsedFeed(base=feed.url, site=site, format="rss20", entries=tuple(entries))
    return identify(feed, parsed, now=now, detector=DETECTOR)


def a_candidate(
    feed: Feed | None = None,
    *,
    url: str = "https://lab.example/model",
    title: str = "Lab ships a model",
    text: str = "The lab shipped its model today.",
    published: datetime | None = NOW,
    now: datetime = NOW,
) -> Candidate:
    """The candidate that one entry becomes."""
    precision = "observed" if published is None else "second"
    entry = Entry(link=url, title=title, text=text, published=published, precision=precision)
    (candidate,) = identified(feed or a_feed(), [entry], now=now)
    assert isinstance(candidate, Candidate)
    return candidate


def rss(*items: str, channel: str = "<title>Paper</title><link>https://paper.example/</link>") -> bytes:
    """An RSS 2.0 document with the given item contents."""
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{channel}{body}</channel></rss>'.encode()


def an_item(link: str, title: str, description: str = "") -> str:
    """The content of an RSS item; the description may be HTML."""
    body = f"<description>{escape(description)}</description>"
    return f"<link>{escape(link)}</link><title>{escape(title)}</title>{body}"
