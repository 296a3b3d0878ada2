"""History keeps its pace, whatever the work itself takes."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.consumer import Batch, Place
from pipeline.workers.pace import Pace, Paced


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 3)), max_size=30), st.floats(0.5, 100))
def test_never_more_than_the_rate_and_no_longer_than_needed(
    steps: list[tuple[int, float]], rate: float
) -> None:
    clock = Clock()
    pace = Pace(rate, clock=lambda: clock.now, sleep=clock.sleep)
    done, worked = 0, 0.0
    for count, work in steps:
        pace.take(count)
        assert clock.now - 100 >= done / rate - 1e-6  # all that was taken before has had its time
        assert clock.now - 100 <= done / rate + worked + 1e-6
        done, worked = done + count, worked + work
        clock.now += work


def test_a_paced_strategy_is_the_strategy() -> None:
    class Recorder:
        calls: list[object] = []  # noqa: RUF012 - one for the test

        def claim(self, places: Sequence[Place]) -> Mapping[Place, int]:
            return dict.fromkeys(places, 7)

        def release(self, places: Sequence[Place]) -> None:
            self.calls.append(places)

        def handle(self, batch: Batch) -> None:
            self.calls.append(batch)

        def tick(self) -> None:
            self.calls.append("tick")

    paced, batch = Paced(Recorder(), 1e9), Batch(["record"])
    assert paced.claim([("t", 0)]) == {("t", 0): 7}
    paced.handle(batch)
    paced.tick()
    paced.release([("t", 0)])
    assert Recorder.calls == [batch, "tick", [("t", 0)]]
