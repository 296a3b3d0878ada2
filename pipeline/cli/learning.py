"""`train` and `eval`: the classifier's weights from labelled articles, and how good it is on unseen ones.

Labels are lines of JSON (`*.jsonl` in a folder, stories aside), the texts lie beside them in one file. No
servers needed; the first lines of `pipeline/classify/labels.py` tell the form.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from pipeline.assets import classifier, folder
from pipeline.classify.fit import GROUPS, Fitter
from pipeline.classify.labels import Label, LabelError, read
from pipeline.classify.ndjson import LineError, article
from pipeline.classify.scores import Pair, Scores
from pipeline.store import corrections
from schemas.messages import Article, Assessment

from . import report
from .common import fail, opened, plain_errors, print_table, reading

Labelled = list[tuple[Article, Label]]

of_labels = click.option(
    "--labels",
    "folders",
    type=click.Path(file_okay=False, path_type=Path),
    multiple=True,
    help="a folder of labels; may be given again",
)
of_articles = click.option(
    "--articles",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="the texts: a JSON object a line, .gz or not [default: articles.jsonl.gz beside the first folder]",
)
of_feedback = click.option(
    "--feedback", is_flag=True, help="and what readers said in the store, which counts before the files"
)


@click.command(help="Fit the weights of the shipped lexicon to labelled articles.")
@of_labels
@of_articles
@of_feedback
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write them here [default: standard output]",
)
@plain_errors
def train(folders: Sequence[Path], articles: Path | None, feedback: bool, out: Path | None) -> None:
    labelled = _all_labelled(folders, articles, feedback)
    weights = _fitter(labelled).fit()
    rows = (
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(weights[name])}" for name in sorted(weights)
    )
    table = "{\n" + ",\n".join(rows) + "\n}\n"  # a line a feature, to be compared
    if out:
        out.write_text(table, encoding="utf-8")
    else:
        click.echo(table, nl=False)
    click.echo(f"{len(labelled)} labels, {len(weights)} features corrected", err=True)


@click.command(help="Score the classifier against labelled articles.")
@of_labels
@of_articles
@of_feedback
@click.option(
    "--unseen",
    type=click.Choice(list(GROUPS)),
    help="fit anew without each article's source or month, instead of the shipped weights that have seen it",
)
@click.option(
    "--listed",
    type=click.Path(exists=True, path_type=Path),
    help="a table whose first column is "
    "the ids of listed actors [default: actors.tsv beside the first folder, else the lexicon's]",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="write the whole report here")
@click.option("--keep", type=click.Path(dir_okay=False, path_type=Path), help="write the assessments here")
@click.option(
    "--compare",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="assessments of another version, from --keep or `assess`: is the difference chance?",
)
@plain_errors
def eval(
    folders: Sequence[Path],
    articles: Path | None,
    feedback: bool,
    unseen: str | None,
    listed: Path | None,
    html: Path | None,
    keep: Path | None,
    compare: Path | None,
) -> None:
    labelled = _all_labelled(folders, articles, feedback)
    if unseen:
        triples = list(_fitter(labelled).unseen(GROUPS[unseen]))
    else:
        subject = classifier()
        triples = [(label, text, subject.assess(text)) for text, label in labelled if label.scored]
    if not triples:
        fail("no label there names actors and products: nothing can be scored")
    pairs: list[Pair] = [(label, found) for label, _, found in triples]
    ids = _listed(listed or (folders[0].parent if folders else Path()) / "actors.tsv")
    scores = Scores(pairs, ids)
    print_table(
        ("figure", "value", "95 %"),
        [(f.name, f"{f.value:.3f}", f"{f.low:.3f} – {f.high:.3f}") for f in scores.figures()],
        "",
    )
    differences = []
    if compare:
        differences = Scores(_other(pairs, compare), ids).against(scores)
        print_table(
            ("gain over the other version", "value", "95 %", "by chance"),
            [
                (d.name, f"{d.gain:+.3f}", f"{d.low:+.3f} – {d.high:+.3f}", f"{d.chance:.3f}")
                for d in differences
            ],
            "",
        )
    if keep:
        keep.write_bytes(b"\n".join(msgspec.json.encode(found) for _, found in pairs) + b"\n")
    if html:
        title = f"by weights that have not seen its {unseen}" if unseen else "by the shipped weights"
        html.write_text(report.page(title, scores, triples, ids, differences), encoding="utf-8")
        click.echo(f"the whole report: {html}", err=True)


def _all_labelled(folders: Sequence[Path], articles: Path | None, feedback: bool) -> Labelled:
    """The labels of the files, and with `feedback` those of the store in place of theirs."""
    said: dict[str, tuple[Article, Label]] = {}
    if feedback:
        with reading() as tx:
            said = {article.article_id: (article, label) for article, label in corrections.labelled(tx)}
        click.echo(f"{len(said)} articles corrected by readers", err=True)
    read = _labelled(folders, articles) if folders or not said else []
    return [*said.values(), *(pair for pair in read if pair[0].article_id not in said)]


def _labelled(folders: Sequence[Path], articles: Path | None) -> Labelled:
    """The labels that have a text, with it. Ends the command when a line is broken or no text is found."""
    files = [path for each in folders for path in sorted(each.glob("*.jsonl"))]
    files = [path for path in files if not path.name.startswith("stories-")]
    if not files:
        fail("no labels: name a folder that holds them as *.jsonl with --labels")
    try:
        labels = read(line for path in files for line in path.read_bytes().splitlines())
    except LabelError as error:
        fail(str(error))
    path = articles or folders[0].parent / "articles.jsonl.gz"
    if not path.exists():
        fail(f"the texts are not at {path}: name their file with --articles")
    wanted = {label.id for label in labels}
    texts: dict[str, Article] = {}
    with opened(path) as file:
        for line in file:
            try:
                if msgspec.json.decode(line, type=_Id).id in wanted:
                    text = article(line)
                    texts[text.article_id] = text
            except (msgspec.MsgspecError, LineError) as error:
                fail(f"{path}: {error}: {line[:80]!r}")
    found = [(texts[label.id], label) for label in labels if label.id in texts]
    if not found:
        fail(f"none of the {len(labels)} labels has its text in {path}")
    if len(found) < len(labels):
        click.echo(f"{len(labels) - len(found)} labels have no text in {path}: left out", err=True)
    return found


class _Id(msgspec.Struct, frozen=True):
    """The id of an article: all that is read of those without a label."""

    id: str


def _fitter(labelled: Labelled) -> Fitter:
    return Fitter(folder("actors"), folder("signals"), folder("tables"), labelled)


def _listed(path: Path) -> set[str]:
    """Ids in the first column of a table with a header; the lexicon's own where there is none."""
    if not path.exists():
        return {name.removesuffix(".yaml") for name in folder("actors")}
    return {line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]}


def _other(pairs: Sequence[Pair], path: Path) -> list[Pair]:
    """The same labels with another version's assessments. Ends the command where one is missing."""
    try:
        other = [
            msgspec.json.decode(line, type=Assessment) for line in path.read_bytes().splitlines() if line
        ]
    except msgspec.MsgspecError as error:
        fail(f"{path} holds no assessments: {error}")
    by_id = {found.article_id: found for found in other}
    if missing := [label.id for label, _ in pairs if label.id not in by_id]:
        fail(f"{path} lacks {len(missing)} of the articles, {missing[0]} first: compare the same labels")
    return [(label, by_id[label.id]) for label, _ in pairs]
