"""The base class of converters for values in Confluent's wire format."""

from __future__ import annotations

import abc
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.payload_decoder import PayloadDecoder
from kafka2parquet.converters.record_groups import RecordGroups
from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaNotFound, SchemaRegistry
from kafka2parquet.converters.registry.lookups import Lookups, NotYetFound
from kafka2parquet.converters.registry.schema_ids import SchemaId, identified
from kafka2parquet.converters.registry.wire_format import ends_early
from kafka2parquet.errors import SchemaRegistryUnavailableError
from kafka2parquet.records import ConsumedBatch, TopicPartition
from kafka2parquet.rows import Converted
from kafka2parquet.schema.refused import Refused, SchemaRefused, refusing_schemas

_LOG = logging.getLogger(__name__)

#: Which subject gives a schema its version: that of the topic, of the record's type, or of both.
SubjectNames = Literal["topic", "record", "topic_record"]

_UNKNOWN_MAGIC_BYTE = "Unknown magic byte!"
_TOO_SHORT = "the value ends before its payload"
#: After this time, in seconds, a missing schema is requested again.
_MISSING_FOR_S = 60.0
#: Most missing schemas that are remembered: as many as a batch may have records.
_MOST_MISSING = 1 << 15
#: How many schemas of a batch are looked up ahead of their use.
_LOOKED_AHEAD = 500

_Int64s = npt.NDArray[np.int64]


@attrs.frozen
class _Missing:
    """A schema that the registry didn't have at the monotonic time `asked_at_s`."""

    reason: str
    asked_at_s: float


