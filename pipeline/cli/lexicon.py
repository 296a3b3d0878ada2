"""`lexicon`: what is wrong with it, what it finds too often or never, what it changes, and who is missing."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from pipeline.assets import classifier, folder
from pipeline.classify import Classifier, LexiconError
from pipeline.classify.changes import Changes
from pipeline.classify.lexicon import actor_file, signal_file
from pipeline.classify.lint import Fault, lint
from pipeline.classify.naming import Vocabulary
from pipeline.classify.ndjson import LineError, article
from pipeline.classify.suggest import Proposal, propose, skeleton
from pipeline.classify.usage import Finder, Usage, Use
from pipeline.cli.common import as_json, fail, opened, print_json, print_table, printable
from pipeline.cli.differences import changes_json, print_changes
from schemas.messages import Article

_KINDS = ("actors", "signals", "tables")
_SHOWN = 8  # of what a file looks for in vain
PLACES = {
    "moves": "before a verb of moving",
    "kind": "beside a word such as startup",
    "beside": "beside a known actor",
}

Files = Mapping[str, Mapping[str, bytes]]

a_folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def lexicon() -> None:
    """The lexicon: who is in the race, and the words that speak for a label."""


@lexicon.command()
@click.option("--lexicon", "root", type=a_folder, help="the folder of a lexicon [default: the one at hand]")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="articles, a JSON object a line, .gz or not: count what occurs in them",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="what occurs in more of the articles is shown with examples",
)
@click.option("--base", type=a_folder, help="the lexicon before: show which verdicts on the articles change")
@as_json
def check(root: Path | None, against: Path | None, share: float, base: Path | None, as_json: bool) -> None:
    """Tell what is wrong with the lexicon before it is merged. Exit code 1 where something is.

    With --against also what occurs in none of the articles, what occurs in too many, and with --base which
    verdicts differ.
    """
    if base and not against:
        raise click.UsageError("--base compares verdicts on articles: name them with --against")
    files = _files(root)
    faults = lint(*(files[kind] for kind in _KINDS))
    wrong = any(fault.level == "error" for fault in faults)
    told: dict[str, Any] = {"faults": faults}
    if not as_json:
        _print_faults(faults)
    if against and wrong:
        click.echo("the articles were not read: mend the errors first", err=True)
    elif against:
        usage, changes = _read(files, against, base)
        told |= {
            "articles": usage.articles,
            "unused": usage.unused(),
            "frequent": [{"alias": alias, "use": use} for alias, use in usage.frequent(share)],
            "changes": changes_json(changes) if changes else None,
        }
        if not as_json:
            _print_usage(usage, share)
            if changes:
                _print_changes(changes)
    if as_json:
        print_json(told)
    sys.exit(1 if wrong else 0)


@lexicon.command()
@click.option(
    "--articles",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="articles, a JSON object a line, .gz or not",
)
@click.option("-n", "--limit", default=60, show_default=True)
@as_json
def suggest(path: Path, limit: int, as_json: bool) -> None:
    """Propose organisations that act in core articles and that the lexicon does not know.

    Out come files to be filled in by whoever has read of them, those of most sources first. Some are people,
    products, customers or no names at all, and nothing is written into the lexicon.
    """
    vocabulary, core, subject = Vocabulary(), [], classifier()
    for one in articles(path):
        vocabulary.read(one)
        if subject.assess(one).relevance.label == "core":
            core.append(one)
    found = propose(_finder(_files(None)), vocabulary, core)[:limit]
    if as_json:
        print_json([{"proposal": one, "skeleton": skeleton(one)} for one in found])
        return
    click.echo(f"{len(core)} core articles, {len(found)} names to be read about", err=True)
    for proposal in found:
        click.echo("\n".join([*map(printable, _reasons(proposal)), skeleton(proposal)]))


def _reasons(one: Proposal) -> Iterator[str]:
    """Why a name is proposed, as comments above its file."""
    places = ", ".join(f"{count} {PLACES[place]}" for place, count in one.places.items())
    yield f"--- # {one.sources} sources, {one.articles} articles ({' '.join(one.languages)}): {places}"
    yield from (f"# {title}" for title in one.examples)


def _finder(files: Files) -> Finder:
    return Finder(
        {name: actor_file(name, data) for name, data in files["actors"].items()},
        {name: signal_file(name, data) for name, data in files["signals"].items()},
        files["tables"],
    )


def _files(root: Path | None) -> Files:
    """Files by kind and name: those of a folder, or those that ship."""
    return {kind: folder(kind, root) for kind in _KINDS}


def _built(files: Files) -> Classifier:
    return Classifier.build(files["actors"], files["signals"], files["tables"])


def _read(files: Files, against: Path, base: Path | None) -> tuple[Usage, Changes | None]:
    usage, changes, before, after = Usage(_finder(files)), None, None, None
    if base:
        try:
            before = _built(_files(base))
        except LexiconError as error:
            fail(f"the lexicon in {base} is broken: {error}")
        changes, after = Changes(), _built(files)
    for one in articles(against):
        usage.add(one)
        if changes is not None and before and after:
            changes.add(before.assess(one), after.assess(one))
    return usage, changes


def articles(path: Path) -> Iterator[Article]:
    """The articles of a file, a line each. Ends the command where a line is none."""
    if not path.exists():
        fail(f"no file {path}")
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield article(line)
            except LineError as error:
                fail(f"{path}, line {number}: {error}")


def _print_faults(faults: list[Fault]) -> None:
    for fault in faults:
        click.echo(f"{fault.level}: {fault.file}: {printable(fault.says)}")
    errors = sum(fault.level == "error" for fault in faults)
    click.echo(f"{errors} errors, {len(faults) - errors} warnings")


def _print_usage(usage: Usage, share: float) -> None:
    click.echo(f"\n{usage.articles} articles. What occurs in none of them:")
    for file, unused in usage.unused().items():
        words = ", ".join(alias.text for alias in unused[:_SHOWN])
        more = f" and {len(unused) - _SHOWN} more" if len(unused) > _SHOWN else ""
        click.echo(f"  {file}: {printable(words)}{more}")
    click.echo(f"\nWhat occurs in more than {share:.1%} of them:")
    rows = [
        (
            f"{use.articles / usage.articles:.1%}",
            alias.file,
            alias.owner,
            alias.kind,
            alias.text,
            _examples(use),
        )
        for alias, use in usage.frequent(share)
    ]
    print_table(("share", "file", "of", "kind", "words", "e.g."), rows, "Nothing does.")


def _examples(use: Use) -> str:
    return "\n".join(f"{e.title[:80]}: {e.words}".replace("\n", " ") for e in use.examples)


def _print_changes(done: Changes) -> None:
    click.echo(
        f"\nAgainst the lexicon before, {done.changed} of {done.articles} articles have other labels: "
        f"{done.core} become core, {done.core_no_more} are core no more"
    )
    print_changes(done)
