"""`lexicon` as an editor calls it."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import pipeline.classify
from pipeline.cli import racewire

LINES = [
    {"id": "a1", "title": "OpenAI releases GPT-9", "summary": "The AI model is out."},
    {"id": "a2", "title": "Zorblax raises \x1b[31m money for its AI model", "summary": "Investors pay."},
]


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    path = tmp_path / "articles.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, LINES)).encode() + b"\n\n"))
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The lexicon in a folder of its own, to be changed."""
    return shutil.copytree(Path(pipeline.classify.__file__).parent / "lexicon", tmp_path / "lexicon")


def run(*words: object) -> Result:
    return CliRunner().invoke(racewire, ["lexicon", *map(str, words)])


def test_what_ships_passes_and_an_error_fails(copy: Path) -> None:
    assert run("check").exit_code == 0
    (copy / "actors" / "zorblax.yaml").write_text("id: other\nname: Z\ncountry: us\nkind: lab")
    failed = run("check", "--lexicon", copy)
    assert failed.exit_code == 1
    assert "error: actors/zorblax.yaml: lexicon file zorblax.yaml holds the actor other" in failed.output


def test_against_articles_and_the_lexicon_before(copy: Path, articles: Path) -> None:
    (copy / "actors" / "zorblax.yaml").write_text(
        "id: zorblax\nname: Zorblax\ncountry: us\nkind: lab\nnative: true\nnames: [Zorblax]"
    )
    before = Path(pipeline.classify.__file__).parent / "lexicon"
    words = ("check", "--lexicon", copy, "--against", articles, "--base", before, "--share", "0.4")
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "2 articles. What occurs in none of them" in done.output
    assert "actor zorblax (mover)" in done.output
    assert "1 of 2 articles have other labels" in done.output
    assert "\x1b" not in done.output
    told = json.loads(run(*words, "--json").stdout)
    assert told["changes"]["changed"] == 1
    often = {one["alias"]["text"]: one["use"] for one in told["frequent"]}
    assert often["Zorblax"]["examples"][0]["words"].startswith("»Zorblax« raises")
    assert any(alias["text"] == "Sam Altman" for alias in told["unused"]["actors/openai.yaml"])


def test_what_cannot_be_read_is_named(articles: Path, tmp_path: Path, copy: Path) -> None:
    assert "name them with --against" in run("check", "--base", copy).output
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": "a"}\n{')
    assert f"{broken}, line 2: not an article" in run("check", "--against", broken).output
    (copy / "actors" / "openai.yaml").write_text("{")
    assert "is broken: lexicon file openai.yaml" in run("check", "--against", articles, "--base", copy).output
    assert "no file nowhere" in run("suggest", "--articles", "nowhere").output
    skipped = run("check", "--lexicon", copy, "--against", articles)
    assert skipped.exit_code == 1
    assert "mend the errors first" in skipped.output


def test_unknown_organisations_are_proposed_and_nothing_is_written(articles: Path) -> None:
    here = Path(pipeline.classify.__file__).parent / "lexicon" / "actors"
    before = sorted(here.iterdir())
    done = run("suggest", "--articles", articles)
    assert done.exit_code == 0, done.output
    assert "--- # 1 sources, 1 articles (und): 1 before a verb of moving\n# Zorblax raises" in done.output
    assert "\x1b" not in done.output
    assert "country: FILL-IN" in done.output
    told = json.loads(run("suggest", "--articles", articles, "--json").stdout)
    assert [one["proposal"]["name"] for one in told] == ["Zorblax"]
    assert sorted(here.iterdir()) == before
