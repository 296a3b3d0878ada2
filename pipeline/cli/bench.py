"""`bench`: how fast it is on this machine, beside others."""

import importlib.util
import logging

import click

from pipeline.cli.common import as_json, plain_errors, print_json, print_table


@click.group()
def bench() -> None:
    """Measure, beside baselines, on servers of its own."""


@bench.command()
@click.option("--articles", type=click.IntRange(min=1000), default=6000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--seconds",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    help="length of the latency part; 0 leaves it out",
)
@as_json
@plain_errors
def pipeline(articles: int, rounds: int, seconds: int, as_json: bool) -> None:
    """Broker to verdict in Postgres, beside the bare loop and the obvious way.

    Real articles are those of the folder that RACEWIRE_SHARED names; the obvious way needs `racewire[bench]`.
    """
    from pipeline.bench import course
    from pipeline.bench.articles import stock
    from pipeline.bench.figures import Contender, Run, figures, summary
    from pipeline.bench.stage import Stage

    logging.basicConfig(level=logging.ERROR)
    contenders = list(Contender)
    if importlib.util.find_spec("faststream") is None:
        contenders.remove(Contender.OBVIOUS)
        click.echo(
            "FastStream is not installed: without the obvious way (`pip install racewire[bench]`)", err=True
        )
    given = stock(max(articles, course.RATE * seconds) + course.WARM)
    click.echo(f"{given.source}; {rounds} rounds", err=True)

    def told(run: Run) -> None:
        click.echo(f"{run.contender}: {run.rate:.0f} articles/s", err=True)

    with Stage.embedded() as stage:
        found = [
            course.one_round(stage, given.articles[: articles + course.WARM], contenders, told)
            for _ in range(rounds)
        ]
        late = course.latencies(stage, given.articles, seconds) if seconds else None
    results = figures(found, late)
    if as_json:
        print_json(
            {"articles": given.source, "rounds": [list(r.values()) for r in found], "figures": results}
        )
        return
    rows = []
    for contender in contenders:
        rate, low, high, cost, server, peak = summary(found, contender)
        rows.append(
            (
                contender,
                f"{rate:,.0f}",
                f"{low:,.0f} – {high:,.0f}",
                f"{cost * 1e6:,.0f}",
                f"{server * 1e6:,.0f}",
                f"{peak / 1e6:,.0f}",
            )
        )
    print_table(
        ("contender", "articles/s", "least – most", "µs of CPU an article", "of Postgres", "MB"), rows, ""
    )
    print_table(
        ("figure", "median", "least – most", "aim", "met"),
        [
            (f.name, f"{f.value:.3g}", f"{f.low:.3g} – {f.high:.3g}", f.aim, "yes" if f.met else "no")
            for f in results
        ],
        "",
    )
