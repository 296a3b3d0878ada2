"""`assess` and `cluster`: articles as lines of JSON, no servers needed."""

import sys
from collections.abc import Iterable
from typing import BinaryIO

import click
import msgspec

from pipeline.assets import classifier
from pipeline.classify.ndjson import LineError, article, assess_lines
from pipeline.stories import cluster as cluster_stories

FORM = "Fields: id, title, summary or content, url, published, source, lang (all but id optional)."


@click.command(help=f"Assess articles: a JSON object a line in, an assessment a line out, in order. {FORM}")
@click.argument("file", type=click.File("rb"), default="-")
def assess(file: BinaryIO) -> None:
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


def _lines(file: BinaryIO) -> Iterable[bytes]:
    return (line for line in file if line.strip())
