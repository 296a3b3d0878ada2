"""From an entry to a candidate: its address, its id, its language, the name of its content. Pure.

An entry that can be no article becomes a `Reject` with a reason; none is dropped. An entry without a link
is an article all the same (RSS allows it): it then lives at a fragment of its feed's address, named by its
guid or title.
"""

import re
import unicodedata
from collections import defaultdict
from datetime import datetime
from hashlib import sha256

from msgspec.structs import replace

from pipeline.feeds.address import BadAddressError, canonical, clean
from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Reject
from pipeline.feeds.text import from_plain, headline
from pipeline.feeds.values import Entry, Feed, ParsedFeed
from schemas.messages import Article

# 96 bits: among a thousand million articles the chance of two with one id is below 1 in 10 ** 11.
_DIGEST = 24

# This many entries of one document, each with a guid and a title of its own, at one address: then the
# address is a page that holds them all (a lab's release notes) and not theirs. Two are one article that was
# announced twice.
_SHARED = 3


def identify(
    feed: Feed, parsed: ParsedFeed, *, now: datetime, detector: Detector
) -> tuple[Candidate | Reject, ...]:
    """One value for each entry of `parsed`, in its order. `now` is the time of observation."""
    addresses = _addresses(feed, parsed)
    return tuple(
        _candidate(feed, entry, position, url, now, detector)
        if isinstance(url, str)
        else Reject(
            position=position,
            reason=url.reason,
            detail=str(url),
            address=from_plain(entry.link or entry.guid, 200),
            title=entry.title[:200],
        )
        for position, (entry, url) in enumerate(zip(parsed.entries, addresses, strict=True))
    )


def _candidate(
    feed: Feed, entry: Entry, position: int, url: str, now: datetime, detector: Detector
) -> Candidate:
    title = entry.title or headline(entry.text)
    normal_title, normal_text = _normal(title), _normal(entry.text)
    published, precision = entry.published, entry.precision
    if published is None or published > now:
        published, precision = now, "observed"
    article = Article(
        article_id=article_id(url),
        revision=digest(normal_title, normal_text),
        kind="article",
        url=url,
        title=title,
        text=entry.text,
        text_source=entry.text_source,
        language=detector.detect(title, entry.text, feed.language),
        published_at=published,
        published_precision=precision,
        observed_at=now,
        feed=feed.ref,
    )
    return Candidate(
        position=position,
        article=article,
        title_digest=digest(normal_title),
        text_length=len(normal_text),
    )


def with_text_of_page(
    candidate: Candidate, text: str, feed: Feed, detector: Detector, named: str | None = None
) -> Candidate:
    """The candidate with its page's text in place of the feed's, and the address the page gives itself.

    Where there is no text the teaser stands; either way its page counts as asked for.
    """
    teaser = candidate.article.revision
    if not text:
        return replace(candidate, teaser=teaser)
    normal_text = _normal(text)
    article = replace(
        candidate.article,
        revision=digest(_normal(candidate.article.title), normal_text),
        text=text,
        text_source="page",
        language=detector.detect(candidate.article.title, text, feed.language),
    )
    return replace(candidate, article=article, text_length=len(normal_text), teaser=teaser, canonical=named)


def article_id(url: str) -> str:
    """The id of the article at an address: 24 hexadecimal digits, equal for every spelling of the address."""
    return digest(canonical(url))


def address_id(feed: Feed, entry: Entry, base: str) -> str:
    """The same of the address that an entry gives, whatever other entries are there; empty where none."""
    url = _address(feed, entry, base)
    return article_id(url) if isinstance(url, str) else ""


def digest(*parts: str) -> str:
    """24 hexadecimal digits that name a content."""
    return sha256("\0".join(parts).encode()).hexdigest()[:_DIGEST]


def _addresses(feed: Feed, parsed: ParsedFeed) -> list[str | BadAddressError]:
    """The address of each entry, or why it has none."""
    addresses = [_address(feed, entry, parsed.base) for entry in parsed.entries]
    guids, titles = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for entry, url in zip(parsed.entries, addresses, strict=True):
        if isinstance(url, str) and entry.guid:
            guids[canonical(url)].add(entry.guid)
            titles[canonical(url)].add(entry.title)
    pages = {page for page in guids if len(guids[page]) >= _SHARED and len(titles[page]) >= _SHARED}
    site = _web(parsed.site)
    if site is not None:
        pages.add(canonical(site))
    return [
        _within(url, entry) if isinstance(url, str) and entry.guid and canonical(url) in pages else url
        for entry, url in zip(parsed.entries, addresses, strict=True)
    ]


def _address(feed: Feed, entry: Entry, base: str) -> str | BadAddressError:
    if not entry.title and not entry.text:
        return BadAddressError("empty", "the entry has neither title nor text")
    # feedparser gives an Atom entry without links its id as link: no link, then, unless it is an address.
    link = "" if entry.link == entry.guid and _web(entry.guid) is None else entry.link
    try:
        if link:
            return clean(link, base)
        return _web(entry.guid) or _web(entry.enclosure) or _within(clean(feed.url), entry)
    except BadAddressError as error:
        return error


def _within(page: str, entry: Entry) -> str:
    """The address of an entry that has none of its own: its guid if that is one, else a place on a page."""
    guid = _web(entry.guid)
    if guid is not None and canonical(guid) != canonical(page):
        return guid
    return f"{page.partition('#')[0]}#entry-{digest(entry.guid or entry.title or entry.text)}"


def _web(link: str) -> str | None:
    """An absolute address, or None where it is none."""
    try:
        return clean(link)
    except BadAddressError:
        return None


# What changes from poll to poll without the article changing: counters and relative times, in the registry's
# languages. Numbers with any other word beside them (prices, versions, dates, scores) are content.
_NUMBER = r"\d[\d.,]*"
_COUNTED = (
    r"(?:comments?|views?|likes?|replies|kommentare?|aufrufe|commentaires?|vues?|comentarios?|visitas"
    r"|lecturas)"
)
_COUNTED_CJK = r"(?:评论|評論|阅读|浏览|点赞|收藏|コメント|閲覧|いいね|댓글|조회수?|추천)"
_VOLATILE = re.compile(
    rf"\b{_NUMBER}\s*{_COUNTED}\b|\b(?:{_COUNTED}|points|votes|shares)\s*[:(]\s*{_NUMBER}"
    rf"|{_COUNTED_CJK}\s*[:：(（]?\s*{_NUMBER}|{_NUMBER}\s*(?:条|條|次|件)?{_COUNTED_CJK}"
    r"|\d+\s*(?:second|minute|hour|day|week)s?\s+ago"
    r"|\d+\s*(?:秒前|分钟前|分前|小时前|時間前|天前|日前|초 전|분 전|시간 전|일 전)"
    r"|vor\s+\d+\s+(?:sekunden?|minuten?|stunden?|tag(?:en)?)"
    r"|il\s+y\s+a\s+\d+\s+(?:secondes?|minutes?|heures?|jours?)"
    r"|hace\s+\d+\s+(?:segundos?|minutos?|horas?|días?)",
    re.IGNORECASE,
)


def _normal(value: str) -> str:
    """A text reduced to what must change for it to count as another revision."""
    value = unicodedata.normalize("NFKC", _VOLATILE.sub(" ", value)).casefold()
    return " ".join(value.split())
