"""What a round of polls is told to have brought."""

from pipeline.store.feeds import Poll
from pipeline.workers.summary import summary
from tests.unit.feeds.feed_factory import NOW

QUIET = Poll("quiet", NOW, "not-modified", "")
REJECT = ("empty", "no title", "/a")
NEWS = Poll("paper", NOW, "ok", "", articles=2, sightings=1, unchanged=9, rejects=(REJECT,))
DEAD = Poll("dead", NOW, "http-500", "500", change="is failing now: <b>it</b> | said\n500")


def test_nothing_new_is_one_sentence() -> None:
    assert summary([QUIET, QUIET]) == "2 feeds polled: nothing new."
    assert summary([]) == "0 feeds polled: nothing new."


def test_changes_come_first_and_then_what_came_in() -> None:
    assert summary([QUIET, DEAD, NEWS]) == (
        "3 feeds polled: 2 articles, 1 sightings.\n\n## Changed since the poll before\n\n"
        "- **dead** is failing now: \\<b\\>it\\</b\\> \\| said 500\n\n"
        "| feed | articles | revisions | sightings | rejected |\n|---|---:|---:|---:|---:|\n"
        "| paper | 2 | 0 | 1 | 1 |"
    )


def test_what_a_poll_before_said_as_well_is_not_said_again() -> None:
    assert summary([Poll("dead", NOW, "http-500", "500")]) == "1 feed polled: nothing new."
