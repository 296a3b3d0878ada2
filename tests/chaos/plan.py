"""Which process is hit, how, and after how many published records: a function of the seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One fault. `pick`, from 0 to 1, chooses among several processes or amounts.

    It comes `delay` seconds after record number `after` was acknowledged. With `wait` the course goes on when
    all is well again, without it the next fault hits what this one has left.
    """

    how: str
    whom: str
    pick: float
    after: int
    delay: float
    wait: bool

    @property
    def name(self) -> str:
        return f"{self.how} {self.whom}"


# A deck is dealt out whole before it is shuffled again, so that a short course meets every kind.
KILLS = (
    *("classifier",) * 4,
    *("relay",) * 4,
    *("storyteller",) * 3,
    *("poll",) * 2,
    *("kafka",) * 2,
    *("postgres",) * 2,
    *("supervisor",) * 2,
    "prefect",
)
OTHERS = (
    ("stop", "classifier"),
    ("stop", "relay"),
    ("stop", "storyteller"),
    ("stop", "kafka"),
    ("cut", "postgres"),
    ("cut", "postgres"),
    ("full", "postgres"),
    ("full", "kafka"),
    ("scale", "classifier"),
    ("scale", "classifier"),
)
WORKERS = ("classifier", "relay", "storyteller", "classifier")
LIGHT = (("cut", "postgres"), ("scale", "classifier"))


def plan(seed: int, kills: int, records: int) -> list[Step]:
    """A course on a stack of its own: `kills` kill -9 and at least ten other faults."""
    return _mixed(random.Random(f"plan {seed}"), KILLS, kills, OTHERS, max(10, kills // 4), records)


def short(seed: int, records: int) -> list[Step]:
    """A course on servers that others use at the same time: only workers and connections are hit."""
    return _mixed(random.Random(f"plan {seed}"), WORKERS, len(WORKERS), LIGHT, len(LIGHT), records)


def _mixed(
    rng: random.Random,
    victims: Sequence[str],
    kills: int,
    others: Sequence[tuple[str, str]],
    more: int,
    records: int,
) -> list[Step]:
    dealt = _dealt(rng, [("kill", victim) for victim in victims])
    faults = [next(dealt) for _ in range(kills)]
    dealt = _dealt(rng, others)
    faults += [next(dealt) for _ in range(more)]
    rng.shuffle(faults)
    width = records / len(faults)
    return [
        Step(
            how,
            whom,
            pick=rng.random(),
            after=int(width * (number + rng.uniform(0.2, 0.9))),
            delay=rng.uniform(0, 1.5),
            wait=rng.random() < 0.7,
        )
        for number, (how, whom) in enumerate(faults)
    ]


def _dealt(rng: random.Random, deck: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    while True:
        yield from rng.sample(deck, len(deck))
