"""A log line stays a line, whatever a feed put into it."""

import logging

import pytest

from pipeline.telemetry import set_up_logging


def test_control_characters_cannot_forge_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    try:
        logging.getLogger("t").info("title: %s", "a\nERROR forged \x1b[31m\x00")
        (line,) = capsys.readouterr().err.splitlines()
    finally:
        logging.getLogger().handlers.clear()
    assert r"a\nERROR forged \x1b[31m\x00" in line
    assert "INFO" in line
