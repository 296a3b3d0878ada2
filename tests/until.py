"""Waiting for what must come, in one place."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(found: Callable[[], T], seconds: float = 60.0, what: str = "") -> T:
    """The first true value of `found`. Fails the test when none comes; `seconds` is a bound, not a claim."""
    end = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < end, f"did not come in {seconds:.0f} s: {what or found}"
        time.sleep(0.05)
