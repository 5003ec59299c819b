"""Converts Protobuf messages in Confluent's wire format."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.converters.payload_decoder import PayloadDecoder, PayloadsRefused, refusing_payloads
from kafka2parquet.converters.protobuf.mapping import ProtobufMapping
from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaRegistry
from kafka2parquet.converters.registry.converter import RegisteredConverter, SubjectNames
from kafka2parquet.converters.registry.wire_format import begins_with, without_prefix
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.refused import Refused, SchemaRefused, refusing_schemas
from kafka2parquet.util.arguments import checked

if TYPE_CHECKING:
    from kafka2parquet.converters.protobuf.files import ProtobufFile

_MAX_INDEXES = 64
_MALFORMED = Refused("the indexes of the message are malformed")
#: Most message types of a schema that a batch is searched for as a whole; the payloads of further types are read one by one.
_MANY_MESSAGES = 32

_Int64s = npt.NDArray[np.int64]


@checked
class ProtobufConverter(RegisteredConverter):
    """Converts Protobuf messages that follow the id of their schema and the indexes of their message type in it.

    The columns are the same as those of Confluent's ProtobufConverter and its S3 sink: fields by name; a oneof is a struct
    with one field for each case; enums are text; `uint32` is int64; `uint64` keeps its bits, so that numbers from 2**63 on are
    negative; `google.protobuf.Timestamp` is a timestamp in milliseconds. A scalar that isn't declared `optional` is never null.
    Needs `pip install kafka2parquet[protobuf]`.

    A value is rejected if it is not a message of its type, or if its schema has recursive messages or messages without fields,
    because Parquet has no types for these.
    """

    schema_type = "PROTOBUF"
    refusal = "Failed to deserialize data for topic {topic} to Protobuf: "

    def __init__(
        self,
        registry: SchemaRegistry,
        *,
        is_key: bool = False,
        mapping: ProtobufMapping | None = None,
        subject_names: SubjectNames = "topic",
    ) -> None:
        """Make a converter.

        Args:
            registry: looks up schemas.
            is_key: whether the converter converts keys.
            mapping: how messages become columns; by default as in Confluent's converter.
            subject_names: the subject that gives schemas their versions: `topic` means `<topic>-value` or `<topic>-key`,
                `record` the full name of the schema's first message, and `topic_record`
                `<topic>-<full name of the schema's first message>`.

        Raises:
            ConfigurationError: the libraries for Protobuf aren't installed.
        """
        super().__init__(registry, is_key=is_key, subject_names=subject_names)
        try:
            from kafka2parquet.converters.protobuf import files  # noqa: F401
        except ImportError as error:
            raise ConfigurationError(f"Protobuf needs 'pip install kafka2parquet[protobuf]': {error}.") from error
        self._mapping = mapping if mapping is not None else ProtobufMapping()

    @property
    def fingerprint(self) -> str:
        """Identifies the settings."""
        return f"protobuf:{self._mapping}"

    def record_name(self, schema: RegisteredSchema) -> str | None:
        """Return the full name of the schema's first message; None if the schema has no message."""
        from kafka2parquet.converters.protobuf.files import compile_file

        messages = list(compile_file(schema).descriptor.message_types_by_name.values())
        return str(messages[0].full_name) if messages else None

    def prepare(self, schema: RegisteredSchema) -> _Prepared:
        """Compile the schema."""
        from kafka2parquet.converters.protobuf.files import compile_file

        return _Prepared(compile_file(schema), self._mapping, schema.version)

    def decoders(self, prepared: Any, payloads: pa.Array) -> Iterator[tuple[_Int64s, pa.Array, PayloadDecoder | Refused]]:
        """Assign payloads to the decoders of their message types, by the indexes in front of the messages."""
        for prefix, indexes, rows in _by_indexes(payloads):
            decoder = prepared.decoder(indexes) if indexes is not None else _MALFORMED
            if isinstance(decoder, Refused):
                yield rows, payloads.slice(0, 0), decoder
            else:
                yield rows, without_prefix(payloads, rows, len(prefix)), decoder


