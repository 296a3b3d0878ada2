"""The contract only grows, and what was ever released can still be read."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import racewire
from schemas import codec
from schemas.compatibility import RELEASED, compare
from schemas.topics import topics

HERE = RELEASED.parent
ARTICLE = "json/article.v1.schema.json"
Edit = Callable[[Any], object]


def changed(folder: Path, file: str, edit: Edit) -> Path:
    """The contract with one file edited."""
    for kind in ("json", "topics"):
        copytree(HERE / kind, folder / kind)
    path = folder / file
    content = yaml.safe_load(path.read_bytes())
    edit(content)
    path.write_text(json.dumps(content))  # which is YAML too
    return folder


def test_the_contract_only_grew_since_the_last_release() -> None:
    assert [str(c) for c in compare(RELEASED, HERE) if c.breaks] == []


@pytest.mark.parametrize("topic", topics().values(), ids=lambda t: t.name)
def test_what_was_released_can_be_read(topic: Any) -> None:
    for name in topic.examples:
        path = RELEASED / "examples" / name
        if path.exists():
            codec.decode(topic, (), path.read_bytes())


@pytest.mark.parametrize(
    ("file", "edit", "place"),
    [
        (ARTICLE, lambda s: s["properties"].pop("text"), "text"),
        (ARTICLE, lambda s: s["required"].remove("text"), "text"),
        (ARTICLE, lambda s: s["required"].append("text_source"), "text_source"),
        (ARTICLE, lambda s: s["properties"]["url"].update(maxLength=100), "url [maxLength]"),
        (ARTICLE, lambda s: s["properties"]["url"].pop("maxLength"), "url [maxLength]"),
        (ARTICLE, lambda s: s["properties"]["text_source"].update(default="page"), "text_source [default]"),
        (ARTICLE, lambda s: s["properties"]["title"].update(type="integer"), "title [type]"),
        (ARTICLE, lambda s: s["$defs"]["FeedRef"]["properties"].pop("rank"), "feed rank"),
        (ARTICLE, lambda s: s.update(additionalProperties=False), "[additionalProperties]"),
        (
            ARTICLE,
            lambda s: (s["properties"].update(byline={"type": "string"}), s["required"].append("byline")),
            "byline",
        ),
        ("json/story.v1.schema.json", lambda s: s["properties"]["actors"].update(items={}), "actors"),
        ("topics/news.articles.v1.yaml", lambda t: t.update(key="url"), "key"),
        ("topics/news.articles.v1.yaml", lambda t: t.update(partitions=6), "partitions"),
        (
            "topics/ai-race.stories.v1.yaml",
            lambda t: t["config"].update({"cleanup.policy": "delete"}),
            "cleanup.policy",
        ),
    ],
)
def test_what_breaks_is_found_and_named(tmp_path: Path, file: str, edit: Edit, place: str) -> None:
    found = [c for c in compare(HERE, changed(tmp_path, file, edit)) if c.breaks]
    assert found
    assert all(c.place.startswith(f"{Path(file).name} {place}") for c in found)


@pytest.mark.parametrize(
    "edit",
    [
        lambda s: s["properties"].update(byline={"type": "string", "default": ""}),
        lambda s: s["$defs"]["FeedRef"]["properties"].update(country={"type": "string", "default": ""}),
    ],
)
def test_a_field_with_a_default_may_come(tmp_path: Path, edit: Edit) -> None:
    assert [c.breaks for c in compare(HERE, changed(tmp_path, ARTICLE, edit))] == [False]


def test_words_to_people_are_free(tmp_path: Path) -> None:
    assert compare(HERE, changed(tmp_path, ARTICLE, lambda s: s.update(description="other words"))) == []


def test_a_topic_that_goes_breaks_and_one_that_comes_does_not(tmp_path: Path) -> None:
    fewer = changed(tmp_path, ARTICLE, lambda s: s)
    (fewer / "topics" / "ai-race.stories.v1.yaml").unlink()
    (gone,) = compare(HERE, fewer)
    (come,) = compare(fewer, HERE)
    assert gone.breaks
    assert not come.breaks


def test_the_command_says_so_and_fails(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(racewire, ["schemas", "check"]).exit_code == 0
    broken = str(changed(tmp_path / "new", ARTICLE, lambda s: s["properties"].pop("text")))
    result = run(racewire, ["schemas", "check", str(HERE), broken])
    assert result.exit_code == 1
    assert "article.v1.schema.json text: is gone" in result.output
    assert run(racewire, ["schemas", "diff", str(HERE), broken]).exit_code == 0
    (tmp_path / "empty" / "json").mkdir(parents=True)
    nothing = run(racewire, ["schemas", "check", str(tmp_path / "empty"), str(HERE)])
    assert nothing.exit_code == 1
    assert "nothing to compare" in nothing.output
