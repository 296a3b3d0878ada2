"""The classifier with the lexicon that ships in the package: the one place that reads those files."""

import gc
from functools import cache
from importlib.resources import files
from pathlib import Path

from pipeline.classify import Classifier


@cache
def classifier() -> Classifier:
    """The classifier as shipped, built once a process. Raises LexiconError when a lexicon file is broken."""
    # All of it stays but some hundred objects: to look for those, now or ever after, is not worth the time.
    gc.disable()
    try:
        return Classifier.build(folder("actors"), folder("signals"), folder("tables"))
    finally:
        gc.freeze()
        gc.enable()


def folder(name: str, root: Path | None = None) -> dict[str, bytes]:
    """Files of one kind (`actors`, `signals`, `tables`) by name: what ships, or a lexicon at `root`."""
    here = (root or files("pipeline.classify") / "lexicon") / name
    found = here.iterdir() if here.is_dir() else ()
    return {file.name: file.read_bytes() for file in found if file.name.endswith((".yaml", ".json"))}
