"""robots.txt: what its presence, absence and failure mean, and rules that mean no good."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.feeds import robots
from pipeline.feeds.values import Fetched, Robots
from tests.unit.feeds.feed_factory import NOW

ORIGIN = "https://paper.example:8443"


def answered(status: int | None = 200, body: str = "", reason: str | None = None) -> Robots:
    kind = "ok" if status == 200 else "gone" if status == 410 else "failed"
    url = robots.address(ORIGIN)
    fetched = Fetched(kind=kind, url=url, status=status, body=body.encode(), reason=reason)
    return robots.understood(ORIGIN, fetched, NOW)


def rules(text: str) -> robots.Rules:
    return robots.Rules(answered(body=text))


def test_where_the_rules_of_an_address_are() -> None:
    assert robots.origin(f"{ORIGIN}/a/b?c") == ORIGIN
    assert robots.address(ORIGIN) == f"{ORIGIN}/robots.txt"


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_a_server_without_rules_allows_everything_for_a_day(status: int) -> None:
    found = answered(status)
    assert found.until == NOW + timedelta(days=1)
    assert robots.Rules(found).allow(f"{ORIGIN}/a")


@pytest.mark.parametrize("status", [429, 500, 503, None])
def test_a_server_that_fails_is_not_asked_for_pages_for_a_while(status: int | None) -> None:
    found = answered(status, reason="timeout")
    assert found.rules is None
    assert found.until < NOW + timedelta(days=1)
    assert not robots.Rules(found).allow(f"{ORIGIN}/a")


def test_our_own_group_counts_before_everybodys() -> None:
    ours = rules(
        "User-agent: racewire\nDisallow: /private/*.html$\nCrawl-delay: 3\n\nUser-agent: *\nDisallow: /"
    )
    assert ours.allow(f"{ORIGIN}/a")
    assert not ours.allow(f"{ORIGIN}/private/x.html")
    assert ours.delay == 3
    assert not rules("User-agent: *\nDisallow: /news").allow(f"{ORIGIN}/news/1")
    assert rules("User-agent: other\nDisallow: /").allow(f"{ORIGIN}/news/1")
    assert rules("<html><p>Not found</p></html>").allow(f"{ORIGIN}/news/1")


@pytest.mark.parametrize(
    ("said", "granted"),
    [("0.5", 0.5), ("86400", robots.LONGEST_DELAY), ("-3", 0), ("nan", 0), ("1e999", 0), ("soon", 0)],
)
def test_a_delay_is_honoured_within_a_bound(said: str, granted: float) -> None:
    assert rules(f"User-agent: *\nCrawl-delay: {said}").delay == granted


@given(st.binary(max_size=300), st.text(max_size=50))
def test_no_rules_raise(body: bytes, path: str) -> None:
    url = robots.address(ORIGIN)
    fetched = Fetched(kind="ok", url=url, status=200, body=b"User-agent: *\nDisallow: " + body)
    found = robots.Rules(robots.understood(ORIGIN, fetched, NOW))
    assert found.allow(f"{ORIGIN}/{path}") in (True, False)
    assert 0 <= found.delay <= robots.LONGEST_DELAY


@pytest.mark.parametrize("line", ["Disallow: /" + "*a" * 5_000 + "b", "Disallow: /x*y\n" * 30_000])
def test_rules_that_want_to_be_slow_are_read_in_time(line: str) -> None:
    assert rules(f"User-agent: *\n{line}").allow(f"{ORIGIN}/{'a' * 2_000}")  # the suite's time-out fails
