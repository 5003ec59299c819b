"""Decodes whole batches of Protobuf messages into columns, with ptars, if ptars reads them exactly as Protobuf does.

ptars decodes the wire format directly to Arrow. It differs from Protobuf's own decoders in these ways. Each work-around can go
once ptars behaves like Protobuf's decoders:

- ptars converts timestamps, wrappers and similar messages in its own way. So it gets copies of these messages under other
  names, which it treats as ordinary messages.
- If a message has several cases of one oneof, or a map key twice, ptars keeps all of them, although only the last one counts.
  No serializer writes such messages, but concatenating messages does. They become suspects, which are decoded alone.
- ptars accepts some damaged messages, such as those with field numbers that don't exist, and panics on some others.
- ptars reads nested groups until the stack overflows, which kills the process. No message type of proto3 has groups, but any
  record may contain them. Messages that are long enough for it are first shown to Protobuf's own decoder, which has a limit.
- ptars doesn't know proto2's closed enums, required fields and defaults. So it only gets messages of proto3.
"""

from __future__ import annotations

import contextlib
import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import ptars
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pb2, descriptor_pool

from kafka2parquet.converters.decimals import decimals_of
from kafka2parquet.converters.map_entries import keys_again
from kafka2parquet.converters.payload_decoder import PayloadsRefused, Suspicions, refusing_payloads
from kafka2parquet.converters.protobuf.scan import MessageScan
from kafka2parquet.converters.protobuf.schema import Kind, ProtobufNode
from kafka2parquet.converters.protobuf.values import FIRST_SECOND, LAST_SECOND, NANOSECONDS
from kafka2parquet.schema.connect_schema import DATE, DECIMAL, TIME, TIMESTAMP, ConnectSchema
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS, null_mask, validity_bitmap

#: Packages with messages that ptars treats specially, and the prefix of the copies' names.
_SPECIAL_PACKAGES = ("google.protobuf", "google.type")
_COPY = "copy."
#: Stack that is reserved for each group: three times the 84 bytes that ptars takes at most.
_STACK_BYTES_OF_GROUP = 256
_FEWEST_GROUPS, _MOST_GROUPS = 2048, 32_768
#: The stack of a thread that glibc allocates if the process has no limit.
_UNLIMITED_STACK_BYTES = 1 << 21
#: Wire type bits in the first byte of a tag. Bytes within values may look like a tag.
_WIRE_TYPE, _START_OF_GROUP = 7, 3
#: Most scales besides the schema's whose decimals are converted as columns, scale by scale.
_MOST_SCALES = 16
_EPOCH_YEAR, _LAST_YEAR, _MONTHS = 1970, 9999, 12

_Bools = npt.NDArray[np.bool_]
_Int64s = npt.NDArray[np.int64]


class ColumnDecoder:
    """Decodes all messages of one type."""

    def __init__(self, files: Sequence[Any], message_name: str, root: ProtobufNode, parse: Callable[[bytes], Any]) -> None:
        """Prepare for decoding a message type, and for finding malformed messages.

        Args:
            files: the descriptors of all files, each after the files that it imports.
            message_name: the full name of the message.
            root: the plan of the message, which must be proto3 throughout.
            parse: Protobuf's own decoder, which raises PayloadsRefused for anything but such a message.
        """
        pool = descriptor_pool.DescriptorPool()
        for file in files:
            pool.AddSerializedFile(_renamed(file).SerializeToString())
        message = pool.FindMessageTypeByName(_new_name(message_name))
        config = ptars.PtarsConfig(list_value_nullable=True, map_value_nullable=True)
        self._handler = ptars.HandlerPool([message.file], config=config).get_for_message(message)
        self._root = root
        self._parse = parse
        self._harmless_groups = _harmless_groups()
        self.malformed = MessageScan(message).malformed

    def decode(self, payloads: pa.Array) -> pa.Array:
        """Decode messages (binary or binary_view without nulls) to an array of the plan's Arrow type.

        Raises:
            PayloadsRefused: at least one message is malformed, or has to be decoded alone.
        """
        with refusing_payloads():
            messages = payloads.cast(pa.binary())
            self._check_groups(messages)
            batch = self._handler.array_to_record_batch(messages)
            suspicions = Suspicions(np.zeros(len(messages), np.bool_))
            columns = pa.StructArray.from_arrays(batch.columns, fields=list(batch.schema))
            return suspicions.checked(_array(self._root, columns, suspicions))

    def _check_groups(self, messages: pa.BinaryArray) -> None:
        """Refuse messages that may have more nested groups than the stack has room for.

        A group takes at least one byte. So most messages are too short, and most of the others have too few bytes that could
        start a group.

        Raises:
            PayloadsRefused: Protobuf's own decoder refuses such a message, too.
        """
        suspects = np.zeros(len(messages), np.bool_)
        _, offsets, content = messages.buffers()
        bounds = np.frombuffer(offsets, np.int32)[messages.offset : messages.offset + len(messages) + 1]
        for row in np.flatnonzero(np.diff(bounds) > self._harmless_groups).tolist():
            message = np.frombuffer(content, np.uint8)[bounds[row] : bounds[row + 1]]
            if np.count_nonzero(message & _WIRE_TYPE == _START_OF_GROUP) > self._harmless_groups:
                try:
                    self._parse(message.tobytes())
                except PayloadsRefused:
                    suspects[row] = True
        if suspects.any():
            raise PayloadsRefused("messages that may have too many nested groups", suspects=suspects)


