"""Waiting for Postgres, and what a thread may do meanwhile.

Where psycopg waits it takes a generator that says for what. That one is asked in between, so that work is
done piece by piece, by the same thread: with a second one the two would wait for each other's turn.
"""

import select
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Wait

R = TypeVar("R")
# A piece of work: whether it was done, and so whether there may be more.
Work = Callable[[], bool]
_WORK: ContextVar[Work | None] = ContextVar("_WORK", default=None)


@contextmanager
def meanwhile(work: Work) -> Iterator[None]:
    """Let this thread `work` wherever it would wait for the database, as long as that says there is more."""
    token = _WORK.set(work)
    try:
        yield
    finally:
        _WORK.reset(token)


class Session(psycopg.Connection[Any]):
    """A connection that lets its thread work while the server does."""

    def wait(self, gen: Generator[Any, Any, R], *args: Any, **given: Any) -> R:
        work = _WORK.get()
        return super().wait(_working(gen, self.pgconn.socket, work) if work else gen, *args, **given)


def _working(gen: Generator[Any, Any, R], socket: int, work: Work) -> Generator[Any, Any, R]:
    """What `gen` waits for, asked for once it has come or no work is left."""
    poll = select.poll()
    try:
        state = next(gen)
        while True:
            wanted = select.POLLIN * bool(state & Wait.R) | select.POLLOUT * bool(state & Wait.W)
            poll.register(socket, wanted)
            while not poll.poll(0) and work():
                pass
            state = gen.send((yield state))
    except StopIteration as end:
        found: R = end.value
        return found
