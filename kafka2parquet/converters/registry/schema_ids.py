"""Finds the schema id of each value of a batch, in a header of its record or in front of the value.

The search follows Confluent's `DualSchemaIdDeserializer`, the default of its converters: first the header `__value_schema_id`
(`__key_schema_id` for keys), then the start of the value. Both hold either a zero byte and an id, or a byte of 1 and a GUID.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.registry.wire_format import HEADER_BYTES, rows_of_each, split, without_prefix
from kafka2parquet.records import ConsumedBatch, decode_headers
from kafka2parquet.util.arrays import chosen_views

SchemaId = int | uuid.UUID

_GUID_BYTES = 16

_Int64s = npt.NDArray[np.int64]


def identified(batch: ConsumedBatch, header_name: str) -> Iterator[tuple[SchemaId | None, _Int64s, pa.Array]]:
    """Group the values of a batch by their schemas.

    Args:
        batch: the batch.
        header_name: the name of the header that may have the id.

    Yields:
        The schema's id, the indices of its values in ascending order, and their payloads as binary_view. If a header has more
        than the id (the indexes of a Protobuf message), the rest is put in front of the payload. Values without an id come
        unchanged, with None for the id.
    """
    left = np.ones(len(batch), np.bool_)
    for section, rows in _with_header(batch, header_name):
        content = next((value for name, value in reversed(decode_headers(section)) if name == header_name), None)
        if content is None:  # the name occurs elsewhere, such as in another header's value
            continue
        left[rows] = False
        schema_id, rest = _parsed(content)
        values = chosen_views(batch.values, rows)
        yield schema_id, rows, _with_prefix(rest, values) if rest else values
    indices = np.flatnonzero(left)
    values = batch.values if len(indices) == len(batch) else chosen_views(batch.values, indices)
    for number, rows, payloads in split(values):
        if number is not None:
            yield number, indices[rows], payloads
        else:
            yield from _by_guid(payloads, indices[rows])


def _with_header(batch: ConsumedBatch, header_name: str) -> Iterator[tuple[bytes, _Int64s]]:
    """Yield each header section that contains the name, and the indices of its records."""
    if batch.headers.null_count == len(batch):
        return
    sections = batch.headers.cast(pa.large_binary())
    named = pc.fill_null(pc.match_substring(sections, header_name), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(named)
    if len(rows):
        encoded = sections.take(pa.array(rows)).dictionary_encode()
        codes = encoded.indices.to_numpy()
        for section, chosen in zip(encoded.dictionary.to_pylist(), rows_of_each(codes), strict=True):
            yield section, rows[chosen]


def _by_guid(values: pa.Array, indices: _Int64s) -> Iterator[tuple[SchemaId | None, _Int64s, pa.Array]]:
    """Group values by GUID; values without a GUID come last."""
    prefixes = pc.binary_slice(values.cast(pa.large_binary()), 0, 1 + _GUID_BYTES).dictionary_encode()
    others = [np.zeros(0, np.int64)]
    for prefix, rows in zip(prefixes.dictionary.to_pylist(), rows_of_each(prefixes.indices.to_numpy()), strict=True):
        schema_id, _ = _parsed(prefix)
        if schema_id is None:
            others.append(rows)
        else:
            yield schema_id, indices[rows], without_prefix(values, rows, len(prefix))
    left = np.sort(np.concatenate(others))
    if len(left):
        yield None, indices[left], chosen_views(values, left)


def _parsed(content: bytes) -> tuple[SchemaId | None, bytes]:
    """Split the content into the id at its start, or None, and the rest."""
    if content[:1] == b"\0" and len(content) >= HEADER_BYTES:
        return int.from_bytes(content[1:HEADER_BYTES], "big"), content[HEADER_BYTES:]
    if content[:1] == b"\1" and len(content) > _GUID_BYTES:
        return uuid.UUID(bytes=content[1 : 1 + _GUID_BYTES]), content[1 + _GUID_BYTES :]
    return None, b""


def _with_prefix(prefix: bytes, values: pa.Array) -> pa.Array:
    before, between = (pa.scalar(content, pa.large_binary()) for content in (prefix, b""))
    joined = pc.binary_join_element_wise(before, values.cast(pa.large_binary()), between)
    return joined.cast(pa.binary_view())