def _harmless_groups() -> int:
    """Return how many nested groups the stack of a thread has room for."""
    if platform.libc_ver()[0] != "glibc":  # other libraries give threads less than the limit of the process
        return _FEWEST_GROUPS
    import resource

    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    stack_bytes = threading.stack_size() or (_UNLIMITED_STACK_BYTES if limit == resource.RLIM_INFINITY else limit)
    return min(max(stack_bytes // _STACK_BYTES_OF_GROUP, _FEWEST_GROUPS), _MOST_GROUPS)


def _array(node: ProtobufNode, array: pa.Array, suspicions: Suspicions) -> pa.Array:
    """Convert an array from ptars to the node's type.

    Args:
        node: the plan of the values.
        array: from ptars.
        suspicions: collects the values that have to be decoded alone, by `values.py`. In the returned array they may be
            anything.
    """
    if node.kind is Kind.STRUCT:
        return _struct(node, array, suspicions)
    if node.kind is Kind.LIST:
        items = _array(node.children[0], array.values, suspicions.of_items(array.offsets.to_numpy()))
        return pa.ListArray.from_arrays(array.offsets, items, type=node.schema.arrow_type)
    if node.kind is Kind.MAP:
        return _map(node, array, suspicions)
    if node.kind is Kind.ENUM:
        return _enum(node, array)
    if node.kind is Kind.LOGICAL:
        return _logical(node, array, suspicions)
    if node.kind is Kind.WRAPPER:
        return _array(node.children[0], pc.struct_field(array, "value"), suspicions)
    if node.kind is Kind.UNSIGNED64:
        return array.view(pa.int64())
    type_ = node.schema.arrow_type
    return suspicions.integers(array, type_) if pa.types.is_integer(type_) else array.cast(type_)


def _struct(node: ProtobufNode, array: pa.StructArray, suspicions: Suspicions) -> pa.StructArray:
    columns = [
        _union(child, array, suspicions) if child.kind is Kind.UNION else _array(child, _field(array, child.name), suspicions)
        for child in node.children
    ]
    return pa.StructArray.from_arrays(columns, fields=list(node.schema.arrow_type), mask=null_mask(array))


def _union(node: ProtobufNode, array: pa.StructArray, suspicions: Suspicions) -> pa.StructArray:
    cases = [_field(array, case.name) for case in node.children]
    chosen = np.sum([case.is_valid().to_numpy(zero_copy_only=False) for case in cases], axis=0)
    suspicions.add(chosen > 1)
    columns = [_array(child, case, suspicions) for child, case in zip(node.children, cases, strict=True)]
    return pa.StructArray.from_arrays(columns, fields=list(node.schema.arrow_type), mask=pa.array(chosen == 0))


def _map(node: ProtobufNode, array: pa.MapArray, suspicions: Suspicions) -> pa.MapArray:
    of_entries = suspicions.of_items(array.offsets.to_numpy())
    of_entries.add(keys_again(array))
    of_entries.add(array.items.is_null().to_numpy(zero_copy_only=False))
    key, item = node.children
    keys, items = _array(key, array.keys, of_entries), _array(item, array.items, of_entries)
    return pa.MapArray.from_arrays(array.offsets, keys, items, type=node.schema.arrow_type)


def _enum(node: ProtobufNode, array: pa.Array) -> pa.Array:
    if node.schema.type == "int32":
        return array
    encoded = array.dictionary_encode()
    names = [node.enum_name(number) for number in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def _logical(node: ProtobufNode, array: pa.StructArray, suspicions: Suspicions) -> pa.Array:
    """Convert messages with a logical type to days, milliseconds or decimals."""
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    if node.schema.name == DECIMAL:
        column, fits = _decimals(node.schema, array, valid)
    else:
        numbers, fits = _TIMES[node.schema.name]({field.name: _field(array, field.name).to_numpy() for field in array.type})
        type_ = node.schema.arrow_type
        column = pa.array(numbers.astype(f"i{type_.bit_width // 8}")).view(type_)
    suspicions.add(~fits, valid)
    return pa.Array.from_buffers(column.type, len(column), [validity_bitmap(valid), *column.buffers()[1:]])


def _days(fields: Mapping[str, _Int64s]) -> tuple[_Int64s, _Bools]:
    """Return the days since 1970, and which messages are valid dates."""
    years, months, days = (fields[name].astype(np.int64) for name in ("year", "month", "day"))
    fits = (years >= 1) & (years <= _LAST_YEAR) & (months >= 1) & (months <= _MONTHS)
    begins = np.where(fits, (years - _EPOCH_YEAR) * _MONTHS + months - 1, 0)
    firsts, nexts = (begin.astype("M8[M]").astype("M8[D]").astype(np.int64) for begin in (begins, begins + 1))
    return firsts + days - 1, fits & (days >= 1) & (days <= nexts - firsts)


def _times(fields: Mapping[str, _Int64s]) -> tuple[_Int64s, _Bools]:
    """Return the milliseconds since midnight, and which messages are valid times of day."""
    hours, minutes, seconds, nanos = (fields[name].astype(np.int64) for name in ("hours", "minutes", "seconds", "nanos"))
    fits = np.ones(len(hours), np.bool_)
    for numbers, limit in ((hours, 24), (minutes, 60), (seconds, 60), (nanos, NANOSECONDS)):
        fits &= (numbers >= 0) & (numbers < limit)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos // 1_000_000, fits


def _timestamps(fields: Mapping[str, _Int64s]) -> tuple[_Int64s, _Bools]:
    """Return the milliseconds since 1970, and which messages are in Protobuf's range."""
    seconds, nanos = fields["seconds"], fields["nanos"]
    fits = (seconds >= FIRST_SECOND) & (seconds <= LAST_SECOND) & (nanos >= 0) & (nanos < NANOSECONDS)
    return np.where(fits, seconds, 0) * 1000 + nanos // 1_000_000, fits


_TIMES: Mapping[str | None, Callable[[Mapping[str, _Int64s]], tuple[_Int64s, _Bools]]] = {
    DATE: _days,
    TIME: _times,
    TIMESTAMP: _timestamps,
}


def _decimals(schema: ConnectSchema, array: pa.StructArray, valid: _Bools) -> tuple[pa.Array, _Bools]:
    """Return the decimals, and which of them fit both the precision in their message and the type of the column."""
    content, precisions = _field(array, "value"), _field(array, "precision").to_numpy().astype(np.int64)
    column, fits = decimals_of(content, schema, valid, precisions)
    scales = _field(array, "scale").to_numpy()
    fits &= scales == schema.scale
    others = np.unique(scales[valid & (scales != schema.scale)]).tolist() if pa.types.is_decimal(column.type) else []
    for scale in others if len(others) <= _MOST_SCALES else []:
        chosen = valid & (scales == scale)
        rows = pa.array(np.flatnonzero(chosen))
        with contextlib.suppress(ValueError, *ARROW_DATA_ERRORS):  # digits would be lost, or the scale is out of range
            as_sent = attrs.evolve(schema, parameters={"scale": str(scale)})
            part, part_fits = decimals_of(content.take(rows), as_sent, None, precisions[chosen])
            column = pc.replace_with_mask(column, pa.array(chosen), part.cast(column.type))
            fits[chosen] = part_fits
    return column, fits


def _field(array: pa.StructArray, name: str) -> pa.Array:
    return array.field(array.type.get_field_index(name))


def _new_name(name: str) -> str:
    return f"{_COPY}{name}" if name.startswith(tuple(f"{package}." for package in _SPECIAL_PACKAGES)) else name


def _renamed(file: Any) -> Any:
    """Copy the file's descriptor without options and extensions, and rename special messages."""
    copy = descriptor_pb2.FileDescriptorProto()
    copy.CopyFrom(file)
    copy.ClearField("options")
    copy.ClearField("extension")
    copy.ClearField("service")
    if copy.package in _SPECIAL_PACKAGES:
        copy.package = f"{_COPY}{copy.package}"
    for message in copy.message_type:
        _rename_in(message)
    return copy


def _rename_in(message: Any) -> None:
    message.ClearField("extension")
    for field in message.field:
        if field.type_name:
            field.type_name = f".{_new_name(field.type_name.removeprefix('.'))}"
    for nested in message.nested_type:
        _rename_in(nested)
