"""Setups: what a sink is made of, as names, so that each can be printed and shrunk."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pyarrow.compute as pc
from hypothesis import strategies as st

from kafka2parquet import (
    CompressedBytesRotation,
    DailyPartitioner,
    DefaultPartitioner,
    FieldPartitioner,
    FirstOf,
    HourlyPartitioner,
    JsonConverter,
    MetadataColumns,
    ParquetWriter,
    RecordCountRotation,
    RecordTimeRotation,
)
from kafka2parquet.converters import JsonEnvelopeConverter, LongConverter, RecordConverter, RecordViews, StringConverter
from kafka2parquet.partitioners import (
    CompositePartitioner,
    Partitioner,
    RecordFieldTimestamp,
    SchemaNamePartitioner,
    WallclockTimestamp,
)
from kafka2parquet.rotation import EncodedPartitionRotation, MaxOpenFilesRotation, RotationPolicy
from kafka2parquet.schema import CompatibilityMode
from kafka2parquet.storage import Storage
from kafka2parquet.transforms import (
    Cast,
    Drop,
    ExtractField,
    Filter,
    Flatten,
    HasHeaderKey,
    HoistField,
    InsertField,
    Keep,
    LeaveOut,
    Mask,
    RecordIsTombstone,
    RegexRouter,
    Rename,
    TimestampRouter,
    ToTimestamp,
    Transform,
    Unwrap,
    Where,
    kafka_connect,
)
from tests.laws.formats import FORMATS, Format
from tests.laws.json_texts import mostly

_HOUR = datetime.timedelta(hours=1)


def _kafka(class_name: str, **properties: str) -> Transform:
    """Makes a transform of Kafka."""
    return kafka_connect.make(class_name, "Value", {name.replace("_", "."): text for name, text in properties.items()})


PARTITIONERS: Mapping[str, Callable[[], Partitioner]] = {
    "default": DefaultPartitioner,
    "field": lambda: FieldPartitioner(["b"]),
    "fields": lambda: FieldPartitioner(["b", "n.x"]),
    "hour": HourlyPartitioner,
    "hour-in-paris": lambda: HourlyPartitioner(timezone="Europe/Paris"),
    "day-of-a-field": lambda: DailyPartitioner(timestamp_extractor=RecordFieldTimestamp("ts")),
    "hour-of-a-member": lambda: HourlyPartitioner(timestamp_extractor=RecordFieldTimestamp("n.x"), timezone="Asia/Kolkata"),
    "wallclock": lambda: HourlyPartitioner(timestamp_extractor=WallclockTimestamp()),
    "field-and-hour": lambda: CompositePartitioner(FieldPartitioner(["b"]), HourlyPartitioner()),
    "day-and-fields": lambda: CompositePartitioner(
        DailyPartitioner(timestamp_extractor=RecordFieldTimestamp("ts")), FieldPartitioner(["a", "c"])
    ),
    "schema": lambda: SchemaNamePartitioner(DefaultPartitioner()),
    "hour-and-schema": lambda: SchemaNamePartitioner(HourlyPartitioner(), affix="suffix"),
}
#: Those that leave rows out without a word are named by `LEAVES_OUT`.
TRANSFORMS: Mapping[str, Callable[[], Transform]] = {
    "cast-text": lambda: Cast({"a": "string", "n.x": "string"}),
    "cast-integer": lambda: Cast({"a": "int32", "b": "int64"}),
    "cast-boolean": lambda: Cast({"c": "boolean", "a": "boolean"}),
    "cast-decimal": lambda: Cast({"a": "decimal(10;2)", "ts": "timestamp", "b": "date"}),
    "drop": lambda: Drop(["a", "n.x"]),
    "keep": lambda: Keep(["b", "n.y", "ts"]),
    "extract": lambda: ExtractField("n"),
    "extract-or-drop": lambda: ExtractField("a", on_null="drop"),
    "hoist": lambda: HoistField("line"),
    "filter": lambda: Filter(pc.field("a") > 0),
    "filter-text": lambda: Filter(pc.field("b") != "DE"),
    "flatten": Flatten,
    "flatten-underscore": lambda: Flatten("_"),
    "insert": lambda: InsertField(topic="b", offset="o", timestamp="ts", static={"source": "x"}),
    "mask": lambda: Mask(["b", "n.y"], replacement="****"),
    "mask-number": lambda: Mask(["a", "b"], replacement=0),
    "hash": lambda: Mask(["a", "b", "n"], hashed="sha256", key="secret"),
    "rename": lambda: Rename({"a": "b", "n.x": "y"}),
    "rename-plain": lambda: Rename({"a": "z", "ts": "_kafka_timestamp"}),
    "timestamp": lambda: ToTimestamp(["ts", "a"]),
    "timestamp-of-text": lambda: ToTimestamp(["b"], format="%d.%m.%Y", timezone="Europe/Paris"),
    "timestamp-of-seconds": lambda: ToTimestamp(["ts", "n.x"], unit="s"),
    "extract-or-tombstone": lambda: ExtractField("n", on_null="tombstone"),
    "filter-tombstones": lambda: Where(LeaveOut(), RecordIsTombstone()),
    "insert-where-header": lambda: Where(InsertField(offset="o", static={"b": "x"}), HasHeaderKey("a")),
    "cast-where-not-header": lambda: Where(Cast({"a": "string", "b": "float64"}), HasHeaderKey("a"), negate=True),
    "route": lambda: RegexRouter("(.*)", "routed/$1"),
    "route-by-time": lambda: TimestampRouter(timestamp_format="HH"),
    "kafka-cast": lambda: _kafka("Cast", spec="a:int8,b:string,c:float64"),
    "kafka-cast-boolean": lambda: _kafka("Cast", spec="a:boolean,b:int64"),
    "kafka-replace": lambda: _kafka("ReplaceField", exclude="c", renames="a:b"),
    "kafka-insert": lambda: _kafka("InsertField", topic_field="b", timestamp_field="o!"),
    "kafka-mask": lambda: _kafka("MaskField", fields="a,b,n"),
    "kafka-mask-number": lambda: _kafka("MaskField", fields="a,b", replacement="1.5"),
    "kafka-flatten": lambda: _kafka("Flatten", delimiter=""),
    "kafka-time-text": lambda: _kafka("TimestampConverter", field="ts", target_type="string", format="yyyy-MM-dd EEE HH"),
    "kafka-time": lambda: _kafka("TimestampConverter", field="a", target_type="Time", format="d.M.yyyy"),
    "kafka-metadata": lambda: _kafka("SetSchemaMetadata", schema_name="Named", schema_version="7"),
    "unwrap": Unwrap,
    "unwrap-tombstones": lambda: Unwrap(deletes="tombstone", tombstones="pass"),
    "unwrap-rewrite": lambda: Unwrap(deletes="rewrite", add_fields=["op", "source.ts_ms"]),
}
LEAVES_OUT = frozenset(
    {
        "extract-or-drop",
        "extract-or-tombstone",
        "filter",
        "filter-text",
        "filter-tombstones",
        "unwrap",
        "unwrap-rewrite",
        "unwrap-tombstones",
    }
)
ROTATIONS: Mapping[str, Callable[[], RotationPolicy]] = {
    "all": lambda: RecordCountRotation(10_000),
    "three": lambda: RecordCountRotation(3),
    "hour": lambda: RecordTimeRotation(_HOUR, or_by_the_clock=False),
    "bytes": lambda: CompressedBytesRotation(2000),
    "folder": EncodedPartitionRotation,
    "files": lambda: FirstOf(MaxOpenFilesRotation(2), RecordCountRotation(7)),
}
KEY_CONVERTERS: Mapping[str, Callable[[], RecordConverter | None]] = {
    "bytes": lambda: None,
    "string": StringConverter,
    "json": JsonConverter,
    "envelope": JsonEnvelopeConverter,
    "long": LongConverter,
}
_METADATA = ((), ("offset",), ("partition", "offset", "timestamp"), MetadataColumns.ALL)


@attrs.frozen
class Setup:
    """A sink that tolerates all rejects; `named_parts` makes its parts.

    Attributes:
        format: of the values.
        transforms: names of them, in their order.
        partitioner: name of it.
        rotation: name of it.
        metadata: columns that are added.
        key: name of the converter of keys, which count where `key` is a metadata column or keys have files.
        keys: whether keys have separate files.
        headers: whether headers have separate files.
        tombstones: what records without value are.
        quarantine: whether rejects are rows of files.
        letters: whether rejects are sent to a dead-letter queue.
        types: of the Parquet files.
        compatibility: which schemas may share a file.
    """

    format: str
    transforms: tuple[str, ...] = ()
    partitioner: str = "default"
    rotation: str = "all"
    metadata: tuple[str, ...] = ("offset",)
    key: str = "bytes"
    keys: bool = False
    headers: bool = False
    tombstones: str = "report"
    quarantine: bool = False
    letters: bool = False
    types: str = "own"
    compatibility: str | None = None

    @property
    def values(self) -> Format:
        """The format of the values."""
        return FORMATS[self.format]

    @property
    def is_possible(self) -> bool:
        """Whether a task can be made of it: records without value are written by their keys."""
        return self.tombstones != "write" or self.keys or "key" in self.metadata

    @property
    def leaves_out(self) -> bool:
        """Whether records may be neither rows nor rejects."""
        return not LEAVES_OUT.isdisjoint(self.transforms)

    @property
    def projects(self) -> bool:
        """Whether fields that the schema of a file doesn't have are left out of its rows."""
        return self.compatibility not in (None, "NONE")

    @property
    def has_offsets(self) -> bool:
        """Whether rows say which record they were made of."""
        return "offset" in self.metadata

    @property
    def learns(self) -> bool:
        """Whether the outcome of a record depends on the records before it."""
        return self.values.learned or (self.key in ("json", "envelope") and (self.keys or "key" in self.metadata))

    def parts(self, storage: Storage) -> dict[str, Any]:
        """Makes new parts of a `SinkTask`, by the names that `make_task` takes."""
        key_converter = KEY_CONVERTERS[self.key]()
        views = RecordViews(keys=self.keys, headers=self.headers, key_converter=key_converter)
        return {
            "converter": self.values.converter(storage),
            "transforms": [TRANSFORMS[name]() for name in self.transforms],
            "partitioner": PARTITIONERS[self.partitioner](),
            "rotation": ROTATIONS[self.rotation](),
            "metadata_columns": MetadataColumns(self.metadata, key_converter=key_converter),
            "views": views if self.keys or self.headers else None,
            "tombstones": self.tombstones,
            "quarantine": self.quarantine,
            "writer": ParquetWriter(types=self.types),  # type: ignore[arg-type]  # one of its two
            "schema_compatibility": None if self.compatibility is None else CompatibilityMode(self.compatibility),
        }


