"""`racewire demo`: the packaged saga and one of other actors in the same folder, on servers of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.demo.saga import SAGAS

pytestmark = pytest.mark.integration
OTHERS = Path(__file__).resolve().parents[1] / "data" / "sagas"


def test_two_sagas_come_out_whole_and_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "sagas"
    shutil.copytree(SAGAS, folder)
    for saga in OTHERS.glob("*.yaml"):
        shutil.copy(saga, folder)
    assert len(list(folder.glob("*.yaml"))) == 2
    env = os.environ | {"RACEWIRE_HOME": str(tmp_path / "home"), "RACEWIRE_WEB_PORT": "0"}
    command = [sys.executable, "-m", "pipeline.cli", "demo", "--once", "--sagas", str(folder)]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert shown.returncode == 0, shown.stdout[-6000:] + shown.stderr[-2000:]
    assert "Nothing is missing." in shown.stdout
    assert "expected 2025-04 → slipped → released" in shown.stdout
    left = [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or ())]
    assert left == []
