"""What a course has found, for the terminal and as JSON."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.chaos.checker import Findings
from tests.chaos.likeness import Likeness

# Stories depend on the order in which articles come, and a course mixes it on purpose: less is a mistake.
# That one and four classifiers agree in 0.97 is asked in `test_course`.
LEAST_B3 = 0.95


@dataclass(frozen=True)
class Report:
    """A course and its end. `recoveries` has the seconds of each fault by its name."""

    seed: int
    kills: int
    seconds: float
    recoveries: Mapping[str, Sequence[float | None]]
    findings: Findings
    likeness: Likeness
    ends: Mapping[str, int]
    gave_up: int
    resent: int
    left: Sequence[str]

    @property
    def passed(self) -> bool:
        whole = self.findings.clean and not self.likeness.different and not self.left
        return whole and self.likeness.stories >= LEAST_B3

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.to_json(), indent=1, default=str) + "\n")

    def text(self, most: int = 20) -> str:
        """A page to read: faults and recoveries, what there is, what is wrong."""
        found, lines = self.findings, [f"\n{'fault':<22} {'times':>5} {'p50 s':>7} {'max s':>7}"]
        for name, times in sorted(self.recoveries.items()):
            took = [t for t in times if t is not None] or [0.0]
            lines.append(f"{name:<22} {len(times):>5} {median(took):>7.1f} {max(took):>7.1f}")
        lines += ["", ", ".join(f"{count} {what}" for what, count in found.counts.items())]
        lines.append(f"doubles on topics: {_list(found.doubles)}")
        lines.append(
            f"ended by themselves: {_list(self.ends)}; supervisor gave up: {self.gave_up}; "
            f"records resent by the load: {self.resent}"
        )
        lines.append(
            f"beside a calm course: {self.likeness.articles} articles, {len(self.likeness.different)} rows "
            f"differ, stories B³ {self.likeness.stories:.4f}"
        )
        for what, each in (
            ("lost", found.lost),
            ("doubled", found.doubled),
            ("wrong", found.wrong),
            ("other than in calm", self.likeness.different),
            ("process left", self.left),
        ):
            lines += [f"{len(each)} {what}", *(f"    {one}" for one in each[:most])]
        verdict = "PASS" if self.passed else "FAIL"
        lines.append(f"{verdict}  seed {self.seed}, {self.kills} kills, {self.seconds:.0f} s")
        return "\n".join(lines)


def by_name(times: Sequence[tuple[str, float | None]]) -> dict[str, list[float | None]]:
    """Recoveries grouped by the fault's name."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for name, took in times:
        found[name].append(took)
    return dict(found)


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"
