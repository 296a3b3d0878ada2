"""`assess` and `cluster`: articles as lines of JSON, no servers needed."""

import sys
from collections.abc import Iterable
from typing import BinaryIO

import click
import msgspec
from rich.console import Console
from rich.text import Text

from pipeline.assets import classifier
from pipeline.classify.explain import explain
from pipeline.classify.ndjson import LineError, article, assess_lines
from pipeline.cli.explaining import reason_lines, verdict_lines
from pipeline.stories import cluster as cluster_stories

FORM = "Fields: id, title, summary or content, url, published, source, lang (all but id optional)."


@click.command(help=f"Assess articles: a JSON object a line in, an assessment a line out, in order. {FORM}")
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--explain", "why", is_flag=True, help="for readers: each label with its words, and what spoke against"
)
def assess(file: BinaryIO, why: bool) -> None:
    if why:
        _explain(file)
        return
    good = True
    for line, is_assessment in assess_lines(classifier(), file):
        good = good and is_assessment
        sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
    sys.exit(0 if good else 1)


@click.command(help=f"Cluster articles into stories: a line {{article_id, story_id}} out for each. {FORM}")
@click.argument("file", type=click.File("rb"), default="-")
def cluster(file: BinaryIO) -> None:
    try:
        articles = [article(line) for line in _lines(file)]
    except LineError as error:
        raise click.ClickException(str(error)) from error
    placed = cluster_stories(classifier().assess(a) for a in articles)
    for a in articles:
        row = {"article_id": a.article_id, "story_id": placed[a.article_id]}
        sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")


def _explain(file: BinaryIO) -> None:
    console = Console()
    for line in _lines(file):
        try:
            found = article(line)
        except LineError as error:
            raise click.ClickException(str(error)) from error
        verdict, explained = explain(classifier(), found)
        console.print(Text(found.title, style="bold"))
        for shown in (*verdict_lines(verdict), *reason_lines(verdict, explained), Text()):
            console.print(shown)


def _lines(file: BinaryIO) -> Iterable[bytes]:
    return (line for line in file if line.strip())
