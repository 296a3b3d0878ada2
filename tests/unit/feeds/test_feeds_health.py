"""Which feeds need an operator."""

import pytest

from pipeline.feeds.health import PERSISTENT, TELLING, complaint
from pipeline.feeds.values import FeedState
from tests.unit.feeds.feed_factory import NOW


@pytest.mark.parametrize(
    ("state", "articles", "core", "trouble"),
    [
        (FeedState(feed_id="f", status="gone", detail="410"), 0, 0, "dead"),
        (FeedState(feed_id="f", status="failing", failures=PERSISTENT), 0, 0, "dead"),
        (FeedState(feed_id="f", status="failing", failures=PERSISTENT - 1), 0, 0, None),
        (FeedState(feed_id="f", status="blocked", reason="http-403", failures=1), 0, 0, "blocked"),
        (FeedState(feed_id="f", status="not-a-feed", last_success_at=NOW), 0, 0, "not-a-feed"),
        (FeedState(feed_id="f", status="ok", silent_since=NOW), 50, 5, "silent"),
        (FeedState(feed_id="f", status="ok", moved_to="https://new.example/"), TELLING, 0, "moved"),
        (FeedState(feed_id="f", status="failing", moved_to="https://new.example/"), 0, 0, "moved"),
        (FeedState(feed_id="f", status="duplicate", detail="it moved"), 0, 0, "moved"),
        (FeedState(feed_id="f", status="ok"), TELLING, 0, "useless"),
        (FeedState(feed_id="f", status="ok"), TELLING, 1, None),
        (FeedState(feed_id="f", status="ok"), TELLING - 1, 0, None),
        (FeedState(feed_id="f"), 0, 0, None),
    ],
)
def test_a_feed_is_complained_of_for_a_reason_or_not_at_all(
    state: FeedState, articles: int, core: int, trouble: str | None
) -> None:
    found = complaint(state, articles=articles, core=core)
    assert (found and found.trouble) == trouble
    assert found is None or (found.feed_id == "f" and found.why)
