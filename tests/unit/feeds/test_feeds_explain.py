"""What `feeds try` says of a file, an address and a feed of the registry."""

from pathlib import Path

import pytest

from pipeline.feeds.explain import explain
from pipeline.feeds.fetch import Limits
from tests.unit.feeds.feed_factory import NOW, a_feed, an_item, rss
from tests.unit.feeds.lying_server import LyingServer, http

LIMITS = Limits(user_agent="racewire-test", total=5)
DOCUMENT = rss(
    an_item("https://lab.example/a", "Lab ships"), an_item("javascript:x", "No"), an_item("/a", "")
)


def test_a_file_is_explained_entry_by_entry(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(DOCUMENT)
    explanation = explain(str(path), [], LIMITS, now=NOW)
    assert explanation.ok
    assert [step.name for step in explanation.steps] == ["fetch", "parse", "decide"]
    assert [(row.position, row.outcome) for row in explanation.rows] == [
        (0, "article"),
        (1, "bad-scheme"),
        (2, "empty"),
    ]
    assert (explanation.rows[0].url, explanation.rows[1].url) == ("https://lab.example/a", "javascript:x")
    assert all(row.why for row in explanation.rows)


def test_a_feed_that_moved_is_said_to_have_moved() -> None:
    with LyingServer() as server:
        server.answers |= {"/old": http(301, Location="/new"), "/new": http(body=DOCUMENT)}
        old, new = server.url("/old"), server.url("/new")
        fetch, *_ = explain(old, [], LIMITS, now=NOW).steps
    assert f"from {new}, to which it moved permanently from {old};" in fetch.result


def test_an_address_may_be_private_since_an_operator_typed_it() -> None:
    with LyingServer() as server:
        server.answers["/feed"] = http(body=DOCUMENT)
        explanation = explain(server.url("/feed"), [], LIMITS, now=NOW)
    assert explanation.ok
    assert len(explanation.rows) == 3


def test_a_feed_of_the_registry_is_found_by_its_id_and_held_to_its_rules() -> None:
    explanation = explain("paper", [a_feed("paper", url="http://127.0.0.1:9/feed")], LIMITS, now=NOW)
    assert not explanation.ok
    assert explanation.steps[-1].result.startswith("refused-address")


def test_a_page_in_place_of_a_feed_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<html><title>Welcome</title></html>")
    explanation = explain(str(path), [], LIMITS, now=NOW)
    assert [(step.name, step.ok) for step in explanation.steps] == [("fetch", True), ("parse", False)]
    assert explanation.steps[-1].result.startswith("html: ")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        explain(str(tmp_path / "nothing.xml"), [], LIMITS, now=NOW)
