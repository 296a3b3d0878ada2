"""What `racewire feeds try` shows: each step from a URL or file to articles, and what became of each entry.

The same fetch, parse, identify, pages and decide as in a feed's first poll, with an empty memory; nothing is
published or remembered.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from pipeline.feeds.decide import Horizon, decide
from pipeline.feeds.fetch import Limits, fetch_all
from pipeline.feeds.fulltext import complete, counted
from pipeline.feeds.identify import identify
from pipeline.feeds.language import Detector
from pipeline.feeds.outcomes import Candidate, Decision, Reject
from pipeline.feeds.parse import parse
from pipeline.feeds.values import Feed, FeedState, Fetched, ParsedFeed, Validators, Value


class Step(Value, frozen=True, kw_only=True):
    """One step and how it ended, in words."""

    name: str
    ok: bool
    result: str


class Row(Value, frozen=True, kw_only=True):
    """One entry: what it would become, and why. `page` is what its page gave, where that was wanted."""

    position: int
    outcome: str
    why: str
    title: str
    url: str
    language: str = ""
    published: str = ""
    characters: int = 0
    page: str = ""


class Explanation(Value, frozen=True, kw_only=True):
    """All that is to be said about one document. `rows` has one value for each of its entries."""

    feed: Feed
    steps: tuple[Step, ...]
    rows: tuple[Row, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the document is a feed that can be polled."""
        return all(step.ok for step in self.steps)


def explain(
    target: str, registry: Iterable[Feed], limits: Limits, *, now: datetime, full_text: bool = False
) -> Explanation:
    """Explain the feed with the id `target`, else what is at that URL, else what is in that file.

    With `full_text` as if the feed were marked so: pages of its newest teasers are asked for. A host that is
    typed in is allowed to be private. Raises OSError where the file cannot be read.
    """
    registry = tuple(registry)
    languages = {feed.language for feed in registry} | {"en"}
    feed = next((feed for feed in registry if feed.id == target), None) or _unregistered(target)
    feed = replace(feed, full_text=feed.full_text or full_text)
    if feed.url == _FILE:
        fetched = Fetched(kind="ok", url=feed.url, body=Path(target).read_bytes())
    else:
        (fetched,) = fetch_all([(feed, Validators())], limits)
    steps = [Step(name="fetch", ok=fetched.kind == "ok", result=_fetch_result(feed.url, fetched))]
    if fetched.kind != "ok":
        return Explanation(feed=feed, steps=tuple(steps))
    parsed = parse(fetched.body, url=fetched.url, content_type=fetched.content_type)
    steps.append(Step(name="parse", ok=parsed.problem is None, result=_parse_result(parsed)))
    if parsed.problem is not None:
        return Explanation(feed=feed, steps=tuple(steps))
    detector = Detector(languages)
    entries = identify(feed, parsed, now=now, detector=detector)
    pages: Mapping[int, str] = {}
    if feed.full_text:
        completed = complete([(feed, entries)], {}, {}, limits, detector, now=now)
        (entries,), (pages,) = completed.entries, completed.pages
        steps.append(
            Step(name="pages", ok=True, result=counted(Counter(pages.values())) or "none wanted: no teasers")
        )
    decision = decide(feed, entries, {}, Horizon().news_since(FeedState(feed_id=feed.id), now))
    steps.append(Step(name="decide", ok=True, result=_decide_result(decision)))
    return Explanation(feed=feed, steps=tuple(steps), rows=_rows(entries, decision, pages))


# Relative links in a file have no site to be resolved against; this names none (RFC 2606).
_FILE = "https://file.invalid/"


def _unregistered(target: str) -> Feed:
    url = target if target.startswith(("http://", "https://")) else _FILE
    host = urlsplit(url).hostname or ""
    return Feed(
        id="try",
        url=url,
        title=target[:200],
        language="en",
        kind="press",
        rank=9,
        allow_hosts=frozenset({host}),
    )


def _fetch_result(asked: str, fetched: Fetched) -> str:
    if fetched.kind != "ok":
        return f"{fetched.reason or fetched.kind}: {fetched.detail}"
    validators = fetched.validators
    kept = [name for name in ("etag", "last_modified") if getattr(validators, name)]
    moved = f", to which it moved permanently from {asked}" if fetched.moved_to == fetched.url else ""
    return (
        f"{len(fetched.body)} bytes of {fetched.content_type or 'no stated type'} from {fetched.url}{moved}; "
        f"conditional requests by {' and '.join(kept) or 'the body alone'}"
    )


def _parse_result(parsed: ParsedFeed) -> str:
    if parsed.problem is not None:
        return f"{parsed.problem}: {parsed.detail}"
    return f"{parsed.format or 'unknown format'}, {len(parsed.entries)} entries, {parsed.title!r}"


def _decide_result(decision: Decision) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in decision.counts.items())


def _rows(
    entries: Iterable[Candidate | Reject], decision: Decision, pages: Mapping[int, str]
) -> tuple[Row, ...]:
    rows = []
    for entry, outcome in zip(entries, decision.outcomes, strict=True):
        if isinstance(entry, Reject):
            row = Row(
                position=entry.position,
                outcome=entry.reason,
                why=outcome.why,
                title=entry.title,
                url=entry.address,
            )
            rows.append(row)
            continue
        article = outcome.article or entry.article
        rows.append(
            Row(
                position=entry.position,
                outcome="history" if outcome.history else outcome.reason or outcome.kind,
                why=outcome.why,
                title=article.title,
                url=article.url,
                language=article.language,
                published=f"{article.published_at:%Y-%m-%d %H:%M} ({article.published_precision})",
                characters=len(article.text),
                page=pages.get(entry.position, ""),
            )
        )
    return tuple(rows)
