"""`racewire feeds list` and `check`: how every feed stands, which need attention, and an exit code."""

import json
from contextlib import nullcontext
from datetime import timedelta

import pytest
from click.testing import CliRunner

from pipeline.cli import feeds as command
from pipeline.feeds.values import FeedState
from pipeline.store.queries import FeedView
from tests.unit.feeds.feed_factory import NOW, a_feed

FINE = FeedView(
    a_feed("fine"),
    FeedState(feed_id="fine", status="ok", last_success_at=NOW, next_poll_at=NOW + timedelta(minutes=5)),
    None,
    False,
    articles=12,
    judged=8,
    core=1,
    a_day=2.4,
)
BLOCKED = FeedState(feed_id="wall", status="blocked", reason="challenge", detail="a page\x1b[2J that asks")
WALL = FeedView(a_feed("wall"), BLOCKED, None, False)
REMOVED = FeedView(a_feed("wall"), BLOCKED, NOW, False)


def test_every_feed_has_a_line_and_its_trouble_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "reading", nullcontext)
    monkeypatch.setattr(command.queries, "feeds", lambda _: [FINE, WALL, REMOVED])
    lines = CliRunner().invoke(command.feeds, ["list"]).output.splitlines()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert cells == [
        ["fine", "ok", "11-24 12:00", "11-24 12:05", "2.4", "12%"],
        ["wall", "blocked", "", "", "0.0", ""],
        ["wall", "removed", "", "", "0.0", ""],
    ]
    assert lines[-1] == "wall: a page[2J that asks; last success: never"
    assert max(map(len, lines[:-1])) <= 80  # as narrow as terminals are
    shown = json.loads(CliRunner().invoke(command.feeds, ["list", "--json"]).output)
    assert [(f["articles"], f["judged"], f["core"], f["a_day"]) for f in shown] == [
        (12, 8, 1, 2.4),
        (0, 0, 0, 0.0),
        (0, 0, 0, 0.0),
    ]


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
