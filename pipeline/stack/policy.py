"""When a process that died is started again, and when it is given up. Pure: it is told the time."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 60.0
"""Seconds after which a death is forgiven."""
MOST = 5
"""Deaths within the window that are put up with."""
FIRST_PAUSE = 0.25
"""Seconds before the first restart, doubled each time: what died of a passing trouble is back at once."""


@dataclass(frozen=True)
class Deaths:
    """When a service's process died without being asked to, within the window, in seconds of a monotonic
    clock."""

    times: tuple[float, ...] = ()

    def another(self, now: float) -> Deaths:
        return Deaths((*(time for time in self.times if now - time < WINDOW), now))

    def pause(self) -> float | None:
        """Seconds to wait before the next start; None when it has died too often."""
        if len(self.times) > MOST:
            return None
        return FIRST_PAUSE * 2.0 ** (len(self.times) - 1)
