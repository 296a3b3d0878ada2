"""What a relay does with a producer it gives up."""

from unittest.mock import create_autospec

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from kafka.producer.sender import Sender

from pipeline.workers import relay


def test_a_producer_that_cannot_be_closed_sends_nothing_more() -> None:
    producer = create_autospec(KafkaProducer, instance=True)
    producer._sender = create_autospec(Sender, instance=True)
    producer.close.side_effect = KafkaTimeoutError("records are left")
    relay._discard(producer)
    producer._sender.force_close.assert_called_once_with()
