"""`why`: what became of an address, step by step."""

import sys
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.text import Text

from pipeline.assets import classifier
from pipeline.classify.explain import explain
from pipeline.cli.common import as_json, plain_errors, print_json, printable, reading
from pipeline.why import Answer, answer, asked, look


@click.command()
@click.argument("target", metavar="URL|ID")
@as_json
@plain_errors
def why(target: str, as_json: bool) -> None:
    """Tell what became of an address or article: polled, refused, published, stored, judged, told, and why.

    Exit code 1 where nothing is known of it.
    """
    question = asked(target)
    with reading() as tx:
        trace = look(tx, question)
    explained = explain(classifier(), trace.article)[1] if trace.article else []
    found = answer(question, trace, explained, classifier().version, datetime.now(UTC))
    if as_json:
        print_json({"answer": found, "found": found.found, "trace": trace, "explained": explained})
    else:
        _print(found)
    sys.exit(0 if found.found else 1)


def _print(found: Answer) -> None:
    console = Console(width=None if sys.stdout.isatty() else 1_000)
    console.print(Text(printable(f"{found.asked}: {found.outcome.replace('-', ' ')}"), style="bold"))
    for step in found.steps:
        console.print(Text.assemble((f"{step.name:13}", "cyan"), printable(step.says)))
        for detail in step.details:
            console.print(Text(f"{'':15}{printable(detail)}"))
