"""How fast the shipped classifier is on the labelled articles, on one core; `racewire eval` says how good.

RACEWIRE_SHARED=../shared python -m bench.verdicts
"""

import gzip
import json
import os
import resource
import time
from pathlib import Path

from pipeline.assets import classifier
from pipeline.classify.ndjson import article

SHARED = Path(os.environ.get("RACEWIRE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
LABELS = SHARED / "data" / "labels" / "train.jsonl"
# A full text, in bytes.
LONG = 5_000


def main() -> None:
    """Time titles with summaries, then as many full texts as they make."""
    with LABELS.open(encoding="utf-8") as labels:
        ids = {json.loads(line)["id"] for line in labels}
    with gzip.open(SHARED / "data" / "articles.jsonl.gz", "rb") as articles:
        lines = [line for line in articles if json.loads(line)["id"] in ids]
    started = time.process_time()
    subject = classifier()
    built = time.process_time() - started
    print(f"built in {built:.2f} s")
    summaries = [json.loads(line) for line in lines]
    texts = " ".join(each.get("summary") or each.get("content") or each["title"] for each in summaries)
    raw = texts.encode()
    pieces = [raw[at : at + LONG].decode(errors="ignore") for at in range(0, len(raw) - LONG, LONG)]
    full = [each | {"content": piece} for each, piece in zip(summaries, pieces, strict=False)]
    short = [each | {"content": "", "summary": (each.get("summary") or "")[:1_000]} for each in summaries]
    for name, rows in (("titles with summaries", short), ("full texts", full)):
        given = [article(json.dumps(row).encode()) for row in rows]
        started = time.process_time()
        for each in given:
            subject.assess(each)
        print(f"{len(given) / (time.process_time() - started):,.0f} {name} a second of one core")
    print(
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB at most, the articles included"
    )


if __name__ == "__main__":
    main()
