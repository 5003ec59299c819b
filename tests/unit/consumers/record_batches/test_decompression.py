"""Bodies of record batches: all codecs, what is corrupt, and how much memory a body may take."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable

import lz4.frame
import pytest
import snappy
import zstandard
from kafka.codec import gzip_encode, snappy_encode

from kafka2parquet.consumers.record_batches import decompression
from kafka2parquet.consumers.record_batches.decompression import CorruptDataError, Decompressor

CODECS = {1: gzip_encode, 2: snappy_encode, 3: lz4.frame.compress, 4: zstandard.ZstdCompressor().compress}


def _zstd_of_unknown_size(content: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return compressor.compress(content) + compressor.flush()


def _lz4_of_unknown_size(content: bytes) -> bytes:
    return bytes(lz4.frame.compress(content, store_size=False))


#: Whatever producers write: with the size of the content, and without.
WRITERS = [
    pytest.param(1, gzip_encode, id="gzip"),
    pytest.param(1, lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:]), id="gzip of two members"),
    pytest.param(2, snappy_encode, id="snappy, xerial"),
    pytest.param(2, snappy.compress, id="snappy, one block"),
    pytest.param(3, lz4.frame.compress, id="lz4"),
    pytest.param(3, _lz4_of_unknown_size, id="lz4 of unknown size"),
    pytest.param(4, zstandard.compress, id="zstd"),
    pytest.param(4, _zstd_of_unknown_size, id="zstd of unknown size"),
]
MIB = 1 << 20


@pytest.mark.parametrize(("codec", "write"), WRITERS)
@pytest.mark.parametrize("size", [1, 1000, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_what_was_compressed_comes_back(codec: int, write: Callable[[bytes], bytes], size: int) -> None:
    """Each codec restores the body, even a body of exactly the largest allowed size."""
    content = (b"0123456789" * (size // 10 + 1))[:size]

    assert content == Decompressor().decompress(codec, memoryview(write(content)), size)


@pytest.mark.parametrize(("codec", "write"), WRITERS)
@pytest.mark.parametrize("size", [1000, MIB, MIB + 1, 3 * MIB])
def test_one_byte_too_many_is_refused(codec: int, write: Callable[[bytes], bytes], size: int) -> None:
    """A body that is one byte too large is refused, and the error names the setting."""
    with pytest.raises(CorruptDataError, match=rf"more than {size - 1} bytes.*kafka2parquet\.record\.batch\.max\.bytes"):
        Decompressor().decompress(codec, memoryview(write(b"0" * size)), size - 1)


def test_a_body_that_is_not_compressed_has_no_limit() -> None:
    """An uncompressed body may have any size."""
    assert b"0" * 100 == Decompressor().decompress(0, memoryview(b"0" * 100), 10)


@pytest.mark.parametrize(
    ("codec", "body"),
    [
        pytest.param(4, bytes.fromhex("28b52ffde0") + struct.pack("<Q", 1 << 62) + b"\x01\0\0", id="zstd"),
        pytest.param(2, b"\xff\xff\xff\xff\x0f\0", id="snappy"),
    ],
)
def test_a_size_that_cannot_be_is_refused(codec: int, body: bytes) -> None:
    """An impossible size is corrupt data, not a lack of memory, and nothing is allocated for it."""
    with pytest.raises(CorruptDataError, match="more than"):
        Decompressor().decompress(codec, memoryview(body))


def test_snappy_of_many_empty_blocks_takes_no_longer_than_its_bytes() -> None:
    """Each snappy block is read once, without copying the rest of the body."""
    body = io.BytesIO()
    body.write(b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1))
    for _ in range(100_000):
        body.write(struct.pack(">i", 1) + b"\0")

    assert b"" == Decompressor().decompress(2, memoryview(body.getvalue()))


@pytest.mark.parametrize("size", [-1, 1000, 0x7FFFFFFF])
def test_a_block_of_snappy_that_ends_behind_the_body_is_corrupt(size: int) -> None:
    """A snappy block that extends beyond the body or has a negative size is corrupt."""
    body = b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, size) + snappy.compress(b"content")
    with pytest.raises(CorruptDataError, match="doesn't decompress"):
        Decompressor().decompress(2, memoryview(body))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "damage",
    [lambda body: body[: len(body) // 2], lambda body: b"garbage" * 9, lambda body: body[:4] + b"garbage" + body[11:]],
)
def test_a_body_that_the_codec_refuses_is_corrupt(codec: int, damage: Callable[[bytes], bytes]) -> None:
    """A body that the codec's library refuses is corrupt, whatever exception it raises."""
    body = CODECS[codec](bytes(range(256)) * 40)

    with pytest.raises(CorruptDataError, match=r"the body doesn't decompress: .+"):
        Decompressor().decompress(codec, memoryview(damage(body)))


_FUNCTIONS = {1: "_ungzip", 2: "_unsnappy", 3: "_unlz4", 4: "Decompressor._unzstd"}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("error", [MemoryError("no memory"), OSError("no such device"), AttributeError("a bug")])
def test_an_error_that_is_not_about_the_bytes_passes(codec: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other errors are not reported as corrupt data, which would skip healthy records."""

    def fails(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(f"{decompression.__name__}.{_FUNCTIONS[codec]}", fails)
    with pytest.raises(type(error), match=str(error)):
        Decompressor().decompress(codec, memoryview(CODECS[codec](b"healthy")))


@pytest.mark.parametrize(
    ("codec", "error"),
    [
        (3, RuntimeError("LZ4F_decompress failed with code: ERROR_allocation_failed")),
        (4, zstandard.ZstdError("zstd decompress error: Allocation error : not enough memory")),
    ],
)
def test_a_codec_without_memory_is_a_memory_error(codec: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that runs out of memory raises MemoryError, even if its library only says so in the message."""

    def fails(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(f"{decompression.__name__}.{_FUNCTIONS[codec]}", fails)
    with pytest.raises(MemoryError, match=str(error)):
        Decompressor().decompress(codec, memoryview(CODECS[codec](b"healthy")))