@attrs.define(eq=False)
class _Prepared:
    """A compiled schema, and the decoders of the message types that were seen."""

    _file: ProtobufFile
    _mapping: ProtobufMapping
    _version: int | None
    _decoders: dict[tuple[int, ...], PayloadDecoder | Refused] = attrs.Factory(dict)

    def decoder(self, indexes: tuple[int, ...]) -> PayloadDecoder | Refused:
        if indexes not in self._decoders:
            try:
                descriptor = self._file.message(indexes)
            except SchemaRefused as error:
                return Refused(str(error))  # not kept, because records may name any number of missing messages
            try:
                with refusing_schemas():
                    self._decoders[indexes] = self._make(descriptor)
            except SchemaRefused as error:
                self._decoders[indexes] = Refused(str(error))
        return self._decoders[indexes]

    def _make(self, descriptor: Any) -> PayloadDecoder:
        from google.protobuf import message_factory
        from google.protobuf.message import DecodeError

        from kafka2parquet.converters.protobuf.columns import ColumnDecoder
        from kafka2parquet.converters.protobuf.schema import plan_message
        from kafka2parquet.converters.protobuf.values import message_value

        root = plan_message(descriptor, self._mapping, self._version)
        message_class = message_factory.GetMessageClass(descriptor)

        def parse(payload: bytes) -> Any:
            try:
                return message_class.FromString(payload)
            except (DecodeError, RecursionError) as error:
                raise PayloadsRefused(str(error)) from None

        columns = None
        if root.proto3:
            with contextlib.suppress(PayloadsRefused), refusing_payloads():  # ptars may refuse a schema that protoc accepts
                columns = ColumnDecoder(self._file.files, descriptor.full_name, root, parse)

        def decode_one(payload: bytes) -> Any:
            message = parse(payload)
            try:
                if not message.IsInitialized():
                    raise PayloadsRefused(f"required fields are missing: {', '.join(message.FindInitializationErrors())}")
                return message_value(root, message)
            except ValueError as error:
                raise PayloadsRefused(str(error)) from None

        if columns is None:
            return PayloadDecoder(root.schema, decode_one)
        return PayloadDecoder(root.schema, decode_one, columns.decode, columns.malformed)


def _by_indexes(payloads: pa.Array) -> Iterator[tuple[bytes, tuple[int, ...] | None, _Int64s]]:
    """Group payloads by the indexes in front of their messages.

    Yields:
        The encoded indexes, the indexes, or None if they are malformed, and the rows of their payloads.
    """
    left = np.ones(len(payloads), np.bool_)
    malformed: list[int] = []
    for _ in range(_MANY_MESSAGES):
        if not left.any():
            break
        first = int(np.argmax(left))
        found = _message_indexes(payloads[first].as_py())
        if found is None:
            malformed.append(first)
            left[first] = False
            continue
        chosen = begins_with(payloads, found[0]) & left
        left &= ~chosen
        yield *found, np.flatnonzero(chosen)
    others: dict[tuple[bytes, tuple[int, ...]], list[int]] = {}
    for row in np.flatnonzero(left).tolist():
        found = _message_indexes(payloads[row].as_py())
        (malformed if found is None else others.setdefault(found, [])).append(row)
    for (prefix, indexes), rows in others.items():
        yield prefix, indexes, np.array(rows)
    if malformed:
        yield b"", None, np.array(malformed)


def _message_indexes(payload: bytes) -> tuple[bytes, tuple[int, ...]] | None:
    """Read the indexes in front of a message: their count and then the indexes, all as zigzag varints.

    Returns:
        The encoded indexes, and the indexes; None if they are malformed.
    """
    position = 0

    def varint() -> int:
        nonlocal position
        number = shift = 0
        while True:
            if position >= len(payload) or shift > 28:
                raise ValueError
            byte = payload[position]
            position += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7

    try:
        count = varint()
        if not 0 <= count <= _MAX_INDEXES:
            return None
        indexes = tuple(varint() for _ in range(count)) or (0,)
    except ValueError:
        return None
    return payload[:position], indexes
