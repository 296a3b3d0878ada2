"""Messages to records and back: JSON values, CloudEvents 1.0 headers in Kafka's binary content mode.

Not here: Kafka itself. `OutRecord` is what a producer is given, `decode` what a consumer calls.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec
from msgspec import Struct

from schemas.messages import Message
from schemas.topics import Topic

SOURCE = "/racewire"
_encode = msgspec.json.Encoder().encode


class ContractError(ValueError):
    """A record does not keep its topic's contract; the message names the topic and the place."""


class OutRecord(Struct, frozen=True, kw_only=True):
    """A record ready to be produced. `event_id` is `ce_id`, kept apart because the outbox looks it up."""

    topic: str
    key: bytes | None
    event_id: str
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def record(
    topic: Topic, message: Message, *, time: datetime, version: int = 0, event_id: str | None = None
) -> OutRecord:
    """The record of `message` on `topic`: its key field, its JSON, its CloudEvents headers.

    `version` is the aggregate's and travels as the `sequence` extension. `event_id` must be the same
    whenever the same fact is published again; by default it is key, version and a hash of the content.
    """
    key: str | bytes | None = getattr(message, topic.key)
    raw = key.encode() if isinstance(key, str) else key
    value = _encode(message)
    if event_id is None:
        event_id = f"{key!s}:{version}:{blake2b(value, digest_size=6).hexdigest()}"
    return _out(topic, raw, value, time, version, event_id)


def tombstone(topic: Topic, key: str, *, time: datetime, version: int) -> OutRecord:
    """The record without a value that makes a compacted topic forget `key`; `version` is the key's last."""
    return _out(topic, key.encode(), None, time, version, f"{key}:{version}:gone")


def _out(
    topic: Topic, key: bytes | None, value: bytes | None, time: datetime, version: int, event_id: str
) -> OutRecord:
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": topic.event_type,
        "subject": event_id if key is None else key.decode(errors="replace"),
        "time": time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "dataschema": topic.schema_file,
        "sequence": str(version),
    }
    headers = tuple((f"ce_{name}", text.encode()) for name, text in attributes.items())
    return OutRecord(
        topic=topic.name,
        key=key,
        event_id=event_id,
        value=value,
        headers=(*headers, ("content-type", b"application/json")),
    )


def header(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    """The last value of a header as text, or None where it is missing or not UTF-8."""
    found = None
    for key, value in headers:
        if key == name and value is not None:
            try:
                found = value.decode()
            except UnicodeDecodeError:
                found = None
    return found


def decode(topic: Topic, headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> Message:
    """The message in a record of `topic`.

    Raises ContractError when the record is of another event type, empty, not JSON, or breaks the schema.
    A missing `ce_type` is forgiven: the topic says what it carries.
    """
    kind = header(headers, "ce_type")
    if kind is not None and kind != topic.event_type:
        raise ContractError(f"{topic.name}: event type {kind!r}, this reader knows {topic.event_type!r}")
    if value is None:
        raise ContractError(f"{topic.name}: a record without a value where {topic.type_name} is expected")
    try:
        return _decoder(topic).decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractError(f"{topic.name}: not a valid {topic.type_name}: {error}") from error


_decoders: dict[type[Message], msgspec.json.Decoder[Message]] = {}


def _decoder(topic: Topic) -> msgspec.json.Decoder[Message]:
    found = _decoders.get(topic.message_type)
    if found is None:
        found = _decoders[topic.message_type] = msgspec.json.Decoder(topic.message_type)
    return found


def encode(message: Struct | Mapping[str, object]) -> bytes:
    """JSON in UTF-8, fields in the order of their definition."""
    return _encode(message)
