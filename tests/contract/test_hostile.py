"""What is made of records that somebody else made: read, mended, or refused with the place."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.codec import ContractError, decode, fits, record
from schemas.messages import Article
from schemas.topics import ARTICLES, topics
from tests.samples import article

TOPIC = topics()[ARTICLES]
GOOD = json.loads(codec.encode(article(1)))


def with_(**fields: Any) -> bytes:
    """As other producers write it: everything outside ASCII escaped, lone surrogates too."""
    return json.dumps(GOOD | fields).encode()


def raw(text: bytes) -> bytes:
    """The same with `text` as it is, where JSON has a text."""
    return with_(text="HERE").replace(b"HERE", text)


DEEP = 200_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (with_(text="a\0b"), "a\ufffdb"),
        (raw(rb"a\\u0000b"), r"a\u0000b"),  # an escaped backslash, and no NUL
        (raw(rb"a\\\u0000b"), "a\\\ufffdb"),
        (with_(text="a\ud800b"), "a\ufffdb"),
        (with_(text="a\udc00\ud800b"), "a\ufffd\ufffdb"),
        (with_(text="a\U0001f600b"), "a\U0001f600b"),
        (raw(rb"\ud800\u0041"), "\ufffdA"),
        (raw(rb"\uD83D\ud83d\uDE00"), "\ufffd\U0001f600"),
        (with_(text="x" * 10_000_000), "x" * 10_000_000),
        (with_(text="a", colour=["unknown"]), "a"),
    ],
)
def test_what_is_no_text_is_mended(value: bytes, text: str) -> None:
    message = decode(TOPIC, (), value)
    assert isinstance(message, Article)
    assert message.text == text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "without a value"),
        (b"", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b"null", "Expected `object`, got `null`"),
        (with_(article_id="a\0b"), "$.article_id"),
        (raw(b"a\0b"), "malformed"),
        (raw(b"\xff"), "utf-8"),
        (with_(published_at="9999-12-31T23:59:59-05:00"), "$.published_at"),
        (with_(published_at="0001-01-01T00:00:00+05:00"), "$.published_at"),
        (with_(observed_at="9999-12-31T23:59:59Z"), "$.observed_at"),
        (with_(published_at="-0001-01-01T00:00:00Z"), "$.published_at"),
        (with_(published_at=-62135596801), "$.published_at"),
        (with_(feed={"id": "a", "kind": "press", "rank": 10**400}), "$.feed.rank"),
        (with_(article_id="x" * 1_000_000), "$.article_id"),
        (with_(url=["x"]), "$.url"),
        (with_(x=0)[:-1] + b',"y":' + b"[" * DEEP + b"]" * DEEP + b"}", "recursion"),
        (with_(x=0)[:-1] + b',"y":' + b'{"a":' * DEEP + b"0" + b"}" * DEEP + b"}", "recursion"),
        (b"[" * DEEP, "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_article_is_refused(value: bytes | None, told: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode(TOPIC, (), value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [
        [("ce_type", None)],
        [("ce_type", b"\xff")],
        [("", b""), ("a\0b", b"\0"), ("\u202e", None)],
        [("ce_type", b"racewire.article.v1")] * 5000,
    ],
)
def test_headers_that_say_nothing_are_forgiven(headers: list[tuple[str, bytes | None]]) -> None:
    assert decode(TOPIC, headers, with_())


def test_another_type_is_refused() -> None:
    with pytest.raises(ContractError, match=r"racewire\.article\.v1"):
        decode(TOPIC, [("ce_type", b"x" * 100_000)], with_())


@given(st.text(st.characters(exclude_categories=())))
def test_every_text_comes_through_as_one_that_can_be_stored(text: str) -> None:
    message = decode(TOPIC, (), with_(text=text))
    assert isinstance(message, Article)
    stored = message.text.encode()  # no lone surrogate is left
    assert b"\0" not in stored
    assert message.text == text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode(
        "utf-16", "replace"
    )


def test_an_event_that_its_topic_does_not_take_is_not_made() -> None:
    given_article = msgspec.structs.replace(article(1), text="x" * 3_000_000)
    with pytest.raises(ContractError, match="larger than the topic takes"):
        record(TOPIC, given_article, time=given_article.observed_at)
    assert fits(TOPIC, record(TOPIC, article(1), time=article(1).observed_at))
