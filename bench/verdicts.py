"""Run the shipped classifier over the labelled articles, score it and say how fast it was.

    RACEWIRE_SHARED=../shared python -m bench.verdicts [--keep FILE]

Labels and texts stay where they are: only figures are printed.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pipeline.assets import classifier
from pipeline.classify.ndjson import article, assess_lines

SHARED = Path(os.environ.get("RACEWIRE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
LABELS = SHARED / "data" / "labels" / "train.jsonl"


def labelled() -> list[bytes]:
    """The labelled articles as lines for `racewire assess`."""
    with LABELS.open(encoding="utf-8") as labels:
        ids = {json.loads(line)["id"] for line in labels}
    with gzip.open(SHARED / "data" / "articles.jsonl.gz", "rb") as articles:
        return [line for line in articles if json.loads(line)["id"] in ids]


def main() -> None:
    """Score and time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="write the assessments here")
    keep = parser.parse_args().keep
    lines = labelled()
    started = time.perf_counter()
    subject = classifier()
    built = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        path = keep or Path(folder) / "assessments.jsonl"
        path.write_bytes(b"\n".join(line for line, _ in assess_lines(subject, lines)) + b"\n")
        score = SHARED / "tools" / "score.py"
        subprocess.run(
            [sys.executable, str(score), "verdicts", str(LABELS), str(path), "--by-lang"], check=True
        )
    articles = [article(line) for line in lines]
    started = time.perf_counter()
    for each in articles:
        subject.assess(each)
    rate = len(articles) / (time.perf_counter() - started)
    print(f"built in {built:.2f} s, {rate:,.0f} articles/s on one core")


if __name__ == "__main__":
    main()
