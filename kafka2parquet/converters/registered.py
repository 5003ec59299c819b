"""RegisteredConverter: what converters of values with Confluent's wire format have in common."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.payload_decoder import PayloadDecoder
from kafka2parquet.converters.record_groups import RecordGroups
from kafka2parquet.converters.schema_ids import SchemaId, identified
from kafka2parquet.converters.schema_registry import RegisteredSchema, SchemaNotFound, SchemaRegistry
from kafka2parquet.converters.wire_format import HEADER_BYTES
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from kafka2parquet.schema.refused import SchemaRefused

#: Whose versions schemas have: the subject of a topic, of a record's type, or of both.
SubjectNames = Literal["topic", "record", "topic_record"]

_UNKNOWN_MAGIC_BYTE = "Unknown magic byte!"
_TOO_SHORT = "the value ends before its payload"

_Int64s = npt.NDArray[np.int64]


class RegisteredConverter(RecordConverter):
    """Base of converters whose values name a schema of a registry.

    The id of the schema stands in front of the value, or in a header of its record, as Confluent's serializers put it there.
    The payloads of each schema are decoded together. Rows of different schemas stay apart; values that aren't structs are
    written to one column, `value`.
    """

    #: The type of its schemas in the registry.
    schema_type: str
    #: What the reasons of rejects begin with.
    refusal: str

    def __init__(self, registry: SchemaRegistry, *, is_key: bool = False, subject_names: SubjectNames = "topic") -> None:
        """Make a converter.

        Args:
            registry: where the schemas are.
            is_key: whether it converts keys.
            subject_names: the subject whose versions the schemas have: `topic` is `<topic>-value` or `<topic>-key`, `record`
                the name of the schema, and `topic_record` `<topic>-<name of the schema>`.
        """
        self._registry = registry
        self._role = "key" if is_key else "value"
        self._subject_names = subject_names
        self._prepared: dict[tuple[SchemaId, str], Any] = {}

    @abc.abstractmethod
    def prepare(self, schema: RegisteredSchema) -> Any:
        """What `decoders` needs of a schema; kept.

        Raises:
            SchemaRefused: values of it can't be converted.
        """

    @abc.abstractmethod
    def record_name(self, schema: RegisteredSchema) -> str | None:
        """The name of the schema that subjects may have; None where it has none."""

    def decoders(self, prepared: Any, payloads: pa.Array) -> Iterator[tuple[_Int64s, pa.Array, PayloadDecoder | str]]:
        """The decoders of payloads (binary_view): the indices of those that each is for, what it gets of them, and itself.

        Instead of a decoder may stand the reason why these payloads can't be decoded. By default what was prepared is the
        decoder of all.
        """
        yield np.arange(len(payloads)), payloads, prepared

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Decode the values of each schema; asks the registry for schemas that were not seen before.

        Raises:
            SchemaRegistryUnavailableError: the registry doesn't answer; nothing is rejected for that.
            SchemaRegistryAuthenticationError: it refuses us.
        """
        topic = batch.topic_partition.topic
        groups = RecordGroups(batch, self.refusal.format(topic=topic))
        for schema_id, rows, payloads in identified(batch, f"__{self._role}_schema_id"):
            if schema_id is None:
                for row, value in zip(rows.tolist(), payloads.to_pylist(), strict=True):
                    too_short = len(value) < HEADER_BYTES and value[:1] in (b"", b"\0")
                    groups.reject(np.array([row]), _TOO_SHORT if too_short else _UNKNOWN_MAGIC_BYTE)
                continue
            prepared = self._prepare(schema_id, topic)
            if isinstance(prepared, str):
                groups.reject(rows, prepared)
                continue
            for chosen, messages, decoder in self.decoders(prepared, payloads):
                if isinstance(decoder, str):
                    groups.reject(rows[chosen], decoder)
                else:
                    _decode(groups, decoder, rows[chosen], messages)
        return groups.converted()

    def _prepare(self, schema_id: SchemaId, topic: str) -> Any:
        """What a schema needs, or why its values are rejected."""
        key = (schema_id, topic)
        if key not in self._prepared:
            try:
                schema = self._schema(schema_id, topic)
                if schema.type != self.schema_type:
                    raise SchemaRefused(f"its type is {schema.type}")
                self._prepared[key] = self.prepare(schema)
            except SchemaNotFound as error:
                return str(error)  # it may be there the next time
            except SchemaRefused as error:
                self._prepared[key] = f"schema id {schema_id}: {error}"
        return self._prepared[key]

    def _schema(self, schema_id: SchemaId, topic: str) -> RegisteredSchema:
        if self._subject_names == "topic":
            return self._registry.schema(schema_id, f"{topic}-{self._role}")
        schema = self._registry.schema(schema_id, None)
        name = self.record_name(schema) if schema.type == self.schema_type else None
        if name is None:
            return schema
        return self._registry.schema(schema_id, name if self._subject_names == "record" else f"{topic}-{name}")


def _decode(groups: RecordGroups, decoder: PayloadDecoder, rows: _Int64s, payloads: pa.Array) -> None:
    for decoded in decoder.run(payloads):
        for index, reason in decoded.refused:
            groups.reject(rows[index : index + 1], reason)
        groups.add_values(decoder.schema, rows[decoded.kept], decoded.values)
