"""Ratios within rounds, aims, percentiles; and the articles that stand in where no real ones lie."""

import gzip
import json
from pathlib import Path

import pytest

from pipeline.bench.articles import FILE, VARIABLE, stock
from pipeline.bench.figures import Contender, Latencies, Run, figures, percentile, summary


def runs(slowness: float, share: float) -> dict[Contender, Run]:
    """A round in which the ideal is 1,000 articles a second, all slowed alike; ours reaches a share of it."""
    seconds = {
        Contender.BARE: 0.5,
        Contender.ASSESS: 0.5,
        Contender.OURS: 1 / share,
        Contender.TWO: 1.0,
        Contender.OBVIOUS: 5.0,
    }
    return {
        who: Run(who, 1000, took * slowness, 2.2 if who is Contender.TWO else 2.0, 100_000_000)
        for who, took in seconds.items()
    }


def test_a_ratio_is_of_one_round_whatever_slows_that_round() -> None:
    found = {f.name: f for f in figures([runs(1, 0.8), runs(7, 0.8)], None)}
    share = found["share of 1/(1/A + 1/B)"]
    assert share.low == pytest.approx(0.8)
    assert share.high == pytest.approx(0.8)
    assert found["times the obvious way"].value == pytest.approx(4.0)
    assert found["CPU an article, two to one"].value == pytest.approx(1.1)
    assert found["MB of a classifier"].value == pytest.approx(100)


def test_an_aim_that_is_not_reached_is_said() -> None:
    met = {f.name: f.met for f in figures([runs(1, 0.5)], Latencies([0.2] * 100, [0.4] * 100))}
    assert not met["share of 1/(1/A + 1/B)"]
    assert not met["times the obvious way"]
    assert met["seconds to verdict, p50"]
    assert not met["seconds to event, p50"]


def test_without_the_obvious_way_nothing_is_said_of_it() -> None:
    one = runs(1, 0.9)
    del one[Contender.OBVIOUS]
    assert "times the obvious way" not in {f.name for f in figures([one], None)}


def test_percentiles_and_medians() -> None:
    assert percentile(range(1, 102), 50) == 51
    assert percentile(range(1, 102), 99) == 100
    rate, low, high, *_ = summary([runs(1, 1), runs(2, 1), runs(4, 1)], Contender.OURS)
    assert (rate, low, high) == (500, 250, 1000)


def test_real_articles_are_repeated_under_ids_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).parent.mkdir()
    with gzip.open(tmp_path / FILE, "wt") as lines:
        for number in range(3):
            print(json.dumps({"id": f"a{number}", "title": "t"}), file=lines)
        print("no article", file=lines)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    given = stock(8)
    assert len({one.article_id for one in given.articles}) == 8
    assert "real" in given.source


def test_made_up_articles_stand_in_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    given = stock(40)
    assert len({one.article_id for one in given.articles}) == 40
    assert VARIABLE in given.source