class RegisteredConverter(RecordConverter):
    """Base class of converters whose values name a schema in a registry.

    The id of the schema is in front of the value or in a header of its record, as Confluent's serializers write it. The
    payloads of each schema are decoded together. Rows of different schemas stay apart; values that aren't structs are written
    to a single column, `value`.

    Schemas are looked up on other threads, several at a time. The driver waits for a few seconds; if that is not enough, the
    batch is converted again later. A schema that the registry doesn't have is requested again after a minute.
    """

    #: Replaceable in tests.
    clock: Clock = SystemClock()
    #: The type of the converter's schemas in the registry.
    schema_type: str
    #: The prefix of the reasons of rejects.
    refusal: str

    def __init__(self, registry: SchemaRegistry, *, is_key: bool = False, subject_names: SubjectNames = "topic") -> None:
        """Make a converter.

        Args:
            registry: looks up schemas; is called on several threads.
            is_key: whether the converter converts keys.
            subject_names: the subject that gives schemas their versions: `topic` means `<topic>-value` or `<topic>-key`,
                `record` the name of the schema, and `topic_record` `<topic>-<name of the schema>`.
        """
        self._registry = registry
        self._role = "key" if is_key else "value"
        self._subject_names = subject_names
        self._prepared: dict[tuple[SchemaId, str], Any] = {}
        self._missing: OrderedDict[tuple[SchemaId, str], _Missing] = OrderedDict()
        self._lookups: Lookups[tuple[SchemaId, str], Any] = Lookups(self._look_up)
        self._without_version: set[str] = set()
        self._unfinished: dict[TopicPartition, tuple[int, float]] = {}

    @abc.abstractmethod
    def prepare(self, schema: RegisteredSchema) -> Any:
        """Prepare a schema for `decoders`. The result is kept. Called on several threads.

        Raises:
            SchemaRefused: values of the schema can't be converted. Any other exception means the same, except the errors of
                this library.
        """

    @abc.abstractmethod
    def record_name(self, schema: RegisteredSchema) -> str | None:
        """Return the schema's name as it appears in subjects; None if the schema has no name."""

    def decoders(self, prepared: Any, payloads: pa.Array) -> Iterator[tuple[_Int64s, pa.Array, PayloadDecoder | Refused]]:
        """Assign payloads (binary_view) to decoders. By default the prepared object decodes all of them.

        Yields:
            The indices of some payloads, the parts of these payloads to decode, and their decoder, or `Refused` if they
            can't be decoded.
        """
        yield np.arange(len(payloads)), payloads, prepared

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Decode the values of each schema. Blocks for a few seconds at most while new schemas are looked up.

        Raises:
            SchemaRegistryUnavailableError: the registry doesn't answer, or hasn't answered yet. Nothing is rejected for that.
            SchemaRegistryAuthenticationError: the registry denies access.
        """
        topic = batch.topic_partition.topic
        groups = RecordGroups(batch, self.refusal.format(topic=topic))
        missing_since_s = self._missing_since_s(batch)
        found = list(identified(batch, f"__{self._role}_schema_id"))
        schema_ids = [schema_id for schema_id, _, _ in found]
        self._look_ahead(schema_ids[:_LOOKED_AHEAD], topic, missing_since_s)
        for position, (schema_id, rows, payloads) in enumerate(found, _LOOKED_AHEAD):
            self._look_ahead(schema_ids[position : position + 1], topic, missing_since_s)
            if schema_id is None:
                too_short = ends_early(payloads)
                groups.reject(rows[too_short], _TOO_SHORT)
                groups.reject(rows[~too_short], _UNKNOWN_MAGIC_BYTE)
                continue
            prepared = self._prepare((schema_id, topic), missing_since_s)
            if isinstance(prepared, Refused):
                groups.reject(rows, prepared.reason)
                continue
            for chosen, messages, decoder in self.decoders(prepared, payloads):
                if isinstance(decoder, Refused):
                    groups.reject(rows[chosen], decoder.reason)
                else:
                    _decode(groups, decoder, rows[chosen], messages)
        self._unfinished.pop(batch.topic_partition, None)
        return groups.converted()

    def _missing_since_s(self, batch: ConsumedBatch) -> float:
        """Return the time after which a schema that was found missing counts as missing for the batch.

        That time is a minute before the first attempt to convert the batch. So a lookup for a batch isn't repeated while the
        batch is retried, however many of its schemas are missing.
        """
        first_offset, began_at_s = self._unfinished.get(batch.topic_partition, (None, 0.0))
        if first_offset != batch.first_offset:
            began_at_s = self.clock.monotonic()
            self._unfinished[batch.topic_partition] = batch.first_offset, began_at_s
        return began_at_s - _MISSING_FOR_S

    def _look_ahead(self, schema_ids: Sequence[SchemaId | None], topic: str, missing_since_s: float) -> None:
        """Start lookups of schemas that will be needed."""
        for schema_id in schema_ids:
            if schema_id is not None and self._known((schema_id, topic), missing_since_s) is None:
                self._lookups.begin((schema_id, topic))

    def _known(self, key: tuple[SchemaId, str], missing_since_s: float) -> Any:
        """Return the prepared schema, or `Refused` with the reason; None if the registry has to be asked."""
        if key in self._prepared:
            return self._prepared[key]
        missing = self._missing.get(key)
        return Refused(missing.reason) if missing is not None and missing.asked_at_s > missing_since_s else None

    def _prepare(self, key: tuple[SchemaId, str], missing_since_s: float) -> Any:
        """Return the prepared schema, or `Refused` with the reason to reject its values. Blocks for a few seconds at most."""
        while (known := self._known(key, missing_since_s)) is None:
            try:
                outcome = self._lookups.outcome(key)
            except NotYetFound:
                raise SchemaRegistryUnavailableError(
                    f"The schema registry has not yet answered for schema id {key[0]} of {key[1]}. The lookup goes on, and the"
                    " batch waits for it."
                ) from None
            if not isinstance(outcome, _Missing):
                self._prepared[key] = outcome
                continue
            self._missing[key] = outcome
            self._missing.move_to_end(key)
            if len(self._missing) > _MOST_MISSING:
                self._missing.popitem(last=False)
        return known

    def _look_up(self, key: tuple[SchemaId, str]) -> Any:
        """Look up a schema in the registry, and prepare it. Called on any thread."""
        schema_id, topic = key
        try:
            schema = self._schema(schema_id, topic)
            if schema.type != self.schema_type:
                raise SchemaRefused(f"its type is {schema.type}")
            with refusing_schemas():
                return self.prepare(schema)
        except SchemaNotFound as error:
            return _Missing(str(error), self.clock.monotonic())  # it may be there the next time
        except SchemaRefused as error:
            return Refused(f"schema id {schema_id}: {error}")

    def _schema(self, schema_id: SchemaId, topic: str) -> RegisteredSchema:
        if self._subject_names == "topic":
            return self._with_version(schema_id, f"{topic}-{self._role}")
        schema = self._registry.schema(schema_id, None)
        with refusing_schemas():
            name = self.record_name(schema) if schema.type == self.schema_type else None
        if name is None:
            return schema
        return self._with_version(schema_id, name if self._subject_names == "record" else f"{topic}-{name}")

    def _with_version(self, schema_id: SchemaId, subject: str) -> RegisteredSchema:
        """Return a schema with its version in a subject, and log if the subject doesn't have it."""
        schema = self._registry.schema(schema_id, subject)
        if schema.version is None and subject not in self._without_version:
            self._without_version.add(subject)
            _LOG.info(
                "The schema registry has no version of schema id %s in the subject %s. Where schema.compatibility is BACKWARD,"
                " FORWARD or FULL, records of a changed schema are rejected. %s.subject.name.strategy decides the subject.",
                schema_id,
                subject,
                self._role,
            )
        return schema


def _decode(groups: RecordGroups, decoder: PayloadDecoder, rows: _Int64s, payloads: pa.Array) -> None:
    for decoded in decoder.run(payloads):
        indices = np.array([index for index, _ in decoded.refused], np.int64)
        groups.reject(rows[indices], [reason for _, reason in decoded.refused])
        groups.add_values(decoder.schema, rows[decoded.kept], decoded.values)
