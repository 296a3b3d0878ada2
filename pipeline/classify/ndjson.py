"""Articles as lines of JSON in, assessments as lines of JSON out, in the same order.

The form is the command line's (`racewire assess`): id, title, summary or content, url, published, source,
lang. A line that cannot be read becomes a line that says so, so that order and count hold.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from schemas.messages import Article, FeedRef

from .classifier import Classifier

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
)


class LineError(ValueError):
    """A line is no article; the message says why."""

    def __init__(self, reason: str, article_id: str | None = None) -> None:
        super().__init__(reason)
        self.article_id = article_id


class Line(Struct, frozen=True):
    """An article as given on the command line; `content` wins over `summary`."""

    id: str
    title: str = ""
    summary: str = ""
    content: str = ""
    url: str = ""
    published: str = ""
    source: str = ""
    lang: str = ""


class Failure(Struct, frozen=True):
    """What is written for a line that is no article."""

    article_id: str | None
    error: str


def article(line: bytes) -> Article:
    """Read one line. Raises LineError when it is no JSON object with an id, or a value has another type."""
    try:
        given = msgspec.json.decode(line, type=Line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise LineError(f"not an article: {error}", _id(line)) from error
    text = given.content or given.summary
    feed = re.sub(r"[^a-z0-9._:-]+", "-", given.source.lower()).strip("-")[:128] or "unknown"
    try:
        published = _time(given.published) if given.published else None
        return msgspec.convert(
            {
                "article_id": given.id,
                "revision": hashlib.sha256(f"{given.title}\0{text}".encode()).hexdigest()[:16],
                "kind": "article",
                "url": given.url,
                "title": given.title,
                "text": text,
                "text_source": "content" if given.content else "summary",
                "language": given.lang or script_language(f"{given.title} {text}"),
                "published_at": published or _BEFORE_ALL,
                "published_precision": "second" if published else "observed",
                "observed_at": published or _BEFORE_ALL,
                "feed": FeedRef(id=feed, kind="press", rank=5),
            },
            Article,
        )
    except ValueError as error:
        raise LineError(f"not an article: {error}", given.id) from error


def assess_lines(classifier: Classifier, lines: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """For each line that is not blank the line to print (without its end) and whether it was an article."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            assessed = classifier.assess(article(line))
        except LineError as error:
            yield msgspec.json.encode(Failure(error.article_id, f"line {number}: {error}")), False
        else:
            yield msgspec.json.encode(assessed), True


def script_language(text: str) -> str:
    """The language where the script alone tells it, else `und`: the signals do not need to know."""
    for language, script in _SCRIPTS:
        if script.search(text):
            return language
    return "und"


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)


def _id(line: bytes) -> str | None:
    """The id of a line that is JSON but no article, so that its error can be found again."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
