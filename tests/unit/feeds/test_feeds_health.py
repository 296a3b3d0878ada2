"""Which feeds need an operator."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from pipeline.feeds.health import PERSISTENT, TELLING, change, complaint, in_words, standing
from pipeline.feeds.values import RECENT, FeedState, Rhythm
from tests.unit.feeds.feed_factory import NOW

FINE = FeedState(feed_id="f", status="ok", last_success_at=NOW)
NEVER = replace(FINE, first_success_at=NOW - RECENT)
FAILING = replace(FINE, status="failing", reason="http-500", detail="it answered 500", failures=2)
SILENT = replace(FINE, silent_since=NOW - timedelta(days=9))


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
        (NEVER, 0, 0, "useless"),
        (replace(NEVER, first_success_at=NOW - RECENT + timedelta(hours=1)), 0, 0, None),
        (replace(NEVER, rhythm=Rhythm(last=NOW - RECENT)), 0, 0, None),
    ],
)
def test_a_feed_is_complained_of_for_a_reason_or_not_at_all(
    state: FeedState, articles: int, core: int, trouble: str | None
) -> None:
    found = complaint(state, articles=articles, core=core)
    assert (found and found.trouble) == trouble
    assert found is None or (found.feed_id == "f" and found.why)


@pytest.mark.parametrize(
    ("state", "removed", "word", "words"),
    [
        (FeedState(feed_id="f"), False, "new", ""),
        (FINE, False, "ok", ""),
        (FINE, True, "removed", ""),
        (replace(FINE, status="empty"), False, "empty", ""),
        (replace(FINE, detail="entries may have been lost"), False, "ok", "entries may have been lost"),
        (SILENT, False, "silent", "it answers, and has posted nothing since"),
        (replace(SILENT, status="failing", detail="no route"), False, "failing", "it answers"),
        (FAILING, False, "failing", "it answered 500"),
        (replace(FAILING, failures=PERSISTENT), False, "failing", "5 polls failed in a row, it answered 500"),
        (
            replace(FAILING, status="blocked", detail=None),
            False,
            "blocked",
            "http-500; last success: 2026",
        ),
    ],
)
def test_a_feeds_standing_is_a_word_and_its_trouble_a_sentence(
    state: FeedState, removed: bool, word: str, words: str
) -> None:
    assert standing(state, removed=removed) == word
    assert in_words(state, articles=0, core=0).startswith(words)
    assert bool(in_words(state, articles=0, core=0)) == bool(words)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (FINE, FINE, None),
        (FeedState(feed_id="f"), FINE, None),
        (FAILING, replace(FAILING, failures=3), None),
        (SILENT, SILENT, None),
        (FINE, replace(FINE, detail="no host could be reached: our own network seems to be down"), None),
        (FINE, FAILING, "is failing now: it answered 500"),
        (FeedState(feed_id="f"), FAILING, "is failing now: it answered 500"),
        (FAILING, replace(FAILING, status="blocked", detail="a wall"), "is blocked now: a wall"),
        (FINE, replace(FINE, status="gone", reason="gone"), "is gone now: gone"),
        (FAILING, FINE, "answers again, after 2 failed polls"),
        (FAILING, SILENT, "answers again, after 2 failed polls"),
        (FINE, SILENT, "has gone silent: nothing since 2026-11-15 12:00"),
        (SILENT, FINE, "posts again"),
        (FINE, replace(FINE, gaps=1, detail="not all was seen"), "may have lost entries: not all was seen"),
        (FINE, replace(FINE, status="empty"), "has no entries any more"),
        (FeedState(feed_id="f"), replace(FINE, status="empty"), None),
    ],
)
def test_what_a_poll_changes_is_said_and_nothing_else(
    before: FeedState, after: FeedState, words: str | None
) -> None:
    assert change(before, after) == words
