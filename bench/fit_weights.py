"""Fit corrections of the signals' weights to labelled articles, and tell how they do on unseen ones.

    RACEWIRE_SHARED=../shared python -m bench.fit_weights [--strength N] [--write]

One logistic regression a label, drawn towards the weights the lexicon's editors wrote (so that little data
changes little) by gradient descent: the same labels give the same weights. Cross-validation leaves out whole
sources, then whole months; the lexicon itself was written by people who have seen these labels.
`--write` stores the fit on all labels as `tables/weights.yaml`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from bench.verdicts import LABELS, SHARED, labelled
from pipeline import assets
from pipeline.classify import Classifier
from pipeline.classify.lexicon import EVENTS, HEADS, STATUSES, signal_file
from pipeline.classify.ndjson import article
from pipeline.classify.scoring import Matrix, editor_weights

FOLDS = 5
STEPS = 250
# Corrections below this are left out; phrases met in fewer articles than RARE are not corrected one by one.
SMALL = 0.05
RARE = 3
# What an event counts that is not the main one of its article.
SECOND = 0.5
# How much more strongly a single phrase is drawn to its signal than a signal to its editor.
PHRASE_PULL = 0.5
TABLE = Path(assets.__file__).parent / "classify" / "lexicon" / "tables" / "weights.yaml"
HEADER = "# Corrections of the editors' weights: `python -m bench.fit_weights --write`, never by hand.\n"


class Fitter:
    """Features of the labelled articles as a matrix, and the fit on any part of them."""

    def __init__(self, strength: float) -> None:
        self.files = {name: assets.folder(name) for name in ("actors", "signals", "tables")}
        files = self.files["signals"]
        editor = editor_weights([signal_file(name, files[name]) for name in sorted(files)])
        lines = {json.loads(line)["id"]: line for line in labelled()}
        with LABELS.open(encoding="utf-8") as labels:
            self.labels: list[dict[str, Any]] = [json.loads(line) for line in labels]
        self.articles = [article(lines[label["id"]]) for label in self.labels]
        subject = self.classifier({})
        found = [subject.features(each) for each in self.articles]
        seen = Counter(name for features in found for name in features)
        # A phrase met in fewer articles has nothing to say beyond its signal.
        self.names = sorted(editor.keys() | {name for name, count in seen.items() if count >= RARE})
        self.prior = np.array(
            [[editor.get(name, {}).get(head, 0.0) for head in HEADS] for name in self.names]
        )
        pull = np.array([PHRASE_PULL if ":" in name else 1.0 for name in self.names])
        self.scale = 1 / np.sqrt(strength * pull)
        self.scale[self.names.index("bias")] = 1.0
        column = {name: index for index, name in enumerate(self.names)}
        self.values = np.zeros((len(self.articles), len(self.names)))
        for row, features in enumerate(found):
            for name, feature in features.items():
                if name in column:
                    self.values[row, column[name]] = feature.value

    def classifier(self, fitted: Matrix) -> Classifier:
        """The shipped lexicon with these corrections."""
        tables = self.files["tables"] | {"weights.yaml": msgspec.yaml.encode(fitted)}
        return Classifier.build(self.files["actors"], self.files["signals"], tables)

    def fit(self, rows: np.ndarray) -> Matrix:
        """Corrections from the labels of these rows."""
        is_core, is_none = (self._rows("relevance", kind) for kind in ("core", "none"))
        corrections = np.zeros_like(self.prior)
        for head, use in (("core", is_core | is_none), ("focus", ~is_none)):
            at = [HEADS.index(head)]
            chosen = rows & use
            corrections[:, at] = self._regress(chosen, is_core[chosen][:, None], at)
        chosen = rows & is_core
        truth = [
            [
                SECOND * (event in label["events"]) + (1 - SECOND) * (event in label["events"][:1])
                for label in self.labels
            ]
            for event in EVENTS
        ]
        truth += [[float(label["status"] == status) for label in self.labels] for status in STATUSES]
        at = [HEADS.index(head) for head in HEADS[2:]]
        corrections[:, at] = self._regress(chosen, np.array(truth).T[chosen], at)
        fitted: Matrix = {}
        for name, row in zip(self.names, corrections, strict=True):
            weights = {
                head: round(float(w), 2) for head, w in zip(HEADS, row, strict=True) if abs(w) >= SMALL
            }
            if weights:
                fitted[name] = weights
        return fitted

    def _rows(self, key: str, value: str) -> np.ndarray:
        return np.array([label[key] == value for label in self.labels])

    def _regress(self, rows: np.ndarray, truth: np.ndarray, heads: list[int]) -> np.ndarray:
        """Corrections that fit `truth` best, each drawn to 0, by accelerated gradient descent."""
        values = self.values[rows] * self.scale
        given = self.values[rows] @ self.prior[:, heads]
        steep = 1 + np.linalg.norm(values, 2) ** 2 / 4
        momentum = (np.sqrt(steep) - 1) / (np.sqrt(steep) + 1)
        here = ahead = np.zeros((values.shape[1], len(heads)))
        for _ in range(STEPS):
            chance = 1 / (1 + np.exp(-np.clip(given + values @ ahead, -30, 30)))
            there = ahead - (values.T @ (chance - truth) + ahead) / steep
            here, ahead = there, there + momentum * (there - here)
        return here * self.scale[:, None]

    def unseen(self, group: Callable[[dict[str, Any]], str]) -> list[bytes]:
        """Assessments of every article by weights fitted without its group."""
        folds = np.array([zlib.crc32(group(label).encode()) % FOLDS for label in self.labels])
        lines: list[bytes] = []
        for fold in range(FOLDS):
            subject = self.classifier(self.fit(folds != fold))
            for row in np.flatnonzero(folds == fold):
                lines.append(msgspec.json.encode(subject.assess(self.articles[row])))
        return lines


def score(lines: list[bytes]) -> dict[str, Any]:
    """What tools/score.py says of these assessments."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"\n".join(lines) + b"\n")
        file.flush()
        command = [
            sys.executable,
            SHARED / "tools" / "score.py",
            "verdicts",
            LABELS,
            file.name,
            "--json",
            "--by-lang",
        ]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main() -> None:
    """Cross-validate, and write the weights if told so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strength", type=float, default=4.0, help="how strongly the editors' weights hold")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    fitter = Fitter(options.strength)
    groups = {
        "source": lambda label: label["source"],
        "month": lambda label: label["date"][:7] or label["source"],
    }
    for name, group in groups.items():
        found = score(fitter.unseen(group))
        print(f"unseen {name}s:", json.dumps({key: _short(value) for key, value in found.items()}))
    if options.write:
        everything = fitter.fit(np.ones(len(fitter.labels), dtype=bool))
        table = yaml.safe_dump(everything, sort_keys=True, allow_unicode=True)
        TABLE.write_text(HEADER + table, encoding="utf-8")


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
