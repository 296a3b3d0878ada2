"""The articles that a measurement publishes: real ones where they lie, made-up ones otherwise."""

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from pipeline.classify.ndjson import LineError, article
from schemas.messages import Article, FeedRef

VARIABLE = "RACEWIRE_SHARED"
FILE = Path("data") / "articles.jsonl.gz"
_START = datetime(2025, 4, 1, 8, 0, tzinfo=UTC)
_ACTORS = ("OpenAI", "Anthropic", "Google", "Meta", "Mistral", "Nvidia", "DeepSeek", "Alibaba")
_TOLD = (
    ("{who} releases {what}", "{who} has released {what}, its newest model, to challenge {rival}. "),
    ("{who} delays {what}", "{who} will ship {what} later than planned, and {rival} is ahead for now. "),
    ("Harvest of apples is late", "Growers of the region say that rain in spring kept the bees at home. "),
)


@dataclass(frozen=True)
class Stock:
    """Articles, each with an id of its own, and where they are from in words."""

    articles: list[Article]
    source: str


def stock(count: int) -> Stock:
    """`count` articles; real ones, drawn evenly, are those of the folder that RACEWIRE_SHARED names."""
    folder = os.environ.get(VARIABLE, "")
    file = Path(folder) / FILE
    if not folder or not file.is_file():
        return Stock(
            [_made(number) for number in range(count)],
            f"{count} made-up articles: set {VARIABLE} to a folder with {FILE} for real ones",
        )
    real = list({one.article_id: one for one in _read(file)}.values())
    some = min(count, len(real))
    drawn = [real[number * len(real) // some] for number in range(some)]
    again = [
        replace(one, article_id=f"{one.article_id}-{turn}")
        for turn in range(1, -(-count // len(real)))
        for one in real
    ]
    return Stock([*drawn, *again][:count], f"{count} of {len(real)} real articles of {FILE}")


def _read(file: Path) -> Iterator[Article]:
    with gzip.open(file, "rb") as lines:
        for line in lines:
            try:
                yield article(line)
            except LineError:  # what no feed would be let through with
                continue


def _made(number: int) -> Article:
    title, text = _TOLD[number % len(_TOLD)]
    named = {
        "who": _ACTORS[number % len(_ACTORS)],
        "what": f"Model {number % 97}",
        "rival": _ACTORS[(number + 3) % len(_ACTORS)],
    }
    return Article(
        article_id=f"{number:024x}",
        revision=f"{number:016x}",
        kind="article",
        url=f"https://news.example/{number}",
        title=title.format(**named),
        text=text.format(**named) * (1 + number % 12),
        text_source="content",
        language="en",
        published_at=_START + timedelta(minutes=number),
        published_precision="second",
        observed_at=_START + timedelta(minutes=number),
        feed=FeedRef(id="paper", kind="press", rank=2),
    )
