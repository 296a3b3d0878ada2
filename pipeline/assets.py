"""The classifier with the lexicon that ships in the package: the one place that reads those files."""

from functools import cache
from importlib.resources import files

from pipeline.classify import Classifier


@cache
def classifier() -> Classifier:
    """The classifier as shipped, built once a process. Raises LexiconError when a lexicon file is broken."""
    return Classifier.build(folder("actors"), folder("signals"), folder("tables"))


def folder(name: str) -> dict[str, bytes]:
    """The lexicon's files of one kind (`actors`, `signals` or `tables`) by name."""
    here = files("pipeline.classify") / "lexicon" / name
    return {file.name: file.read_bytes() for file in here.iterdir() if file.name.endswith((".yaml", ".json"))}
