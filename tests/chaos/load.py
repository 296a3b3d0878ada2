"""What a course publishes: a function of its seed, made without the product's code.

Generated articles in three languages and, where the shared data is there, real ones; revisions and sightings
of them; records twice, out of order, broken and hostile.
"""

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

MARK = "chaos"  # header: a record on the topic is one of a course's own, with this number
START = datetime(2025, 4, 1, 8, 0, tzinfo=UTC)
FEEDS = tuple(f"paper-{n}" for n in range(9))

_NAMES = (
    ("OpenAI", "GPT "),
    ("Anthropic", "Claude "),
    ("Google", "Gemini "),
    ("Meta", "Llama "),
    ("Mistral", "Mistral Large "),
    ("Nvidia", "Nemotron "),
    ("DeepSeek", "DeepSeek-V"),
    ("Alibaba", "Qwen "),
)
_TOLD = (
    ("en", "{who} releases {what}", "{who} has released {what}, its newest model, to challenge {rival}."),
    ("en", "{who} delays {what}", "{who} will ship {what} later than planned; {rival} is ahead for now."),
    ("en", "{who} is said to plan {what}", "People close to {who} expect {what} next month, before {rival}."),
    ("de", "{who} stellt {what} vor", "{who} hat das Modell {what} vorgestellt und greift {rival} an."),
    ("zh", "{who}发布{what}", "{who}今天正式发布{what}，与{rival}展开竞争。"),
)
# Versions have three digits at most; canaries, numbered from ten million, thus have some of their own.
_VERSIONS = 777
_AFTERNOON = 300  # records, one a minute: some 15 articles of each maker's newest model
_FILLER = "Analysts compared benchmarks, prices and the number of developers. "


class Sort(StrEnum):
    """What must become of a record."""

    GOOD = "good"
    """A row."""
    BAD = "bad"
    """A dead letter, and nothing else."""
    HOSTILE = "hostile"
    """A row, cleaned, or a dead letter: one of the two."""


@dataclass(frozen=True)
class Input:
    """A record to publish, and the article in it, if any. `number` travels in the header `MARK`."""

    number: int
    sort: Sort
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    article: Mapping[str, Any] | None = None
    partition: int | None = None


def inputs(seed: int, count: int, real: Sequence[Mapping[str, str]] = ()) -> list[Input]:
    """`count` records; every second new article is a real one as long as there are any."""
    rng = random.Random(seed)
    stock = iter(rng.sample(real, len(real)))
    made: list[Input] = []
    articles: list[Mapping[str, Any]] = []
    for number in range(count):
        dice = rng.random()
        if dice < 0.02:
            made.append(_bad(rng, seed, number))
        elif dice < 0.03:
            made.append(_hostile(rng, seed, number))
        elif dice < 0.06 and made:
            made.append(replace(made[rng.randrange(max(0, number - 200), number)], number=number))
        elif dice < 0.20 and articles:
            old = articles[rng.randrange(max(0, len(articles) - 300), len(articles))]
            again = _revised(old, number) if dice < 0.13 else _sighted(old, rng.choice(FEEDS), number)
            made.append(good(number, again))
        else:
            found = next(stock, None) if number % 2 else None
            new = _real(found, seed, number) if found else _generated(rng, seed, number)
            articles.append(new)
            made.append(good(number, new))
    # Later ones overtake earlier ones. No sighting does its article: a poll publishes them in order under one
    # key, and the row that a sighting makes would have another owner.
    sighted = {one.key for one in made if one.article and one.article["kind"] == "sighting"}
    for _ in range(count // 40):
        at = rng.randrange(count)
        other = min(count - 1, at + rng.randrange(1, 60))
        if not {made[at].key, made[other].key} & sighted:
            made[at], made[other] = made[other], made[at]
    return [replace(one, number=place) for place, one in enumerate(made)]


def canaries(seed: int, fault: int, partitions: int) -> list[Input]:
    """A new article for each partition, published after a fault: told as stories, all is well again."""
    rng = random.Random(f"{seed}:{fault}")
    first = 10_000_000 + fault * partitions
    made = [good(first + p, _generated(rng, seed, first + p)) for p in range(partitions)]
    return [replace(one, partition=p) for p, one in enumerate(made)]


def good(number: int, article: Mapping[str, Any]) -> Input:
    """The record of an article, with CloudEvents headers as a poll gives it."""
    value = json.dumps(article, ensure_ascii=False).encode()
    event = f"{article['article_id']}:{article['revision']}:{article['feed']['id']}:{article['kind']}"
    return Input(number, Sort.GOOD, article["article_id"].encode(), value, _headers(event), article)


def news(rng: random.Random, number: int) -> tuple[str, str, str]:
    """Language, title and text of a made-up development. Each is told for an afternoon and never again.

    One that went on for weeks would fall into windows of which each hangs on the one before.
    """
    (who, what), (rival, _) = rng.sample(_NAMES, 2)
    language, title, text = rng.choice(_TOLD)
    names = {"who": who, "what": f"{what}{3 + number // _AFTERNOON % _VERSIONS}", "rival": rival}
    return language, title.format(**names), text.format(**names) + " " + _FILLER * rng.randrange(30)


def read_real(shared: Path, most: int) -> list[Mapping[str, str]]:
    """Up to `most` real articles of the shared data; none where it is missing."""
    file = shared / "data" / "articles.jsonl.gz"
    if not file.exists():
        return []
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, most)]


