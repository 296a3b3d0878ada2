"""When failures are so many that the fault must be ours. Pure."""

from collections import deque
from collections.abc import Iterable

WINDOW = 1000  # records looked back at
COUNT = 100  # failures among them: fewer are bad records, whatever their share
EXIT_CODE = 3  # of the process: whoever keeps it should not start it again by itself
SHARE = 0.2  # and so large a part of them: a producer that is wrong once in a hundred is lived with


class FloodError(Exception):
    """So many of the last records failed that the fault must be ours: the worker stops."""


class Flood:
    """The outcomes of the last records."""

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=WINDOW)

    def add(self, failed: Iterable[bool]) -> None:
        """Records were done, in this order."""
        self._failed.extend(failed)

    def __str__(self) -> str:
        return f"{sum(self._failed)} of the last {len(self._failed)} records"

    def __bool__(self) -> bool:
        """Whether it is one."""
        count = sum(self._failed)
        return count >= COUNT and count >= SHARE * len(self._failed)
