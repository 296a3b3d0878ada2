"""The body of an answer: read and unpacked within a bound, whatever was packed into it."""

import sys
import zlib
from collections.abc import AsyncIterable
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class BodyError(Exception):
    """A body that cannot be had: a code, and words for an operator."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


async def read(stream: AsyncIterable[bytes], encoding: str, limit: int) -> bytes:
    """Read and unpack a body of at most `limit` bytes. Raises `BodyError` where it is longer or broken."""
    body, packed = bytearray(), 0
    unpack = _unpacker(encoding.strip().lower())
    async for chunk in stream:
        packed += len(chunk)
        try:
            body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
        except (zlib.error, zstd.ZstdError, brotli.error, EOFError) as error:
            raise BodyError("broken-answer", f"the body is no {encoding}: {error}") from error
        if len(body) > limit:
            raise BodyError("too-large", f"the document is larger than {limit} bytes")
    if unpack and not unpack.eof and packed:
        raise BodyError("broken-answer", f"the {encoding} body breaks off after {len(body)} bytes")
    return bytes(body)


class _Unpacker(Protocol):
    """What zlib and zstd have in common: at most so many bytes of a piece, and whether that was the end."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Brotli:
    """brotli with the interface of the others."""

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._inner.is_finished())

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return bytes(self._inner.process(data, output_buffer_limit=max_length))


def _unpacker(encoding: str) -> _Unpacker | None:
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with gzip's header
    if encoding == "br":
        return _Brotli()
    if encoding == "zstd":
        # The window that RFC 9659 grants: more is memory that a hostile server would choose.
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23})
    raise BodyError("broken-answer", f"the body is packed as {encoding!r}, which was not asked for")
