"""A consumer that finishes its joins, which kafka-python 3.0.12 may forget.

A join that is begun because partitions have become known ends that need by itself before it is done. Where
the poll that began it was too short to see its end, no later poll asks for it: the consumer then has no
heartbeat, no commits and, in time, no partitions, and says nothing.
"""

from typing import Any

from kafka import KafkaConsumer


class RejoiningConsumer(KafkaConsumer):  # type: ignore[misc]  # kafka-python has no types
    """Joins again where a join was left behind."""

    def poll(self, *args: Any, **kwargs: Any) -> Any:
        """As KafkaConsumer's."""
        polled = super().poll(*args, **kwargs)
        group = self._coordinator
        if group.rebalance_in_progress() and not group.need_rejoin():
            group.request_rejoin()
        return polled
