"""What is refused because retention let its article go: by the dates that its record carries."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from pipeline.store.retention import is_late
from tests.samples import article

ONE = article(1)
AFTER, BEFORE = ONE.published_at + timedelta(hours=1), ONE.published_at - timedelta(hours=1)


@pytest.mark.parametrize("kind", ["article", "revision", "sighting"])
def test_what_was_published_since_is_kept(kind: str) -> None:
    assert not is_late(replace(ONE, kind=kind, observed_at=BEFORE), BEFORE)


@pytest.mark.parametrize(("kind", "late"), [("article", False), ("revision", True), ("sighting", True)])
def test_an_old_article_that_is_read_only_now_is_kept_and_what_follows_one_is_not(
    kind: str, late: bool
) -> None:
    assert is_late(replace(ONE, kind=kind, observed_at=AFTER), AFTER) is late
    assert is_late(replace(ONE, kind=kind), AFTER)
