"""What servers and feeds say of how often they want to be asked, and what of it is believed."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds import hints
from pipeline.feeds.parse import parse
from pipeline.feeds.values import FeedState, Hints
from tests.unit.feeds.feed_factory import NOW, an_item, rss

AT_ELEVEN = "Tue, 24 Nov 2026 11:00:00 GMT"
AT_TWO = "Tue, 24 Nov 2026 14:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": "public, max-age=600"}, 600),
        ({"cache-control": 'Max-Age = "600"'}, 600),
        ({"cache-control": "s-maxage=9, x-max-age=8"}, None),
        ({"cache-control": "max-age=600", "age": "500"}, 100),
        ({"cache-control": "max-age=600", "age": "900"}, 0),
        ({"cache-control": "max-age=600", "age": "-1"}, 600),
        ({"cache-control": "no-cache, max-age=600"}, None),
        ({"cache-control": "max-age=-1"}, None),
        ({"cache-control": "max-age=" + "9" * 400}, float("inf")),
        ({"expires": AT_TWO}, 7_200),
        ({"expires": AT_TWO, "date": AT_ELEVEN}, 10_800),
        ({"expires": AT_ELEVEN}, 0),
        ({"expires": "0"}, None),
        ({"expires": AT_TWO, "cache-control": "max-age=600"}, 600),
        ({"expires": "Tue, 24 Nov 2026 14:00:00"}, None),
        ({"expires": "Fri, 31 Dec 9999 23:59:59 -2300"}, None),
    ],
)
def test_for_how_long_an_answer_is_fresh(headers: dict[str, str], seconds: float | None) -> None:
    assert hints.fresh_for(headers, NOW) == seconds


@given(st.text(), st.text(), st.text())
def test_no_header_breaks_the_reading(control: str, expires: str, retry: str) -> None:
    found = hints.fresh_for({"cache-control": control, "expires": expires, "age": retry}, NOW)
    assert found is None or found >= 0
    later = hints.retry_after(retry, NOW)
    assert later is None or later >= 0


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("", Hints()),
        ("<ttl>90</ttl>", Hints(ttl=timedelta(minutes=90))),
        ("<ttl>soon</ttl>", Hints()),
        ("<ttl>99999999999999999999</ttl>", Hints()),
        (
            "<skipHours><hour>0</hour><hour> 23 </hour><hour>x</hour><hour>99999</hour></skipHours>",
            Hints(skip_hours=frozenset({0, 23})),
        ),
        ("<skipHours><hour>24</hour></skipHours>", Hints(skip_hours=frozenset({0}))),
        (
            "<skipDays><day>Saturday</day><day>sunday</day><day>Caturday</day></skipDays>",
            Hints(skip_days=frozenset({5, 6})),
        ),
        ("<skipDays>", Hints()),
    ],
)
def test_what_a_document_asks_for(channel: str, expected: Hints) -> None:
    link = "<title>Paper</title><link>https://paper.example/</link>"
    document = rss(an_item("/a", "A") + "<ttl>7</ttl>", channel=link + channel)
    assert parse(document, url="https://paper.example/feed.xml").hints == expected


def test_a_state_without_hints_is_still_read_and_one_with_them_is_kept() -> None:
    assert msgspec.convert({"feed_id": "paper"}, FeedState).hints == Hints()
    kept = FeedState(
        feed_id="paper",
        hints=Hints(ttl=timedelta(hours=1), skip_hours=frozenset({3}), skip_days=frozenset({6})),
    )
    assert msgspec.convert(msgspec.to_builtins(kept), FeedState) == kept
