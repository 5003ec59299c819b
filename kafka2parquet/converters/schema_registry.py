"""Schemas of a registry, and values in Confluent's wire format: a zero byte, a schema's id (4 bytes, big-endian), a payload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.schema.refused import SchemaRefused

HEADER_BYTES = 5
#: Why values of no group are rejected; Confluent's own words.
UNKNOWN_MAGIC_BYTE = "Unknown magic byte!"

_VIEW = np.dtype([("length", "<i4"), ("prefix", "<u4"), ("buffer", "<i4"), ("offset", "<i4")])
#: Longest value that stands in its view.
_INLINE_BYTES = 12

_Bytes = npt.NDArray[np.uint8]
_Int64s = npt.NDArray[np.int64]


@attrs.frozen
class RegisteredSchema:
    """A schema of a registry.

    Attributes:
        id: of the schema, in all subjects.
        type: `AVRO`, `PROTOBUF` or `JSON`.
        text: the schema itself.
        references: the schemas that it refers to, by the names that it has for them.
        version: its version in the subject that was asked for; None where the subject doesn't have it.
    """

    id: int
    type: str
    text: str = attrs.field(repr=False)
    references: tuple[tuple[str, RegisteredSchema], ...] = ()
    version: int | None = None


class SchemaRegistry(Protocol):
    """Where schemas are looked up."""

    def schema(self, schema_id: int, subject: str) -> RegisteredSchema:
        """The schema with that id, with its version in the subject. May block; called again only after an error.

        Raises:
            SchemaNotFound: the registry answered that it has no such schema.
            SchemaRegistryUnavailableError: it doesn't answer as it should; ask again later.
            SchemaRegistryAuthenticationError: it refuses us.
        """


class SchemaNotFound(SchemaRefused):
    """The registry doesn't have a schema. It may have it later."""


def split(values: pa.Array) -> Iterator[tuple[int | None, _Int64s, pa.Array]]:
    """The values of each schema without what stands in front of them; nothing but short values is copied.

    Args:
        values: binary_view without nulls.

    Yields:
        The schema's id, the indices (rising) of its values, and their payloads as binary_view. Values without the magic byte,
        or too short to have an id, come last, as they are, and with None for the id.
    """
    views, buffers = _views(values)
    headed = views["length"] >= HEADER_BYTES
    raw = views.view(np.uint8).reshape(-1, _VIEW.itemsize)
    headed &= raw[:, 4] == 0
    fifth_bytes, payloads = _without_header(views, raw, headed, buffers)
    ids = raw[:, 5].astype(np.int64) << 24 | raw[:, 6].astype(np.int64) << 16 | raw[:, 7].astype(np.int64) << 8 | fifth_bytes
    ids[~headed] = -1
    if len(ids) and ids[0] >= 0 and (ids == ids[0]).all():
        yield int(ids[0]), np.arange(len(ids)), _array(payloads, buffers)
        return
    found = sorted(set(ids.tolist()))
    for schema_id in (*(number for number in found if number >= 0), *(number for number in found if number < 0)):
        rows = np.flatnonzero(ids == schema_id)
        if schema_id >= 0:
            yield schema_id, rows, _array(payloads[rows], buffers)
        else:
            yield None, rows, _array(views[rows], buffers)


def _views(values: pa.Array) -> tuple[npt.NDArray[np.void], list[pa.Buffer]]:
    if not values.type.equals(pa.binary_view()):
        values = values.cast(pa.binary_view())
    _, views, *buffers = values.buffers()
    if views is None:  # no values
        return np.zeros(0, _VIEW), []
    return np.frombuffer(views, _VIEW)[values.offset : values.offset + len(values)], buffers


def _array(views: npt.NDArray[np.void], buffers: list[pa.Buffer]) -> pa.Array:
    return pa.Array.from_buffers(pa.binary_view(), len(views), [None, pa.py_buffer(np.ascontiguousarray(views)), *buffers], 0)


def _without_header(
    views: npt.NDArray[np.void], raw: _Bytes, headed: npt.NDArray[np.bool_], buffers: list[pa.Buffer]
) -> tuple[_Bytes, npt.NDArray[np.void]]:
    """The fifth byte of each value, and the views of the payloads; of values without header they mean nothing."""
    lengths = views["length"]
    fifth_bytes = raw[:, 8].copy()
    payloads = views.copy()
    payloads["length"] -= HEADER_BYTES
    inline = lengths <= _INLINE_BYTES
    payloads_raw = payloads.view(np.uint8).reshape(-1, _VIEW.itemsize)
    payloads_raw[inline, 4:] = 0
    payloads_raw[inline, 4 : 4 + _INLINE_BYTES - HEADER_BYTES] = raw[inline, 4 + HEADER_BYTES :]
    for number, rows in _by_buffer(views, headed & ~inline):
        content = np.frombuffer(buffers[number], np.uint8)
        starts = views["offset"][rows].astype(np.int64)
        fifth_bytes[rows] = content[starts + HEADER_BYTES - 1]
        starts += HEADER_BYTES
        stays = lengths[rows] > _INLINE_BYTES + HEADER_BYTES
        staying = rows[stays]
        payloads["prefix"][staying] = np.ndarray(max(len(content) - 3, 0), "<u4", content, strides=(1,))[starts[stays]]
        payloads["offset"][staying] += HEADER_BYTES
        if not stays.all():
            moving = rows[~stays]
            places = np.arange(_INLINE_BYTES)
            inside = places < payloads["length"][moving][:, None]
            copied = content[np.where(inside, starts[~stays][:, None] + places, 0)]
            payloads_raw[moving, 4:] = np.where(inside, copied, 0)
    return fifth_bytes, payloads


def _by_buffer(views: npt.NDArray[np.void], chosen: npt.NDArray[np.bool_]) -> Iterator[tuple[int, _Int64s]]:
    """The chosen rows of each buffer."""
    rows = np.flatnonzero(chosen)
    numbers = views["buffer"][rows]
    if len(numbers) and (np.diff(numbers) < 0).any():
        order = np.argsort(numbers, kind="stable")
        rows, numbers = rows[order], numbers[order]
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    for part in np.split(rows, starts[1:]) if len(rows) else ():
        yield int(views["buffer"][part[0]]), part
