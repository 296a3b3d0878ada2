"""`train` and `eval` as an editor calls them, on invented labels."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import racewire


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A folder of labels with the texts beside it."""
    here = tmp_path / "labels"
    here.mkdir()
    truth, texts = [], []
    for n in range(30):
        core = n % 3 > 0
        title = f"OpenAI launches <GPT-{n}>" if core else "Bread wins a prize"
        texts.append({"id": f"a{n}", "title": title, "summary": "The AI model." if core else ""})
        label = {"id": f"a{n}", "relevance": "none", "actors": [], "products": [], "source": f"p{n % 6}"}
        if core:
            label |= {"relevance": "core", "actors": ["openai"], "events": ["release"], "status": "happened"}
        truth.append(label)
    (here / "train.jsonl").write_text("\n".join(map(json.dumps, truth)), encoding="utf-8")
    (here / "stories-x.jsonl").write_text('{"id": "a1", "story": "s"}', encoding="utf-8")
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)), encoding="utf-8")
    return here


def run(*words: object) -> Result:
    return CliRunner().invoke(racewire, [str(word) for word in words])


def test_training_writes_the_same_weights_again(labels: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    for name in ("one.json", "two.json"):
        done = run("train", "--labels", labels, "--articles", texts, "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
    assert "30 labels" in done.output
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_the_report_tells_figures_and_mistakes_and_needs_no_other_file(labels: Path, tmp_path: Path) -> None:
    page, kept = tmp_path / "report.html", tmp_path / "kept.jsonl"
    words = ("eval", "--labels", labels, "--articles", tmp_path / "texts.jsonl")
    done = run(*words, "--html", page, "--keep", kept)
    assert done.exit_code == 0, done.output
    assert "relevance F1" in done.output
    html = page.read_text(encoding="utf-8")
    assert "Main event" in html
    assert "&lt;GPT-" in html or "<GPT-" not in html
    assert "src=" not in html and "<script" not in html
    again = run(*words, "--unseen", "source", "--compare", kept)
    assert again.exit_code == 0, again.output
    assert "by chance" in again.output


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda here: (here / "train.jsonl").write_text("{"), "not a label"),
        (lambda here: (here.parent / "texts.jsonl").write_text(""), "none of the 30 labels has its text"),
        (lambda here: (here.parent / "texts.jsonl").write_text("{"), "texts.jsonl"),
    ],
)
def test_what_is_wrong_with_the_files_is_told(
    labels: Path, tmp_path: Path, change: object, says: str
) -> None:
    change(labels)  # type: ignore[operator]
    done = run("eval", "--labels", labels, "--articles", tmp_path / "texts.jsonl")
    assert done.exit_code == 1
    assert says in done.output


def test_labels_are_asked_for(tmp_path: Path) -> None:
    for words in (("eval",), ("train", "--labels", tmp_path)):
        done = run(*words)
        assert done.exit_code == 1
        assert "--labels" in done.output


def test_missing_texts_are_asked_for(labels: Path) -> None:
    done = run("eval", "--labels", labels)
    assert done.exit_code == 1
    assert "--articles" in done.output


def test_another_versions_assessments_must_be_of_the_same_articles(labels: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text("", encoding="utf-8")
    done = run("eval", "--labels", labels, "--articles", tmp_path / "texts.jsonl", "--compare", other)
    assert done.exit_code == 1
    assert "lacks 30 of the articles" in done.output
