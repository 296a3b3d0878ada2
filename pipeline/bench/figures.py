"""From measurements to figures and aims. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median, quantiles


class Contender(StrEnum):
    """Who is measured."""

    BARE = "bare loop"
    """kafka-python, decode, COPY: no classifying, no promises."""
    ASSESS = "assess alone"
    """The verdicts, without any server."""
    OURS = "one classifier"
    TWO = "two classifiers"
    OBVIOUS = "obvious way"
    """FastStream, `assess`, an upsert a message."""


@dataclass(frozen=True)
class Run:
    """One contender's turn: articles, seconds by the clock, CPU seconds and bytes of its largest process.

    `server` is CPU seconds of Postgres meanwhile.
    """

    contender: Contender
    articles: int
    seconds: float
    cpu: float
    peak: int
    server: float = 0.0

    @property
    def rate(self) -> float:
        """Articles a second."""
        return self.articles / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds an article, of the contender's own processes."""
        return self.cpu / self.articles


@dataclass(frozen=True)
class Latencies:
    """Seconds from print to the verdict's row and to its event, of each article."""

    rows: Sequence[float]
    events: Sequence[float]


@dataclass(frozen=True)
class Figure:
    """A figure: its median over the rounds and their least and largest, and what it is to be."""

    name: str
    value: float
    low: float
    high: float
    aim: str
    met: bool


Round = Mapping[Contender, Run]


def figures(rounds: Sequence[Round], latencies: Latencies | None) -> list[Figure]:
    """What the rounds, and the latencies where they were measured, say beside the aims.

    A ratio is taken within each round, for what slows one contender slows the others of its round.
    """
    found = [
        _figure("share of 1/(1/A + 1/B)", [_share(r) for r in rounds], 0.8, at_least=True),
        _figure("CPU an article, two to one", [_growth(r) for r in rounds], 1.1, at_least=False),
        _figure(
            "MB of a classifier",
            [max(r[Contender.OURS].peak, r[Contender.TWO].peak) / 1e6 for r in rounds],
            350,
            at_least=False,
        ),
    ]
    if all(Contender.OBVIOUS in r for r in rounds):
        found.append(_figure("times the obvious way", [_times(r) for r in rounds], 3, at_least=True))
    if latencies:
        for name, seconds in (("verdict", latencies.rows), ("event", latencies.events)):
            for percent, aim in ((50, 0.3), (99, 1.5)):
                value = percentile(seconds, percent)
                found.append(_figure(f"seconds to {name}, p{percent}", [value], aim, at_least=False))
    return found


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of the values do not exceed."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def summary(rounds: Sequence[Round], contender: Contender) -> tuple[float, ...]:
    """A contender's rate with its least and largest, CPU seconds an article of its own and of Postgres, peak.

    Medians but for the second and third; the peak is in bytes.
    """
    runs = [r[contender] for r in rounds]
    rates = [run.rate for run in runs]
    return (
        median(rates),
        min(rates),
        max(rates),
        median(run.cost for run in runs),
        median(run.server / run.articles for run in runs),
        median(run.peak for run in runs),
    )


def _figure(name: str, values: Sequence[float], aim: float, *, at_least: bool) -> Figure:
    value = median(values)
    met = value >= aim if at_least else value <= aim
    return Figure(name, value, min(values), max(values), f"{'≥' if at_least else '≤'} {aim:g}", met)


def _share(r: Round) -> float:
    return r[Contender.OURS].rate * (1 / r[Contender.BARE].rate + 1 / r[Contender.ASSESS].rate)


def _growth(r: Round) -> float:
    return r[Contender.TWO].cost / r[Contender.OURS].cost


def _times(r: Round) -> float:
    return r[Contender.OURS].rate / r[Contender.OBVIOUS].rate
