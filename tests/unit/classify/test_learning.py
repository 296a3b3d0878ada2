"""Learning from labels: what is read, fitted and scored; small labels written for the test."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.assets import classifier, folder
from pipeline.classify.fit import GROUPS, Fitter
from pipeline.classify.labels import Label, LabelError, read
from pipeline.classify.lexicon import STATUSES
from pipeline.classify.ndjson import article
from pipeline.classify.scores import Pair, Scores, matrix
from schemas.messages import Article
from tests.unit.classify.conftest import make_article

ROOT = Path(__file__).resolve().parents[3]


def labelled(count: int) -> list[tuple[Article, Label]]:
    """Invented articles of several sources and months, half of them delays, and some of no interest."""
    rows = []
    for n in range(count):
        delayed = n % 2 == 0
        words = "zorbium" if delayed else "available today"
        text = msgspec.structs.replace(
            make_article(f"OpenAI GPT-6: {words}", "The AI model."), article_id=f"a{n}"
        )
        label = Label(
            id=f"a{n}",
            relevance="core",
            actors=["openai"],
            products=["GPT-6"],
            events=["roadmap" if delayed else "release"],
            status="delayed" if delayed else "happened",
            date=f"2025-0{n % 6 + 1}-01",
            source=f"paper {n % 7}",
        )
        rows.append((text, label))
    rows += [
        (
            msgspec.structs.replace(make_article("Bread wins a prize"), article_id=f"n{n}"),
            Label(id=f"n{n}", relevance="none", actors=[], products=[], source=f"paper {n % 7}"),
        )
        for n in range(count // 2)
    ]
    return rows


@pytest.fixture(scope="module")
def fitter() -> Fitter:
    return Fitter(folder("actors"), folder("signals"), folder("tables"), labelled(40))


def test_roles_are_joined_and_the_first_label_holds() -> None:
    lines = [
        b'{"id": "a", "roles": {"openai": "mover"}}',
        b'{"id": "a", "relevance": "core", "events": ["deal"], "status": "happened"}',
        b"",
        b'{"id": "a", "relevance": "none"}',
        b'{"id": "b", "relevance": "none", "actors": [], "products": []}',
        b'{"id": "c", "roles": {"meta": "rival"}}',
    ]
    first, second = read(lines)
    assert (first.id, first.relevance, first.roles, first.scored) == ("a", "core", {"openai": "mover"}, False)
    assert (second.id, second.scored) == ("b", True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "not a label"),
        (b'{"relevance": "core"}', "not a label"),
        (b'{"id": "a", "relevance": "central"}', "a says central"),
        (b'{"id": "a", "relevance": "core", "events": ["party"]}', "a says party"),
        (b'{"id": "a", "relevance": "core"}', "a is core and has no event"),
        (b'{"id": "a", "roles": {"meta": "friend"}}', "a says friend"),
    ],
)
def test_a_broken_label_is_named(line: bytes, says: str) -> None:
    with pytest.raises(LabelError, match=says):
        read([line])


def test_the_projects_own_labels_are_sound(shared: Path) -> None:
    lines = [line for path in (ROOT / "training" / "labels").glob("*.jsonl") for line in path.open("rb")]
    theirs = {label.id for label in read((shared / "data" / "labels" / "train.jsonl").open("rb"))}
    given = {json.loads(line)["id"] for line in lines}
    labels = {label.id for label in read(lines)}
    assert labels
    assert labels & theirs == set()
    assert given - labels <= theirs  # roles alone


def test_the_same_labels_give_the_same_weights_in_any_order(fitter: Fitter) -> None:
    again = Fitter(folder("actors"), folder("signals"), folder("tables"), labelled(40))
    assert again.fit() == fitter.fit()


def test_what_a_model_chose_tells_events_and_not_how_likely_core_is(fitter: Fitter) -> None:
    chosen = [
        (
            msgspec.structs.replace(text, article_id=f"c{text.article_id}"),
            msgspec.structs.replace(label, id=f"c{label.id}", events=["deal"], chosen=True),
        )
        for text, label in labelled(40)
        if label.relevance == "core"
    ]
    without = fitter.fit()
    given = Fitter(folder("actors"), folder("signals"), folder("tables"), [*labelled(40), *chosen]).fit()
    assert given["bias"]["deal"] > without["bias"]["deal"]
    for head in ("core", "focus"):
        learned = [{name: w[head] for name, w in fitted.items() if head in w} for fitted in (without, given)]
        assert learned[0] == pytest.approx(learned[1], abs=0.011)


def test_what_is_learned_moves_the_verdict(fitter: Fitter) -> None:
    text = make_article("OpenAI GPT-6: available today", "The AI model.")
    learned = fitter.classifier(fitter.fit()).assess(text)
    assert (learned.events[0].id, learned.status) == ("release", "happened")
    assert learned.classifier != fitter.classifier({}).version


def test_the_fit_sees_nothing_of_what_is_left_out(fitter: Fitter) -> None:
    found = {label.id: made for label, _, made in fitter.unseen(GROUPS["source"])}
    assert set(found) == {label.id for label in fitter.labels}
    folds = {made.classifier for made in found.values()}
    assert len(folds) > 1
    by_source: dict[str, set[str]] = {}
    for label, _, made in fitter.unseen(GROUPS["source"]):
        by_source.setdefault(label.source, set()).add(made.classifier)
    assert all(len(versions) == 1 for versions in by_source.values())


def pairs(rows: list[tuple[Article, Label]]) -> list[Pair]:
    return [(label, classifier().assess(text)) for text, label in rows]


def test_figures_are_those_of_the_shared_scorer(shared: Path, tmp_path: Path) -> None:
    folder_, texts = shared / "data" / "labels", shared / "data" / "articles.jsonl.gz"
    labels = read((folder_ / "train.jsonl").read_bytes().splitlines())[:150]
    roles = {r["id"]: r["roles"] for r in map(json.loads, (folder_ / "roles.jsonl").open(encoding="utf-8"))}
    labels = [msgspec.structs.replace(label, roles=roles.get(label.id, {})) for label in labels]
    wanted = {label.id: label for label in labels}
    found = {}
    with gzip.open(texts, "rb") as file:
        for line in file:
            if (id_ := json.loads(line)["id"]) in wanted:
                found[id_] = classifier().assess(article(line))
    truth, given = tmp_path / "truth.jsonl", tmp_path / "given.jsonl"
    truth.write_bytes(b"\n".join(msgspec.json.encode(label) for label in labels))
    given.write_bytes(b"\n".join(msgspec.json.encode(made) for made in found.values()))
    command = [sys.executable, shared / "tools" / "score.py", "verdicts", truth, given, "--json"]
    theirs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    listed = {
        line.split("\t")[0] for line in (shared / "data" / "actors.tsv").read_text("utf-8").splitlines()[1:]
    }
    ours = {f.name: f.value for f in Scores([(label, found[label.id]) for label in labels], listed).figures()}
    assert ours == pytest.approx(
        {
            "relevance F1": theirs["relevance"]["f1"],
            "relevance AUC": theirs["relevance"]["auc"],
            "calibration error": theirs["relevance"]["calibration_error"],
            "actors F1 (listed)": theirs["actors"]["f1"],
            "actors F1 (all)": theirs["actors_with_unlisted"]["f1"],
            "products F1": theirs["products"]["f1"],
            "events macro-F1": theirs["events"]["macro_f1"],
            "main event right": theirs["events"]["main_accuracy"],
            "status macro-F1": theirs["status"]["macro_f1"],
            "status right": theirs["status"]["accuracy"],
            "when F1": theirs["when"]["f1"],
            "roles right": theirs["roles"]["right_where_actor_found"],
        }
    )


def test_an_interval_holds_its_figure_and_a_version_gains_nothing_on_itself() -> None:
    scores = Scores(pairs(labelled(24)), {"openai"})
    for figure in scores.figures():
        assert figure.low <= figure.value + 1e-9 and figure.value <= figure.high + 1e-9, figure
    assert all((each.gain, each.chance) == (0.0, 1.0) for each in scores.against(scores))


def test_a_worse_version_is_told_from_chance() -> None:
    good = pairs(labelled(40))
    bad = [(label, msgspec.structs.replace(found, actors=[], products=[])) for label, found in good]
    gains = {each.name: each for each in Scores(bad, {"openai"}).against(Scores(good, {"openai"}))}
    assert gains["actors F1 (listed)"].low > 0
    assert gains["actors F1 (listed)"].chance < 0.01
    with pytest.raises(ValueError, match="40"):
        Scores(bad[:40], set()).against(Scores(good, set()))


def test_reliability_and_confusion_count_every_article() -> None:
    rows = pairs(labelled(20))
    assert sum(count for _, _, count in Scores(rows, set()).reliability()) == len(rows)
    counts = matrix(rows, STATUSES, lambda pair: (pair[0].status, pair[1].status))
    assert np.array(counts).sum() == len(rows)
