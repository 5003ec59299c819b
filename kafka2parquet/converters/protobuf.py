"""ProtobufConverter: Protobuf messages in Confluent's wire format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.converters.payload_decoder import PayloadDecoder, PayloadsRefused
from kafka2parquet.converters.registered import RegisteredConverter, SubjectNames
from kafka2parquet.converters.schema_registry import RegisteredSchema, SchemaRegistry
from kafka2parquet.converters.wire_format import begins_with, without_prefix
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.protobuf_mapping import ProtobufMapping
from kafka2parquet.schema.refused import SchemaRefused, refusing_schemas

if TYPE_CHECKING:
    from kafka2parquet.converters.protobuf_files import ProtobufFile

_MAX_INDEXES = 64

_Int64s = npt.NDArray[np.int64]


class ProtobufConverter(RegisteredConverter):
    """Values are Protobuf messages behind the id of their schema and the indexes of their message in it.

    Columns are those that Confluent's ProtobufConverter and its S3 sink make: fields by name; a oneof is a struct with one
    field for each case; enums are text; `uint32` is int64, and of `uint64` the bits are kept, so that numbers from 2**63 on
    are negative; `google.protobuf.Timestamp` is a timestamp in milliseconds. A scalar that isn't declared `optional` is never
    null. Needs `pip install kafka2parquet[protobuf]`.

    Rejected are values that aren't such messages, and all values of schemas with recursive messages or messages without
    fields, which Parquet has no types for.
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
            registry: where the schemas are.
            is_key: whether it converts keys.
            mapping: how messages become columns; by default as Confluent's converter does.
            subject_names: the subject whose versions the schemas have: `topic` is `<topic>-value` or `<topic>-key`, `record`
                the full name of the schema's first message, and `topic_record` `<topic>-<full name of that message>`.

        Raises:
            ConfigurationError: the libraries for Protobuf aren't installed.
        """
        super().__init__(registry, is_key=is_key, subject_names=subject_names)
        try:
            from kafka2parquet.converters import protobuf_files  # noqa: F401
        except ImportError as error:
            raise ConfigurationError(f"Protobuf needs 'pip install kafka2parquet[protobuf]': {error}.") from error
        self._mapping = mapping if mapping is not None else ProtobufMapping()

    @property
    def fingerprint(self) -> str:
        """Names the settings."""
        return f"protobuf:{self._mapping}"

    def record_name(self, schema: RegisteredSchema) -> str | None:
        """The full name of the schema's first message."""
        from kafka2parquet.converters.protobuf_files import compile_file

        messages = list(compile_file(schema).descriptor.message_types_by_name.values())
        return str(messages[0].full_name) if messages else None

    def prepare(self, schema: RegisteredSchema) -> _Prepared:
        """Compile the schema."""
        from kafka2parquet.converters.protobuf_files import compile_file

        return _Prepared(compile_file(schema), self._mapping, schema.version)

    def decoders(self, prepared: Any, payloads: pa.Array) -> Iterator[tuple[_Int64s, pa.Array, PayloadDecoder | str]]:
        """Tell messages by the indexes in front of them."""
        left = np.ones(len(payloads), np.bool_)
        while left.any():
            first = int(np.argmax(left))
            try:
                prefix, indexes = _message_indexes(payloads[first].as_py())
            except ValueError as error:
                left[first] = False
                yield np.array([first]), payloads.slice(first, 1), str(error)
                continue
            chosen = begins_with(payloads, prefix) & left
            left &= ~chosen
            rows = np.flatnonzero(chosen)
            yield rows, without_prefix(payloads, rows, len(prefix)), prepared.decoder(indexes)


@attrs.define(eq=False)
class _Prepared:
    """A compiled schema, and the decoders of those of its messages that were seen."""

    _file: ProtobufFile
    _mapping: ProtobufMapping
    _version: int | None
    _decoders: dict[tuple[int, ...], PayloadDecoder | str] = attrs.Factory(dict)

    def decoder(self, indexes: tuple[int, ...]) -> PayloadDecoder | str:
        if indexes not in self._decoders:
            try:
                with refusing_schemas():
                    self._decoders[indexes] = self._make(indexes)
            except SchemaRefused as error:
                self._decoders[indexes] = str(error)
        return self._decoders[indexes]

    def _make(self, indexes: tuple[int, ...]) -> PayloadDecoder:
        from google.protobuf import message_factory
        from google.protobuf.message import DecodeError

        from kafka2parquet.converters.protobuf_columns import ColumnDecoder
        from kafka2parquet.converters.protobuf_values import message_value
        from kafka2parquet.schema.protobuf_schema import plan_message

        descriptor = self._file.message(indexes)
        root = plan_message(descriptor, self._mapping, self._version)
        columns = ColumnDecoder(self._file.files, descriptor.full_name, root) if root.proto3 else None
        message_class = message_factory.GetMessageClass(descriptor)

        def decode_one(payload: bytes) -> Any:
            try:
                message = message_class.FromString(payload)
                if not message.IsInitialized():
                    raise PayloadsRefused(f"required fields are missing: {', '.join(message.FindInitializationErrors())}")
                return message_value(root, message)
            except (DecodeError, ValueError) as error:
                raise PayloadsRefused(str(error)) from None

        return PayloadDecoder(root.schema, decode_one, columns.decode if columns is not None else None)


def _message_indexes(payload: bytes) -> tuple[bytes, tuple[int, ...]]:
    """What is in front of a message, as bytes and as numbers: their count and the numbers, all zigzag varints.

    Raises:
        ValueError: it is none.
    """
    position = 0

    def varint() -> int:
        nonlocal position
        number = shift = 0
        while True:
            if position >= len(payload) or shift > 28:
                raise ValueError("the indexes of the message are malformed")
            byte = payload[position]
            position += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7

    count = varint()
    if not 0 <= count <= _MAX_INDEXES:
        raise ValueError("the indexes of the message are malformed")
    indexes = tuple(varint() for _ in range(count)) or (0,)
    return payload[:position], indexes