def _generated(rng: random.Random, seed: int, number: int) -> Mapping[str, Any]:
    language, title, text = news(rng, number)
    url = f"https://generated.example/{seed}/{number}"
    published = START + timedelta(minutes=number % 100_000)
    return _article(url, title, text, language, published, number, rng.choice(FEEDS))


def _real(found: Mapping[str, str], seed: int, number: int) -> Mapping[str, Any]:
    url = f"https://real.example/{seed}/{number}/{found['id']}"
    published = datetime.fromisoformat(found["published"]) if found["published"] else START
    language = found["lang"] if found["lang"].isalpha() and len(found["lang"]) in (2, 3) else "und"
    return _article(url, found["title"], found["summary"], language, published, number, FEEDS[number % 9])


def _article(
    url: str, title: str, text: str, language: str, published: datetime, number: int, feed: str
) -> Mapping[str, Any]:
    return {
        "article_id": _digest(url),
        "revision": _digest(title, text),
        "kind": "article",
        "url": url,
        "title": title,
        "text": text,
        "text_source": "summary",
        "language": language,
        "published_at": _time(published),
        "published_precision": "second",
        "observed_at": _observed(number),
        "feed": {"id": feed, "kind": "press", "rank": 2},
    }


def _revised(old: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    text = f"{old['text']} Corrected in the light of document {number}."
    changed = {"kind": "revision", "text": text, "revision": _digest(old["title"], text)}
    return {**old, **changed, "observed_at": _observed(number)}


def _sighted(old: Mapping[str, Any], feed: str, number: int) -> Mapping[str, Any]:
    other = {**old["feed"], "id": f"{feed}-copy"}
    return {**old, "kind": "sighting", "feed": other, "observed_at": _observed(number)}


def _bad(rng: random.Random, seed: int, number: int) -> Input:
    article = _generated(rng, seed, number)
    whole = json.dumps(article).encode()
    lacking = json.dumps({k: v for k, v in article.items() if k != "url"}).encode()
    mistyped = json.dumps({**article, "published_at": "yesterday"}).encode()
    foreign = (("ce_type", b"someone.elses.v1"),)
    value, headers = rng.choice(
        [
            (whole[:-9], ()),
            (lacking, ()),
            (mistyped, ()),
            (b"\xff\xfe" + whole, ()),
            (None, ()),
            (whole, foreign),
        ]
    )
    key = rng.choice([article["article_id"].encode(), b"\xff\x00", None if value else b""])
    return Input(number, Sort.BAD, key, value, headers)


def _hostile(rng: random.Random, seed: int, number: int) -> Input:
    article = _generated(rng, seed, number)
    changed = rng.choice(
        [
            {"title": f"{article['title']}\0"},
            {"text": f"\0{article['text']}"},
            {"text": f"{article['text']} \ud83d"},
            {"observed_at": "9999-12-31T23:59:59Z"},
            {"text": article["text"] + " and so on" * 100_000},
            {"unknown": [{}] * 50_000},
        ]
    )
    value = json.dumps({**article, **changed}).encode()  # in ASCII: what no UTF-8 can hold is escaped
    return replace(good(number, article), sort=Sort.HOSTILE, value=value)


def _headers(event: str) -> tuple[tuple[str, bytes], ...]:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", event.encode()),
        ("ce_source", b"/chaos"),
        ("ce_type", b"racewire.article.v1"),
    )


def _digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:24]


def _observed(number: int) -> str:
    return _time(START + timedelta(days=400, seconds=number))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
