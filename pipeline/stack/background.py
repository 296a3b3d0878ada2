"""Work in threads that do not keep the process from ending: a stop must not wait for a slow download."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def background(work: Callable[[], T]) -> Future[T]:
    """Start the work in a daemon thread of its own. (An executor's are joined when the interpreter ends.)"""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
