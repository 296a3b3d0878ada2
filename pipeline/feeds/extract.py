"""The main text of an HTML page, taken by resiliparse in a child process that may take no more than its due.

Tree builders meet pages on which they take minutes or gigabytes (nested or misnested tags, attributes by the
ten thousand), and no cheap look at the markup tells all of them. So the child is bounded by the system, and
replaced when it has died of a page. Run as a module, this is the child.
"""

import resource
import struct
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import IO, Self, cast

# Ordinary pages take 3 ms and 50 MB, the longest of 130 real ones 60 ms.
_SECONDS = 2
_MEMORY = 1 << 30
_LENGTH = struct.Struct("!I")


class Extractor:
    """Use as a context manager; the child starts with the first page."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._end()

    def main_text(self, page: str) -> str | None:
        """The page's main text as it comes, empty where it has none; None where the child died of it."""
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        try:
            _write(cast("IO[bytes]", self._child.stdin), page.encode("utf-8", "replace"))
            answer = _read(cast("IO[bytes]", self._child.stdout))
        except BrokenPipeError:
            answer = None
        if answer is None:
            self._end()
            return None
        return answer.decode()

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _write(stream: IO[bytes], message: bytes) -> None:
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes | None:
    """The next message, or None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None


def _serve() -> None:
    from resiliparse.extract.html2text import extract_plain_text  # the parent does without it

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # not every system bounds it
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    while (page := _read(sys.stdin.buffer)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + 1 + _SECONDS
        # The soft limit kills by a signal, and may be raised again for the next page.
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        try:
            text = extract_plain_text(
                page.decode(),
                main_content=True,
                preserve_formatting=True,
                list_bullets=False,
                alt_texts=False,
                comments=False,
                post_meta=False,
            )
        except Exception:  # what it raises is undocumented: to the parent all of it is a page it died of
            return
        _write(sys.stdout.buffer, text.encode("utf-8", "replace"))


if __name__ == "__main__":
    _serve()
