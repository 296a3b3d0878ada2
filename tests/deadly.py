"""A classifier process as of `racewire worker classifier`, which a text with `deadly` kills outright."""

import os
import sys

from pipeline import settings as configuration
from pipeline.telemetry import set_up_logging
from pipeline.workers import process
from schemas.messages import Article, Assessment
from tests.samples import StubClassifier


class Deadly(StubClassifier):
    """No exception to be caught: as a crash in C, or the kernel's out-of-memory killer."""

    def assess(self, article: Article) -> Assessment:
        if "deadly" in article.text:
            os._exit(9)
        return super().assess(article)


if __name__ == "__main__":
    set_up_logging("INFO")
    process.load_classifier = Deadly  # type: ignore[assignment]
    settings = configuration.load()
    sys.exit(process.main(process.build("classifier", settings, configuration.servers(settings), "0")))
