"""`make chaos`: a course on a stack of its own. `agree`: one classifier beside four.

Exit code 0 when nothing was lost, doubled or left wrong; otherwise 1, and the folder with logs and data is
kept and named.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import load
from tests.chaos.course import Course, agree, judge
from tests.chaos.plan import plan
from tests.chaos.report import LEAST_B3, Report, by_name
from tests.chaos.stage import ROOT, Crew, Press, Site, Stage, world_of

SHARED = Path(os.environ.get("RACEWIRE_SHARED", ROOT.parent / "shared"))
RECORDS = 250  # published a kill


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("what", nargs="?", default="course", choices=["course", "agree"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, help=f"default: {RECORDS} a kill; of `agree` 5000")
    parser.add_argument("--report", type=Path, help="write the report as JSON here")
    parser.add_argument("--keep", action="store_true", help="keep logs and data of a course that passed too")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that was started is ended
    home = Path(tempfile.mkdtemp(prefix=f"racewire-chaos-{asked.seed}-"))
    run = _agree if asked.what == "agree" else _course
    try:
        passed = run(asked, home)
    except Exception:
        traceback.print_exc()
        passed = False
    if passed and not asked.keep:
        shutil.rmtree(home)
    else:
        print(f"seed {asked.seed}; logs and data are kept in {home}")
    return 0 if passed else 1


def _course(asked: argparse.Namespace, home: Path) -> bool:
    began = time.monotonic()
    records = asked.records or RECORDS * asked.kills
    inputs = load.inputs(asked.seed, records, load.read_real(SHARED, records))
    steps = plan(asked.seed, asked.kills, records)
    press = Press(home)
    site = Site(
        home,
        {
            "RACEWIRE_FEEDS_FILE": str(press.registry),
            "RACEWIRE_POLL_EVERY": "15",
            "RACEWIRE_POLL_BATCH": "2",
            "RACEWIRE_FEED_INTERVAL_MIN": "1",
            "RACEWIRE_FEED_INTERVAL_MAX": "1",
        },
    )
    with press.printing():
        try:
            print(f"seed {asked.seed}: {records} records, {len(steps)} faults, starting the stack in {home}")
            site.up()
            where = site.status().endpoints
            assert where is not None
            world = world_of(where)
            crew = Crew(world, home, classifier=2, storyteller=1, relay=1)
            with crew.working():
                course = Course(asked.seed, Stage(world, crew, site), steps, inputs, press)
                course.run()
            print(f"at rest after {time.monotonic() - began:.0f} s; checking, and a calm course")
            findings, likeness = judge(world, home, "calm", course.published, press)
        finally:
            site.down()
    report = Report(
        asked.seed,
        asked.kills,
        time.monotonic() - began,
        by_name([(p.step.name, p.took) for p in course.probes]),
        findings,
        likeness,
        dict(crew.ends + _ended_by_themselves(home)),
        site.gave_up,
        course.again,
        site.left(),
    )
    print(report.text())
    report.write(asked.report or home / "report.json")
    return report.passed


def _agree(asked: argparse.Namespace, home: Path) -> bool:
    inputs = load.inputs(asked.seed, asked.records or 5000, load.read_real(SHARED, 5000))
    site = Site(home, {})
    try:
        site.up()
        where = site.status().endpoints
        assert where is not None
        likeness, findings = agree(world_of(where), home, inputs)
    finally:
        site.down()
    for name, found in zip(("one", "four"), findings, strict=True):
        print(f"{name}: {dict(found.counts)}, clean {found.clean}")
        print(*found.lost[:5], *found.doubled[:5], *found.wrong[:5], sep="\n")
    print(f"{likeness.articles} articles, {len(likeness.different)} rows differ: {likeness.different[:5]}")
    print(f"stories: B³ {likeness.stories:.4f}")
    whole = all(found.clean for found in findings) and not likeness.different
    return whole and likeness.stories >= LEAST_B3


def _ended_by_themselves(home: Path) -> Counter[str]:
    """Services of the stack that ended otherwise than by a kill, by the supervisor's log."""
    log = (home / "logs" / "supervisor.log").read_text("utf-8", errors="replace")
    ends: Sequence[tuple[str, str]] = re.findall(r"^\S+  (\S+) +ended with (-?\d+);", log, re.MULTILINE)
    return Counter(f"{name} ended with {code}" for name, code in ends if code != "-9")


if __name__ == "__main__":
    sys.exit(main())
