"""A course: publish, hit, wait until all is well; in the end compare with a calm course of the same input."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from kafka.errors import KafkaError

from tests.chaos import load
from tests.chaos.checker import READERS, Findings, check
from tests.chaos.faults import Faults
from tests.chaos.likeness import Likeness, compare
from tests.chaos.load import Input
from tests.chaos.plan import Step
from tests.chaos.reading import Publisher, World
from tests.chaos.stage import Crew, Press, Stage, ids, new_world, poll_once

CHUNK = 50
PARTITIONS = 12
WELL = 120.0  # seconds in which all must be well again after a fault
# A killed poll holds its feeds for five minutes: so much longer may the last one take.
REST = 420.0

Say = Callable[[str], None]


@dataclass
class Probe:
    """A fault whose end is awaited: since when, by which canaries, and whether a poll must have come too."""

    step: Step
    began: float
    wall: float
    canaries: Sequence[str]
    polls: bool
    took: float | None = None


@dataclass
class Course:
    """What a course is made of; `run` fills `probes` and returns what was published."""

    seed: int
    stage: Stage
    steps: Sequence[Step]
    inputs: Sequence[Input]
    press: Press | None = None
    say: Say = print
    probes: list[Probe] = field(default_factory=list)
    published: list[Input] = field(default_factory=list)
    again: int = 0

    def run(self) -> None:
        """Raises AssertionError or TimeoutError where something does not get well again."""
        publisher, faults = Publisher(self.stage.world), Faults(self.stage)
        with self._watching():
            try:
                for number, step in enumerate(self.steps):
                    self._publish(publisher, self.inputs[: step.after])
                    self._print(number)
                    time.sleep(step.delay)
                    began = time.monotonic()
                    wall = time.time()
                    hit = faults.hit(step)
                    canaries = load.canaries(self.seed, number, PARTITIONS)
                    polls = self.press is not None and step.whom in ("poll", "prefect", "supervisor")
                    probe = Probe(step, began, wall, list(ids(canaries)), polls)
                    self._publish(publisher, [*self.published, *canaries])
                    self.probes.append(probe)
                    if step.wait:
                        self._until_well(lambda p: p.polls)
                    took = "" if probe.took is None else f", well again after {probe.took:.1f} s"
                    self.say(f"{number + 1:3}/{len(self.steps)}  {step.name:<20} {hit}{took}")
                self._publish(publisher, self.inputs)
            finally:
                faults.wake_all()
                publisher.close()
            self._until_well(lambda _: False, REST)
        self.again = publisher.again
        rest(self.stage.world, self.press.addresses if self.press else (), REST)

    def _publish(self, publisher: Publisher, upto: Sequence[Input]) -> None:
        """Publish what of `upto` is not out yet."""
        known = {one.number for one in self.published}
        new = [one for one in upto if one.number not in known]
        for first in range(0, len(new), CHUNK):
            publisher.publish(new[first : first + CHUNK])
            self.published += new[first : first + CHUNK]

    def _print(self, number: int) -> None:
        if self.press:
            rng = random.Random(f"press {self.seed} {number}")
            for copy in range(2):
                _, title, text = load.news(rng, number)
                self.press.add(2 * number + copy, title, text)

    def _until_well(self, spared: Callable[[Probe], bool], patience: float = WELL) -> None:
        give_up = time.monotonic() + patience
        while waiting := [p for p in self.probes if p.took is None and not spared(p)]:
            assert time.monotonic() < give_up, f"not well again in {patience:.0f} s: {waiting[0].step}"
            if self.stage.site:
                self.stage.site.revive()
            time.sleep(0.1)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        end = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(end,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            end.set()
            watcher.join()

    def _watch(self, end: threading.Event) -> None:
        """Notice when faults are over: their canaries have gone all the way, and a poll has come."""
        while not end.wait(0.1):
            for probe in [p for p in self.probes if p.took is None]:
                with suppress(psycopg.OperationalError):
                    if self._is_well(probe):
                        probe.took = time.monotonic() - probe.began

    def _is_well(self, probe: Probe) -> bool:
        world, names = self.stage.world, list(probe.canaries)
        if probe.polls and not world.rows("SELECT 1 FROM polls WHERE at > to_timestamp(%s)", probe.wall):
            return False
        ((told,),) = world.rows(
            """
            SELECT count(*) = %s AND count(*) FILTER (WHERE v.label = 'core' AND m.article_id IS NULL) = 0
                AND NOT EXISTS (SELECT FROM outbox)
            FROM assessments v LEFT JOIN story_members m USING (article_id) WHERE v.article_id = ANY(%s)
            """,
            len(names),
            names,
        )
        return bool(told)


def rest(world: World, addresses: Sequence[str] = (), patience: float = 120.0) -> None:
    """Wait until everything has been worked off. Raises AssertionError when nothing moves any more."""
    seen, give_up = None, time.monotonic() + patience
    while True:
        with suppress(psycopg.OperationalError, KafkaError):
            behind = _behind(world, addresses)
            if not any(behind.values()):
                return
            if behind != seen:
                seen, give_up = behind, time.monotonic() + patience
        assert time.monotonic() < give_up, f"nothing has moved for {patience:.0f} s: {seen}"
        time.sleep(0.3)


def _behind(world: World, addresses: Sequence[str]) -> dict[str, int]:
    ((waiting,),) = world.rows("SELECT count(*) FROM outbox")
    ((polled,),) = world.rows("SELECT count(*) FROM articles WHERE url = ANY(%s)", list(addresses))
    found = {"outbox": waiting, "feeds": len(addresses) - polled}
    for group, topic in READERS.items():
        ends, committed = world.ends(topic), world.committed(group, topic)
        stored = world.rows(
            "SELECT partition, next_offset FROM consumer_offsets WHERE group_id = %s AND topic = %s",
            world.topic(group),
            world.topic(topic),
        )
        done = dict(stored)
        found[f"{group}, store"] = sum(end - done.get(p, 0) for p, end in ends.items())
        found[f"{group}, Kafka"] = sum(end - committed[p] for p, end in ends.items())
    return found


def calm(
    world: World, home: Path, inputs: Sequence[Input], press: Press | None = None, classifiers: int = 1
) -> None:
    """The same input with nothing hit, until it has come to rest."""
    if press:
        poll_once(world, home, press)
    crew = Crew(world, home, classifier=classifiers, storyteller=1, relay=1)
    with crew.working():
        while world.members("classifier") < classifiers:
            time.sleep(0.1)
        publisher = Publisher(world)
        for first in range(0, len(inputs), CHUNK):
            publisher.publish(inputs[first : first + CHUNK])
        publisher.close()
        rest(world, press.addresses if press else ())
    assert not crew.ends, f"workers that nobody hit ended: {dict(crew.ends)}"


def judge(
    world: World, home: Path, name: str, published: Sequence[Input], press: Press | None = None
) -> tuple[Findings, Likeness]:
    """Check a world at rest, and compare it with one of a calm course."""
    findings = check(world, published, press.addresses if press else ())
    with new_world(world, name) as other:
        calm(other, home / "calm", published, press)
        return findings, compare(other, world)


def agree(beside: World, home: Path, inputs: Sequence[Input]) -> tuple[Likeness, tuple[Findings, Findings]]:
    """The same input with one classifier and with four: how like they are, and the findings in each."""
    with new_world(beside, "agree_one") as one, new_world(beside, "agree_four") as four:
        calm(one, home / "one", inputs)
        calm(four, home / "four", inputs, classifiers=4)
        return compare(one, four), (check(one, inputs), check(four, inputs))
