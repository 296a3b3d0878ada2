"""An exhaustive small model of the way from a topic through the store to a topic: two consumers, two relays.

Every interleaving of their steps is walked, with up to two of the things that can go wrong in between. The
model takes `start_at` from the product; the rest is the product's transactions, written down as steps. No
guard can be taken out: without it the walk finds a record that is lost or doubled, and tells how.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from pipeline.bus.consumer import start_at

SOURCE = "aab"  # the second record is the first one published again by a poll that died before its commit

GUARDS = {
    "one-transaction": "offsets are saved with the results, not before them",
    "idempotent": "a result that stands already is not written again",
    "store-is-truth": "a consumer starts where the store says, not where Kafka's group says",
    "recover-first": "a new leader looks what is out before it sends",
    "recover-after-failure": "after a failed send a relay looks what is out before it sends again",
    "read-from-checkpoint": "recovery reads from the checkpoint, not from what is new since it began",
    "acknowledged-first": "rows are deleted once they are acknowledged, not once they are sent",
    "deadline": "what a relay has not got rid of when its lease ends is never sent",
    "settle": "recovery reads when the brokers have worked off what they were sent before",
}


class Consumer(NamedTuple):
    """`read` holds the records from `at` to `upto`, `stored` has written them, `half` only its offsets."""

    phase: str = "down"
    at: int = 0
    upto: int = 0


class Relay(NamedTuple):
    """Its way: standby, leads, found, ready, taken, sending, acked, and ready again."""

    phase: str = "standby"
    ids: tuple[str, ...] = ()
    end: int = 0


class State(NamedTuple):
    """Both brokers' and the database's memory, and what each process has in hand."""

    committed: int | None = None
    offset: int | None = None
    rows: tuple[str, ...] = ()
    outbox: tuple[str, ...] = ()
    checkpoint: int = 0
    topic: tuple[str, ...] = ()
    buffered: tuple[tuple[int, str], ...] = ()  # in a relay's producer
    queued: tuple[tuple[int, str], ...] = ()  # at the broker, not yet worked off
    lease: int | None = None  # the relay that leads; None once it has expired
    owner: int | None = None  # the consumer that has the partition
    consumers: tuple[Consumer, ...] = (Consumer(), Consumer())
    relays: tuple[Relay, ...] = (Relay(), Relay())
    left: int = 0  # how many more things may go wrong


Step = tuple[str, State]


def consumer_steps(s: State, guards: frozenset[str]) -> Iterator[Step]:
    """What the consumers can do next, and what can happen to them."""
    for i, c in enumerate(s.consumers):
        at, upto = c.at, c.upto

        def to(*new: Any, i: int = i, **changes: Any) -> State:
            consumers = tuple(Consumer(*new) if j == i else c for j, c in enumerate(s.consumers))
            return s._replace(consumers=consumers, **changes)

        if c.phase == "down":
            stored = s.offset if "store-is-truth" in guards else s.committed
            target, _ = start_at(stored, s.committed, 0, len(SOURCE))
            other = s.owner is not None and s.owner != i and s.consumers[s.owner].phase != "down"
            if not other:
                yield f"consumer {i} starts at {target}", to("idle", target, owner=i)
            elif s.left:  # the other one is thought dead; it may still write what it has in hand
                yield f"consumer {i} takes over at {target}", to("idle", target, owner=i, left=s.left - 1)
            continue
        if s.left:
            yield f"consumer {i} dies", to("down", left=s.left - 1)
        if c.phase == "idle":
            if s.owner != i:
                yield f"consumer {i} is revoked", to("down")
            else:
                for end in range(at + 1, min(at + 2, len(SOURCE)) + 1):
                    yield f"consumer {i} reads {at}-{end}", to("read", at, end)
        elif c.phase == "read" and "one-transaction" not in guards:
            yield f"consumer {i} saves its offset {upto}", to("half", at, upto, offset=upto)
        elif c.phase in ("read", "half"):
            rows, outbox = s.rows, s.outbox
            for record in SOURCE[at:upto]:
                if record not in rows or "idempotent" not in guards:
                    rows, outbox = (*rows, record), (*outbox, record)
            new = to("stored", at, upto, offset=upto, rows=rows, outbox=outbox)
            yield f"consumer {i} writes {at}-{upto}", new
        elif c.phase == "stored":
            if s.owner == i:
                yield f"consumer {i} commits {upto}", to("idle", upto, committed=upto)
            else:
                yield f"consumer {i} is refused by the group", to("down")
    if s.left and s.committed and all(c.phase == "down" for c in s.consumers):
        yield "an operator resets the group", s._replace(committed=0, left=s.left - 1)
        # A restored database announces again what it has forgotten to have announced: not counted here.
        yield "an empty database is restored", State(committed=s.committed, left=s.left - 1)


def relay_steps(s: State, guards: frozenset[str]) -> Iterator[Step]:
    """What the relays can do next, and what can happen to them."""
    for i, r in enumerate(s.relays):
        mine = s.lease == i

        def to(*new: Any, i: int = i, s: State = s, **changes: Any) -> State:
            relays = tuple(Relay(*new) if j == i else r for j, r in enumerate(s.relays))
            return s._replace(relays=relays, **changes)

        without = tuple(f for f in s.buffered if f[0] != i)
        if r.phase == "standby":
            if s.lease is None and s.outbox:
                first = "leads" if "recover-first" in guards else "ready"
                yield f"relay {i} leads", to(first, lease=i)
            continue
        if s.left:
            yield f"relay {i} dies", to("standby", buffered=without, left=s.left - 1)
        if r.phase == "leads":
            if "settle" not in guards or not s.queued:
                start = s.checkpoint if "read-from-checkpoint" in guards else len(s.topic)
                out = tuple(x for x in s.outbox if x in s.topic[start:])
                yield f"relay {i} finds {out} out", to("found", out, len(s.topic))
        elif r.phase == "found":
            if mine:
                left = tuple(x for x in s.outbox if x not in r.ids)
                yield f"relay {i} is recovered", to("ready", outbox=left, checkpoint=r.end)
            else:
                yield f"relay {i} has lost its lease", to("standby")
        elif r.phase == "ready":
            if not mine:
                yield f"relay {i} has lost its lease", to("standby")
            else:
                for n in range(1, min(2, len(s.outbox)) + 1):
                    yield f"relay {i} takes {s.outbox[:n]}", to("taken", s.outbox[:n])
        elif r.phase == "taken":
            if mine or "deadline" not in guards:
                new = to("sending", r.ids, buffered=(*s.buffered, *((i, x) for x in r.ids)))
                if "acknowledged-first" not in guards:
                    new = new._replace(outbox=tuple(x for x in s.outbox if x not in r.ids))
                yield f"relay {i} sends {r.ids}", new
            else:
                yield f"relay {i} is too late to send", to("standby")
        elif r.phase == "sending":
            if not any((i, x) in s.buffered + s.queued for x in r.ids):
                yield f"relay {i} is acknowledged", to("acked", r.ids)
            if s.left:
                given_up = s._replace(buffered=without, left=s.left - 1)
                if "recover-after-failure" in guards:
                    lease = None if mine else s.lease
                    yield f"relay {i} gives a send up", to("standby", s=given_up, lease=lease)
                else:
                    yield f"relay {i} tries a send again", to("ready", s=given_up)
        elif r.phase == "acked":
            if mine:
                left = tuple(x for x in s.outbox if x not in r.ids)
                end = max(s.topic.index(x) for x in r.ids if x in s.topic) + 1
                yield f"relay {i} deletes {r.ids}", to("ready", outbox=left, checkpoint=end)
            else:
                yield f"relay {i} has lost its lease", to("standby")
    for flight in s.buffered:
        sent = s._replace(buffered=_less(s.buffered, flight), queued=tuple(sorted((*s.queued, flight))))
        yield f"{flight[1]} of relay {flight[0]} reaches the broker", sent
    for flight in s.queued:
        there = s._replace(queued=_less(s.queued, flight), topic=(*s.topic, flight[1]))
        yield f"{flight[1]} of relay {flight[0]} is appended", there
    if s.lease is not None and s.relays[s.lease].phase == "standby":  # it died
        yield "the lease expires", s._replace(lease=None)
    elif s.lease is not None and s.left:  # it is paused
        kept = tuple(f for f in s.buffered if f[0] != s.lease or "deadline" not in guards)
        yield "the lease expires", s._replace(lease=None, buffered=kept, left=s.left - 1)


def _less(flights: tuple[tuple[int, str], ...], one: tuple[int, str]) -> tuple[tuple[int, str], ...]:
    at = flights.index(one)
    return flights[:at] + flights[at + 1 :]


def trouble(s: State) -> str | None:
    """What is lost or doubled in a state."""
    if any(record not in s.rows for record in SOURCE[: s.offset or 0]):
        return "a record before the store's offset has no row"
    if len(set(s.rows)) < len(s.rows):
        return "a row is doubled"
    if len(set(s.topic)) < len(s.topic):
        return "an event is doubled"
    flying = {x for _, x in s.buffered + s.queued}
    if any(x not in {*s.outbox, *s.topic, *flying} for x in s.rows):
        return "an event is lost"
    return None


def explore(guards: frozenset[str], faults: int) -> tuple[int, list[str] | None]:
    """How many states there are; and the shortest way to trouble, if there is one."""
    first = State(left=faults)
    came: dict[State, tuple[State, str] | None] = {first: None}
    todo = deque([first])
    while todo:
        state = todo.popleft()
        found = trouble(state)
        steps = [*consumer_steps(state, guards), *relay_steps(state, guards)]
        done = set(state.topic) == set(SOURCE) and not state.outbox
        if found is None and not done and all(new.left < state.left for _, new in steps):
            found = "nothing goes on"
        if found:
            way = [found]
            while (step := came[state]) is not None:
                state = step[0]
                way.append(step[1])
            return len(came), way[::-1]
        for name, new in steps:
            if new not in came:
                came[new] = (state, name)
                todo.append(new)
    return len(came), None


def test_no_interleaving_loses_or_doubles() -> None:
    states, way = explore(frozenset(GUARDS), faults=2)
    assert way is None
    assert states > 10_000


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_some_interleaving_does(guard: str) -> None:
    ways = (explore(frozenset(GUARDS) - {guard}, faults)[1] for faults in (1, 2))
    assert any(ways), f"the guard is not needed: {GUARDS[guard]}"
