"""What is linked, how a time is told, how a release is told."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.web.rendering import iso, safe_url, when
from pipeline.web.timeline import steps
from schemas.messages import Release, ReleaseStatement

NOON = datetime(2025, 4, 29, 14, 0, 5, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://paper.example/a?b=c", True),
        ("http://[2001:db8::1]/", True),
        ("HTTPS://paper.example/", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("//paper.example/", False),
        ("https:///path", False),
        ("http://[broken", False),
        ("/articles/x", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_linked(url: str, safe: bool) -> None:
    assert safe_url(url) is safe


@pytest.mark.parametrize(
    ("precision", "told"),
    [
        ("second", "29 Apr 2025, 12:00 UTC"),
        ("observed", "29 Apr 2025, 12:00 UTC"),
        ("day", "29 Apr 2025"),
        ("month", "Apr 2025"),
        ("year", "2025"),
        ("a precision of later", "29 Apr 2025, 12:00 UTC"),
    ],
)
def test_a_time_is_in_utc_and_no_more_precise_than_known(precision: str, told: str) -> None:
    assert when(NOON, precision) == told
    assert iso(NOON) == "2025-04-29T12:00:05Z"


def told(*said: tuple[str, str | None]) -> list[str]:
    statements = [
        ReleaseStatement(
            article_id=f"a{n}",
            url=f"https://paper.example/{n}",
            title="",
            language="en",
            feed="paper",
            published_at=datetime(2025, 4, 1 + n, tzinfo=UTC),
            status=status,
            expected=expected,
            quote="",
        )
        for n, (status, expected) in enumerate(said)
    ]
    release = Release(
        release_id="r",
        actor="alibaba",
        product="Qwen 3",
        status=said[-1][0],
        expected=None,
        slips=0,
        statements=statements,
    )
    return [f"{s.words} ×{s.count} {s.first.article_id}" for s in steps(release)]


def test_a_release_is_told_by_its_turns() -> None:
    assert told(
        ("rumoured", "2025-04"),
        ("rumoured", "2025-04"),
        ("delayed", None),
        ("announced", "2025-05"),
        ("happened", None),
    ) == ["expected 2025-04 ×2 a0", "slipped ×1 a2", "announced for 2025-05 ×1 a3", "released ×1 a4"]


def test_a_delay_names_only_a_date_that_is_new() -> None:
    assert told(("rumoured", "2025-04"), ("delayed", "2025-04"), ("delayed", "2025-05")) == [
        "expected 2025-04 ×1 a0",
        "slipped ×1 a1",
        "slipped to 2025-05 ×1 a2",
    ]


def test_what_is_out_can_only_be_withdrawn() -> None:
    assert told(("happened", None), ("rumoured", "2025-06"), ("happened", None), ("denied", None)) == [
        "released ×1 a0",
        "denied ×1 a3",
    ]


def test_a_status_of_later_is_told_as_it_is() -> None:
    assert told(("paused", "2026"), ("rumoured", None)) == ["paused 2026 ×1 a0", "rumoured ×1 a1"]
