"""Every acknowledgement is looked at."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from pipeline.bus.publish import Place, PublishError, publish
from schemas.codec import OutRecord

RECORDS = [OutRecord(topic="t", key=b"k", event_id=f"e{n}", value=b"v", headers=()) for n in range(4)]


class FakeProducer:
    """Acknowledges all but the record at `fails`; `flush` says nothing of it, as the real one does."""

    def __init__(self, fails: int | None) -> None:
        self.fails, self.sent = fails, 0

    def send(self, topic: str, **_: Any) -> Any:
        number = self.sent
        self.sent += 1

        def get(timeout: float) -> Any:
            if number == self.fails:
                raise KafkaTimeoutError("too late")
            return SimpleNamespace(topic=topic, partition=0, offset=number)

        return SimpleNamespace(get=get)

    def flush(self, timeout: float) -> None:
        """Returns normally, whatever failed."""


def test_places_come_in_the_order_of_the_records() -> None:
    assert publish(FakeProducer(None), RECORDS) == [Place("t", 0, n) for n in range(4)]


def test_a_failed_record_is_named_although_flush_returned_normally() -> None:
    with pytest.raises(PublishError, match="event e2 was not acknowledged") as caught:
        publish(FakeProducer(2), RECORDS)
    assert caught.value.placed == [Place("t", 0, 0), Place("t", 0, 1)]
    assert isinstance(caught.value.__cause__, KafkaTimeoutError)


def test_nothing_to_publish_asks_nobody() -> None:
    assert publish(None, []) == []
