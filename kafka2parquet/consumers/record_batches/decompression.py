"""Decompresses the bodies of record batches up to a limit.

A batch of a few kilobytes may decompress to gigabytes. Sizes that a batch declares are not trusted: they only serve to refuse a
batch early. The output of a codec is counted while it is produced.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterator

import lz4.frame
import snappy
import zstandard

from kafka2parquet.util.display import counted

#: Default limit for the decompressed bytes of one batch.
MOST_BATCH_BYTES = 256 << 20

_PIECE_BYTES = 1 << 20
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16

#: The exceptions that codec libraries raise for unreadable bytes.
_UNREADABLE = (
    *(zlib.error, gzip.BadGzipFile, EOFError),
    *(snappy.UncompressError, struct.error),
    RuntimeError,  # raised by lz4
    zstandard.ZstdError,
)
#: Lower-case texts in these exceptions which mean that memory ran out.
_OUT_OF_MEMORY = ("allocation error", "allocation_failed", "insufficient memory", "not enough memory")


class CorruptDataError(ValueError):
    """Bytes that are not a record batch, or a record batch that is too large."""


class WrongChecksumError(CorruptDataError):
    """The checksum is wrong, so the bytes can't be trusted, including the header's offsets."""

    def __init__(self) -> None:
        super().__init__("it fails its checksum")


@contextlib.contextmanager
def unreadable_is_corrupt() -> Iterator[None]:
    """Raise CorruptDataError if a codec reports unreadable bytes.

    Other errors pass unchanged. They are not about the bytes, and only a damaged batch may be fetched again and then skipped.

    Raises:
        CorruptDataError: the bytes don't decompress.
        MemoryError: there is not enough memory to decompress them.
    """
    try:
        yield
    except _UNREADABLE as error:
        if any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise MemoryError(str(error)) from error
        raise CorruptDataError(f"the body doesn't decompress: {str(error) or type(error).__name__}") from error


class Decompressor(threading.local):
    """Decompresses the bodies of batches. Keeps one zstd context per thread, because creating one costs more than a batch."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor()

    def decompress(self, codec: int, body: memoryview, most_bytes: int = MOST_BATCH_BYTES) -> bytes | memoryview:
        """Decompress the records of a batch. An uncompressed batch may have any size, because it is already in memory.

        Holds at most about twice `most_bytes`, whatever the body declares.

        Raises:
            CorruptDataError: unknown codec, the body doesn't decompress, or it decompresses to more than `most_bytes`.
            MemoryError: there is not enough memory.
        """
        with unreadable_is_corrupt():
            if codec == 0:
                return body
            if codec == 1:
                return _ungzip(body, most_bytes)
            if codec == 2:
                return _unsnappy(bytes(body), most_bytes)
            if codec == 3:
                return _unlz4(body, most_bytes)
            if codec == 4:
                return self._unzstd(body, most_bytes)
        raise CorruptDataError(f"unknown compression codec {codec}")

    def _unzstd(self, body: memoryview, most_bytes: int) -> bytes:
        size = zstandard.frame_content_size(body)
        if size > most_bytes:
            raise _too_large(most_bytes)
        if size > 0:
            return self._zstd.decompress(body, allow_extra_data=False)
        with self._zstd.stream_reader(
            body, read_across_frames=True
        ) as reader:  # a stream, because the Java client's frames don't declare their size
            return _read_all(reader.read, most_bytes)


def _read_all(read: Callable[[int], bytes], most_bytes: int) -> bytes:
    """Read to the end. `read` returns fewer bytes than requested only at the end."""
    first = read(_PIECE_BYTES)
    if len(first) < _PIECE_BYTES and len(first) <= most_bytes:
        return first
    content = io.BytesIO()
    piece = first
    while piece:
        if content.tell() + len(piece) > most_bytes:
            raise _too_large(most_bytes)
        content.write(piece)
        piece = read(_PIECE_BYTES)
    return content.getvalue()


def _ungzip(body: memoryview, most_bytes: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(body), mode="rb") as file:
        return _read_all(file.read, most_bytes)


def _unlz4(body: memoryview, most_bytes: int) -> bytes:
    if lz4.frame.get_frame_info(body)["content_size"] > most_bytes:
        raise _too_large(most_bytes)
    decompressor = lz4.frame.LZ4FrameDecompressor()
    given: memoryview | bytes = body

    def read(length: int) -> bytes:
        nonlocal given
        piece: bytes = b""
        if not decompressor.eof:
            piece = decompressor.decompress(given, max_length=length)
            given = b""
            if not decompressor.eof and decompressor.needs_input:
                raise EOFError("the frame ends too early")
        return piece

    return _read_all(read, most_bytes)


def _unsnappy(body: bytes, most_bytes: int) -> bytes:
    """Decompress a block of snappy, or a stream of blocks with the header of Java's xerial library."""
    if not body.startswith(_XERIAL) or len(body) <= _XERIAL_HEADER_BYTES:
        return _unsnappy_block(body, 0, most_bytes)
    content, position = io.BytesIO(), _XERIAL_HEADER_BYTES
    while position < len(body):
        (size,) = struct.unpack_from(">i", body, position)
        position += 4
        if not 0 <= size <= len(body) - position:
            raise EOFError(f"a block of {counted(size, 'byte')}, but only {len(body) - position} are left")
        content.write(_unsnappy_block(body[position : position + size], content.tell(), most_bytes))
        position += size
    return content.getvalue()


def _unsnappy_block(block: bytes, before_bytes: int, most_bytes: int) -> bytes:
    size = shift = 0
    for byte in block[:5]:  # a block begins with the decompressed size as a varint
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if before_bytes + size > most_bytes:
        raise _too_large(most_bytes)
    return bytes(snappy.decompress(block))


def _too_large(most_bytes: int) -> CorruptDataError:
    return CorruptDataError(
        f"it decompresses to more than {most_bytes} bytes. To read it, raise kafka2parquet.record.batch.max.bytes"
    )
