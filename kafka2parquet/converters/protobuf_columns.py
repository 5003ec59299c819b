"""Protobuf messages to columns, a whole batch at a time, where ptars reads them exactly as Protobuf does.

ptars decodes the wire format straight to Arrow. It differs from Protobuf's own decoders in these ways, which are dealt with:

- It has its own ideas of timestamps, wrappers and the like. It is shown copies of these messages under other names, which it
  takes for ordinary ones.
- Where a message has several cases of one oneof, or a map's key twice (no serializer does that, but concatenating messages
  gives such), it keeps all, where the last one counts. Such batches are refused here.
- It takes some damaged messages, such as those with field numbers that there are not; it has been seen to panic on others.
- It reads groups in groups in groups until its stack ends, and the process with it. No message of proto3 has groups, but any
  record may. Messages that are long enough for it are shown to Protobuf's own decoder first, which has a limit.
- It knows nothing of proto2's closed enums, required fields and defaults. Only messages of proto3 are given to it.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import ptars
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pb2, descriptor_pool

from kafka2parquet.arrays import null_mask
from kafka2parquet.converters.payload_decoder import PayloadsRefused, refusing_payloads
from kafka2parquet.converters.protobuf_values import FIRST_SECOND, LAST_SECOND, NANOSECONDS, logical_value
from kafka2parquet.schema.connect_schema import TIMESTAMP
from kafka2parquet.schema.protobuf_schema import Kind, ProtobufNode

#: Packages with messages that ptars treats specially, and the prefix that the copies get.
_SPECIAL_PACKAGES = ("google.protobuf", "google.type")
_COPY = "copy."
#: Each group takes at most 84 bytes of stack in ptars: three times that is left for each.
_STACK_BYTES_OF_GROUP = 256
_FEWEST_GROUPS, _MOST_GROUPS = 2048, 32_768
#: What glibc gives a thread where the process has no limit.
_UNLIMITED_STACK_BYTES = 1 << 21
#: Bits of a tag, whose first byte has them; bytes within values may look like one.
_WIRE_TYPE, _START_OF_GROUP = 7, 3


class ColumnDecoder:
    """Decodes all messages of one type."""

    def __init__(self, files: Sequence[Any], message_name: str, root: ProtobufNode, parse: Callable[[bytes], Any]) -> None:
        """Prepare decoding.

        Args:
            files: descriptors of all files, each after those that it imports.
            message_name: full name of the message.
            root: its plan, all of proto3.
            parse: Protobuf's own decoder, which raises PayloadsRefused for what isn't such a message.
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

    def decode(self, payloads: pa.Array) -> pa.Array:
        """An array of the values of these messages (binary or binary_view without nulls).

        Raises:
            PayloadsRefused: some message is malformed, or has to be looked at by itself. Which one isn't said.
        """
        with refusing_payloads():
            messages = payloads.cast(pa.binary())
            self._check_groups(messages)
            batch = self._handler.array_to_record_batch(messages)
            return _array(self._root, pa.StructArray.from_arrays(batch.columns, fields=list(batch.schema)))

    def _check_groups(self, messages: pa.BinaryArray) -> None:
        """Refuse messages in which more groups may be nested than the stack has room for.

        A group takes one byte, at least. So most messages are too short, and of the others most have too few bytes that may
        begin a group.
        """
        _, offsets, content = messages.buffers()
        bounds = np.frombuffer(offsets, np.int32)[messages.offset : messages.offset + len(messages) + 1]
        for row in np.flatnonzero(np.diff(bounds) > self._harmless_groups).tolist():
            message = np.frombuffer(content, np.uint8)[bounds[row] : bounds[row + 1]]
            if np.count_nonzero(message & _WIRE_TYPE == _START_OF_GROUP) > self._harmless_groups:
                self._parse(message.tobytes())


