"""`racewire feeds check`: a line a feed that needs attention, and an exit code."""

import json
from contextlib import nullcontext

import pytest
from click.testing import CliRunner

from pipeline.cli import feeds as command
from pipeline.feeds.values import FeedState
from pipeline.store.queries import FeedView
from tests.unit.feeds.feed_factory import NOW, a_feed

FINE = FeedView(a_feed("fine"), FeedState(feed_id="fine", status="ok"), None, False, 9, 1)
BLOCKED = FeedState(feed_id="wall", status="blocked", reason="challenge", detail="a page\x1b[2J that asks")
WALL = FeedView(a_feed("wall"), BLOCKED, None, False, 0, 0)
REMOVED = FeedView(a_feed("wall"), BLOCKED, NOW, False, 0, 0)


@pytest.mark.parametrize(
    ("views", "code", "line"),
    [
        ([FINE, REMOVED], 0, "No feed needs attention."),
        ([FINE, WALL], 1, "wall is blocked: a page[2J that asks; last success: never"),
    ],
)
def test_one_line_a_feed_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, views: list[FeedView], code: int, line: str
) -> None:
    monkeypatch.setattr(command, "reading", nullcontext)
    monkeypatch.setattr(command.queries, "feeds", lambda _: views)
    shown = CliRunner().invoke(command.feeds, ["check"])
    assert (shown.exit_code, shown.output) == (code, line + "\n")
    found = CliRunner().invoke(command.feeds, ["check", "--json"])
    assert (found.exit_code, [c["feed_id"] for c in json.loads(found.output)]) == (code, ["wall"][:code])
