"""Messages to records and back: JSON values, CloudEvents 1.0 headers in Kafka's binary content mode.

Not here: Kafka itself. `OutRecord` is what a producer is given, `decode` what a consumer calls.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import chain

import msgspec
from msgspec import Struct

from schemas.messages import Message, Timestamp
from schemas.topics import Topic

SOURCE = "/racewire"
FRAMING = 1024  # bytes: what Kafka puts around a record, and two headers of a redrive
# Outside of these years nothing happened that travels here. A time that did would be the newest for good, and
# one at the edge of what Postgres keeps could not be read again.
YEARS = range(1900, 2101)
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
    Raises ContractError for a record that is larger than the topic takes: it could never be published.
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
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", SOURCE.encode()),
        ("ce_type", topic.event_type.encode()),
        ("ce_subject", event_id.encode() if key is None else key.decode(errors="replace").encode()),
        ("ce_time", _zulu(time)),
        ("ce_dataschema", topic.schema_file.encode()),
        ("ce_sequence", str(version).encode()),
        ("content-type", b"application/json"),
    )
    made = OutRecord(
        topic=topic.name,
        key=key,
        event_id=event_id,
        value=value,
        headers=headers,
    )
    if not fits(topic, made):
        raise ContractError(
            f"{topic.name}: an event of {len(value or b'')} bytes is larger than the topic takes"
        )
    return made


@lru_cache(64)  # the records of a batch are of one time
def _zulu(time: datetime) -> bytes:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()


def fits(topic: Topic, made: OutRecord) -> bool:
    """Whether the broker takes a record, uncompressed as our producers send it."""
    size = len(made.key or b"") + len(made.value or b"") + sum(map(len, chain.from_iterable(made.headers)))
    return size + FRAMING <= int(topic.config.get("max.message.bytes", 1_048_588))


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

    Raises ContractError when the record is of another event type, empty, not JSON, breaks the schema, or
    has a time outside of YEARS. A missing `ce_type` is forgiven: the topic says what it carries. NUL and lone
    surrogates, which JSON can say and no database keeps, become U+FFFD.
    """
    kind = header(headers, "ce_type")
    if kind is not None and kind != topic.event_type:
        raise ContractError(f"{topic.name}: event type {kind!r}, this reader knows {topic.event_type!r}")
    if value is None:
        raise ContractError(f"{topic.name}: a record without a value where {topic.type_name} is expected")
    try:
        message = _decoder(topic.message_type).decode(_mended(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractError(f"{topic.name}: not a valid {topic.type_name}: {error}") from error
    for name in _times(topic.message_type):
        if getattr(message, name).year not in YEARS:
            raise ContractError(f"{topic.name}: a time outside of all that is news - at `$.{name}`")
    return message


# An escape in JSON: a pair of surrogates, what is no text (the group), or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# Without one of these there is nothing to mend.
_BROKEN = re.compile(rb"\\u(?:0000|[dD])")


def _mended(value: bytes) -> bytes:
    """The JSON with U+FFFD for what is no text."""
    if not _BROKEN.search(value):
        return value
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], value)


@cache
def _decoder(kind: type[Message]) -> msgspec.json.Decoder[Message]:
    return msgspec.json.Decoder(kind)


@cache
def _times(kind: type[Message]) -> tuple[str, ...]:
    """The fields of a message that are times."""
    return tuple(f.name for f in msgspec.structs.fields(kind) if f.type == Timestamp)


def encode(message: Struct | Mapping[str, object]) -> bytes:
    """JSON in UTF-8, fields in the order of their definition."""
    return _encode(message)