def _harmless_groups() -> int:
    """How many groups in each other the stack of a thread has room for."""
    if platform.libc_ver()[0] != "glibc":  # others give threads less than the limit of the process
        return _FEWEST_GROUPS
    import resource

    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    stack_bytes = threading.stack_size() or (_UNLIMITED_STACK_BYTES if limit == resource.RLIM_INFINITY else limit)
    return min(max(stack_bytes // _STACK_BYTES_OF_GROUP, _FEWEST_GROUPS), _MOST_GROUPS)


def _array(node: ProtobufNode, array: pa.Array) -> pa.Array:
    if node.kind is Kind.STRUCT:
        return _struct(node, array)
    if node.kind is Kind.LIST:
        items = _array(node.children[0], array.values)
        return pa.ListArray.from_arrays(array.offsets, items, type=node.schema.arrow_type)
    if node.kind is Kind.MAP:
        return _map(node, array)
    if node.kind is Kind.ENUM:
        return _enum(node, array)
    if node.kind is Kind.LOGICAL:
        return _logical(node, array)
    if node.kind is Kind.WRAPPER:
        return _array(node.children[0], pc.struct_field(array, "value"))
    if node.kind is Kind.UNSIGNED64:
        return array.view(pa.int64())
    return array.cast(node.schema.arrow_type)


def _struct(node: ProtobufNode, array: pa.StructArray) -> pa.StructArray:
    columns = [
        _union(child, array) if child.kind is Kind.UNION else _array(child, _field(array, child.name))
        for child in node.children
    ]
    return pa.StructArray.from_arrays(columns, fields=list(node.schema.arrow_type), mask=null_mask(array))


def _union(node: ProtobufNode, array: pa.StructArray) -> pa.StructArray:
    cases = [_field(array, case.name) for case in node.children]
    chosen = np.sum([case.is_valid().to_numpy(zero_copy_only=False) for case in cases], axis=0)
    if (chosen > 1).any():
        raise PayloadsRefused(f"several cases of the oneof {node.name}")
    columns = [_array(child, case) for child, case in zip(node.children, cases, strict=True)]
    return pa.StructArray.from_arrays(columns, fields=list(node.schema.arrow_type), mask=pa.array(chosen == 0))


def _map(node: ProtobufNode, array: pa.MapArray) -> pa.MapArray:
    lengths = np.diff(array.offsets.to_numpy())
    if (lengths > 1).any():
        rows = pa.array(np.repeat(np.arange(len(array)), lengths))
        if pa.table({"row": rows, "key": array.keys}).group_by(["row", "key"]).aggregate([]).num_rows < len(rows):
            raise PayloadsRefused("a key twice in a map")
    if array.items.null_count:
        raise PayloadsRefused("a map entry without a value")
    key, item = node.children
    return pa.MapArray.from_arrays(
        array.offsets, _array(key, array.keys), _array(item, array.items), type=node.schema.arrow_type
    )


def _enum(node: ProtobufNode, array: pa.Array) -> pa.Array:
    if node.schema.type == "int32":
        return array
    encoded = array.dictionary_encode()
    names = [node.enum_name(number) for number in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def _logical(node: ProtobufNode, array: pa.StructArray) -> pa.Array:
    if node.schema.name != TIMESTAMP:
        values = [None if fields is None else logical_value(node.schema, fields) for fields in array.to_pylist()]
        return pa.array(values, node.schema.arrow_type)
    seconds, nanos = _field(array, "seconds").to_numpy(), _field(array, "nanos").to_numpy()
    absent = array.is_null().to_numpy(zero_copy_only=False)
    fits = (seconds >= FIRST_SECOND) & (seconds <= LAST_SECOND) & (nanos >= 0) & (nanos < NANOSECONDS)
    if not (fits | absent).all():
        raise PayloadsRefused("a timestamp outside of Protobuf's range")
    with np.errstate(over="ignore"):  # where there is none
        milliseconds = seconds * 1000 + nanos // 1_000_000
    return pa.array(milliseconds, mask=absent).cast(node.schema.arrow_type)


def _field(array: pa.StructArray, name: str) -> pa.Array:
    return array.field(array.type.get_field_index(name))


def _new_name(name: str) -> str:
    return f"{_COPY}{name}" if name.startswith(tuple(f"{package}." for package in _SPECIAL_PACKAGES)) else name


def _renamed(file: Any) -> Any:
    """A copy of the file's descriptor without options and extensions, in which special messages have other names."""
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
