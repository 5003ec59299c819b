"""RegisteredConverter: what converters of values with Confluent's wire format have in common."""

from __future__ import annotations

import abc
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
from kafka2parquet.schema.refused import SchemaRefused, refusing_schemas

#: Whose versions schemas have: the subject of a topic, of a record's type, or of both.
SubjectNames = Literal["topic", "record", "topic_record"]

_UNKNOWN_MAGIC_BYTE = "Unknown magic byte!"
_TOO_SHORT = "the value ends before its payload"
#: How long a schema that the registry doesn't have is not asked for again, in seconds.
_MISSING_FOR_S = 60.0
#: As many as a batch may have records.
_MOST_MISSING = 1 << 15
#: Schemas of a batch that are looked up before they are needed.
_LOOKED_AHEAD = 500

_Int64s = npt.NDArray[np.int64]


@attrs.frozen
class _Missing:
    """The registry didn't have a schema, at a time in seconds."""

    reason: str
    asked_at_s: float


class RegisteredConverter(RecordConverter):
    """Base of converters whose values name a schema of a registry.

    The id of the schema stands in front of the value, or in a header of its record, as Confluent's serializers put it there.
    The payloads of each schema are decoded together. Rows of different schemas stay apart; values that aren't structs are
    written to one column, `value`.

    Schemas are asked for on other threads, several at a time. The driver waits for seconds at the most; where that is not
    enough, the batch is given again later. A schema that the registry doesn't have is asked for again after a minute.
    """

    #: Tells the time; for tests.
    clock: Clock = SystemClock()
    #: The type of its schemas in the registry.
    schema_type: str
    #: What the reasons of rejects begin with.
    refusal: str

    def __init__(self, registry: SchemaRegistry, *, is_key: bool = False, subject_names: SubjectNames = "topic") -> None:
        """Make a converter.

        Args:
            registry: where the schemas are; is called on several threads.
            is_key: whether it converts keys.
            subject_names: the subject whose versions the schemas have: `topic` is `<topic>-value` or `<topic>-key`, `record`
                the name of the schema, and `topic_record` `<topic>-<name of the schema>`.
        """
        self._registry = registry
        self._role = "key" if is_key else "value"
        self._subject_names = subject_names
        self._prepared: dict[tuple[SchemaId, str], Any] = {}
        self._missing: OrderedDict[tuple[SchemaId, str], _Missing] = OrderedDict()
        self._lookups: Lookups[tuple[SchemaId, str], Any] = Lookups(self._look_up)
        self._unfinished: dict[TopicPartition, tuple[int, float]] = {}

    @abc.abstractmethod
    def prepare(self, schema: RegisteredSchema) -> Any:
        """What `decoders` needs of a schema; kept. Called on several threads.

        Raises:
            SchemaRefused: values of it can't be converted. Other errors mean the same, but those of this library.
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
            SchemaRegistryUnavailableError: the registry doesn't answer, or not yet; nothing is rejected for that.
            SchemaRegistryAuthenticationError: it refuses us.
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
            if isinstance(prepared, str):
                groups.reject(rows, prepared)
                continue
            for chosen, messages, decoder in self.decoders(prepared, payloads):
                if isinstance(decoder, str):
                    groups.reject(rows[chosen], decoder)
                else:
                    _decode(groups, decoder, rows[chosen], messages)
        self._unfinished.pop(batch.topic_partition, None)
        return groups.converted()

    def _missing_since_s(self, batch: ConsumedBatch) -> float:
        """Schemas that were missing at this time, or later, count as missing for the batch.

        That is a minute before the first attempt to convert it: what was found out for a batch isn't asked for again while
        the batch is given again and again, however many of its schemas are missing.
        """
        first_offset, began_at_s = self._unfinished.get(batch.topic_partition, (None, 0.0))
        if first_offset != batch.first_offset:
            began_at_s = self.clock.monotonic()
            self._unfinished[batch.topic_partition] = batch.first_offset, began_at_s
        return began_at_s - _MISSING_FOR_S

    def _look_ahead(self, schema_ids: Sequence[SchemaId | None], topic: str, missing_since_s: float) -> None:
        """Begin to look up what is going to be asked for."""
        for schema_id in schema_ids:
            if schema_id is not None and self._known((schema_id, topic), missing_since_s) is None:
                self._lookups.begin((schema_id, topic))

    def _known(self, key: tuple[SchemaId, str], missing_since_s: float) -> Any:
        """What a schema needs, or why its values are rejected; None where the registry has to be asked."""
        if key in self._prepared:
            return self._prepared[key]
        missing = self._missing.get(key)
        return missing.reason if missing is not None and missing.asked_at_s > missing_since_s else None

    def _prepare(self, key: tuple[SchemaId, str], missing_since_s: float) -> Any:
        """What a schema needs, or why its values are rejected."""
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
        """Ask the registry for a schema, and prepare it. On any thread."""
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
            return f"schema id {schema_id}: {error}"

    def _schema(self, schema_id: SchemaId, topic: str) -> RegisteredSchema:
        if self._subject_names == "topic":
            return self._registry.schema(schema_id, f"{topic}-{self._role}")
        schema = self._registry.schema(schema_id, None)
        with refusing_schemas():
            name = self.record_name(schema) if schema.type == self.schema_type else None
        if name is None:
            return schema
        return self._registry.schema(schema_id, name if self._subject_names == "record" else f"{topic}-{name}")


def _decode(groups: RecordGroups, decoder: PayloadDecoder, rows: _Int64s, payloads: pa.Array) -> None:
    for decoded in decoder.run(payloads):
        indices = np.array([index for index, _ in decoded.refused], np.int64)
        groups.reject(rows[indices], [reason for _, reason in decoded.refused])
        groups.add_values(decoder.schema, rows[decoded.kept], decoded.values)