@st.composite
def setups(draw: st.DrawFn, formats: st.SearchStrategy[str] | None = None) -> Setup:
    """Generates any setup that a user may choose."""
    keys = draw(st.integers(0, 3)) == 3
    metadata = draw(st.sampled_from([("offset",), *_METADATA]))
    can_write = keys or "key" in metadata
    return Setup(
        format=draw(formats if formats is not None else st.sampled_from(sorted(FORMATS))),
        transforms=tuple(draw(st.lists(st.sampled_from(sorted(TRANSFORMS)), max_size=draw(st.sampled_from([0, 0, 1, 2]))))),
        partitioner=draw(mostly(st.just("default"), st.sampled_from(sorted(PARTITIONERS)), one_in=2)),
        rotation=draw(st.sampled_from(sorted(ROTATIONS))),
        metadata=metadata,
        key=draw(st.sampled_from(sorted(KEY_CONVERTERS))),
        keys=keys,
        headers=draw(st.integers(0, 4)) == 4,
        tombstones=draw(st.sampled_from(["report", "ignore", *(["write"] if can_write else [])])),
        quarantine=draw(st.booleans()),
        letters=draw(st.integers(0, 3)) == 3,
        types=draw(st.sampled_from(["own", "connect"])),
        compatibility=draw(st.sampled_from([None, None, None, None, "NONE", "BACKWARD", "FULL"])),
    )
