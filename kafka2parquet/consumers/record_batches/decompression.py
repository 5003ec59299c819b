"""The bodies of record batches, decompressed up to a limit.

A batch of a few kilobytes may hold gigabytes. Nothing that a batch says about its size is believed: sizes that are said only
refuse a batch early, and what comes out of a codec is counted while it comes.
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

#: Decompressed bytes of one batch, unless the settings say otherwise.
MOST_BATCH_BYTES = 256 << 20

_PIECE_BYTES = 1 << 20
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16

#: What the libraries of the codecs raise for bytes that they can't read.
_UNREADABLE = (
    *(zlib.error, gzip.BadGzipFile, EOFError),
    *(snappy.UncompressError, struct.error),
    RuntimeError,  # of lz4
    zstandard.ZstdError,
)
#: What some of these errors say where memory was short, in small letters.
_OUT_OF_MEMORY = ("allocation error", "allocation_failed", "insufficient memory", "not enough memory")


class CorruptDataError(ValueError):
    """Bytes that are not a record batch, or a record batch that is too large."""


class WrongChecksumError(CorruptDataError):
    """Nothing that the bytes say can be trusted."""

    def __init__(self) -> None:
        super().__init__("it fails its checksum")


@contextlib.contextmanager
def unreadable_is_corrupt() -> Iterator[None]:
    """Raise CorruptDataError where a codec says that it can't read the bytes.

    Any other error isn't about the bytes, and passes: a batch is fetched again and then left out only where it is damaged.

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
    """Decompresses the bodies of batches; keeps a zstd context for each thread: making one costs more than a batch."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor()

    def decompress(self, codec: int, body: memoryview, most_bytes: int = MOST_BATCH_BYTES) -> bytes | memoryview:
        """Return the records of a batch. A batch that isn't compressed may have any size: it was fetched as it is.

        Holds at most about twice `most_bytes`, whatever the body says.

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
        ) as reader:  # the Java client's frames don't have their size
            return _read_all(reader.read, most_bytes)


def _read_all(read: Callable[[int], bytes], most_bytes: int) -> bytes:
    """Return all that `read` gives, which gives less than it was asked for only at the end."""
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
    """Return one block of snappy; or a stream of blocks as Java's xerial library writes it, behind a header."""
    if not body.startswith(_XERIAL) or len(body) <= _XERIAL_HEADER_BYTES:
        return _unsnappy_block(body, 0, most_bytes)
    content, position = io.BytesIO(), _XERIAL_HEADER_BYTES
    while position < len(body):
        (size,) = struct.unpack_from(">i", body, position)
        position += 4
        if not 0 <= size <= len(body) - position:
            raise EOFError(f"a block of {size} bytes where {len(body) - position} are left")
        content.write(_unsnappy_block(body[position : position + size], content.tell(), most_bytes))
        position += size
    return content.getvalue()


def _unsnappy_block(block: bytes, before_bytes: int, most_bytes: int) -> bytes:
    size = shift = 0
    for byte in block[:5]:  # a block begins with the size of its content, as a varint
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
