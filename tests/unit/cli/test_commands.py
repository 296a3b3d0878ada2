"""The command line: every command explains itself, and what needs no server works without one."""

import json

import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, racewire

ARTICLES = [
    {
        "id": "a1",
        "title": "OpenAI releases GPT-5.5 to all ChatGPT users",
        "summary": "The new model is available today.",
        "published": "2026-02-03T10:00:00Z",
        "lang": "en",
    },
    {"id": "a2", "title": "Ten tips for a greener balcony", "summary": "Water in the morning.", "lang": "en"},
    {
        "id": "a3",
        "title": "OpenAI launches GPT-5.5 for everyone in ChatGPT",
        "summary": "OpenAI has released its new model GPT-5.5.",
        "published": "2026-02-03T11:00:00Z",
        "lang": "en",
    },
]
LINES = "\n".join(json.dumps(a) for a in ARTICLES) + "\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(racewire, [command, "--help"])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) > 3


def test_assess_answers_in_order_with_the_fields_promised() -> None:
    result = CliRunner().invoke(racewire, ["assess"], input=LINES)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert [r["article_id"] for r in rows] == ["a1", "a2", "a3"]
    first = rows[0]
    assert first["relevance"]["label"] == "core"
    assert "openai" in {a["id"] for a in first["actors"]}
    assert first["events"][0]["id"] == "release"
    assert first["status"] == "happened"
    assert first["expected"] is None
    for span in (s for a in first["actors"] for s in a["spans"]):
        field = ARTICLES[0]["title" if span["field"] == "title" else "summary"]
        assert field[span["start"] : span["end"]] == span["text"]
    assert rows[1]["relevance"]["label"] == "none"


def test_a_broken_line_keeps_its_place_and_fails_the_command() -> None:
    result = CliRunner().invoke(racewire, ["assess"], input="{\n" + LINES)
    assert result.exit_code == 1
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert "line 1" in rows[0]["error"]
    assert [r["article_id"] for r in rows[1:]] == ["a1", "a2", "a3"]


def test_cluster_gives_every_article_a_line() -> None:
    result = CliRunner().invoke(racewire, ["cluster"], input=LINES)
    assert result.exit_code == 0
    rows = {r["article_id"]: r["story_id"] for r in map(json.loads, result.output.splitlines())}
    assert rows["a1"] == rows["a3"] is not None
    assert rows["a2"] is None


def test_without_servers_a_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("RACEWIRE_HOME", str(tmp_path))
    for name in ("RACEWIRE_DATABASE_URL", "RACEWIRE_KAFKA_BOOTSTRAP", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(racewire, ["articles"])
    assert result.exit_code == 1
    assert "racewire up" in result.output
    assert "Traceback" not in result.output


def test_assess_explains_for_and_against() -> None:
    result = CliRunner().invoke(racewire, ["assess", "--explain"], input=LINES)
    assert result.exit_code == 0, result.output
    assert "core and not none" in result.output
    assert "(not given)" in result.output
    assert "to begin with" in result.output
