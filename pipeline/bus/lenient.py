"""Records whose header names are not UTF-8, which Kafka's own clients read and kafka-python does not.

kafka-python raises in `poll`, again at every try, so that one such record would stop its partition for good.
The bytes that are no UTF-8 become question marks here, and all else in the record stays as it is.
"""

from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch


class LenientBatch(DefaultRecordBatch):  # type: ignore[misc]  # kafka-python has no types
    """A batch that mends the names of headers as it meets them."""

    def _read_msg(self, *args: Any, **kwargs: Any) -> Any:
        while True:
            try:
                return super()._read_msg(*args, **kwargs)
            except UnicodeDecodeError as error:
                # `_pos` is the record's beginning still. Checksums were compared before.
                begin = self._buffer.index(error.object, self._pos) + error.start
                end = begin + (error.end - error.start)
                self._buffer[begin:end] = b"?" * (end - begin)


def install() -> None:
    """Let every consumer of this process read so."""
    memory_records.DefaultRecordBatch = LenientBatch
