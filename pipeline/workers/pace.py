"""The pace that history keeps, so that it leaves the machine to the news. No burst is smoothed."""

import time
from collections.abc import Callable, Mapping, Sequence

from pipeline.bus.consumer import Strategy
from pipeline.bus.gathering import Batch, Place


class Pace:
    """At most `rate` things a second on average. What is not used up is not saved."""

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._free_at = clock()

    def take(self, count: int) -> None:
        """Wait until what was taken before has had its time, and take `count`."""
        now = self._clock()
        if self._free_at > now:
            self._sleep(self._free_at - now)
        self._free_at = max(self._free_at, now) + count / self._rate


class Paced:
    """A strategy of the consumer loop that handles at most `rate` records a second.

    It waits within `handle`, where the loop does not poll: a batch must be worth seconds, not minutes.
    """

    def __init__(self, strategy: Strategy, rate: float) -> None:
        self._strategy, self._pace = strategy, Pace(rate)

    def claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """As the strategy does."""
        return self._strategy.claim(places)

    def release(self, places: Sequence[Place]) -> None:
        """As the strategy does."""
        self._strategy.release(places)

    def handle(self, batch: Batch) -> None:
        """Handle a batch when it is its time."""
        self._pace.take(len(batch.records))
        self._strategy.handle(batch)

    def tick(self) -> None:
        """As the strategy does."""
        self._strategy.tick()
