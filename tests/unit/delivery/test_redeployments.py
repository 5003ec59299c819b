"""Another configuration finds a flush in the middle: what it may do with it, and when it has to leave it alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kafka2parquet import HourlyPartitioner, JsonConverter, MetadataColumns, ObjectNaming, ParquetWriter, RecordCountRotation
from kafka2parquet.converters import RecordConverter, StringConverter
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.dead_letters import RejectLimit
from kafka2parquet.delivery.settings import ObjectTags
from kafka2parquet.errors import UnknownMetadataError
from kafka2parquet.events import Event, FilePublished, IntentCommitted, StorageRetried
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted, Rows
from kafka2parquet.schema import LearnedSchema
from kafka2parquet.schema.compatibility import CompatibilityMode
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.testing import MemoryConsumer
from kafka2parquet.transforms import Transform
from kafka2parquet.transforms.base import Transformed
from tests.support.sink_world import Letters, SinkWorld

HOUR_MS = 3_600_000
HEADERS = b"\x02\x02a\x02b"
COUNT = 12


class LeaveOut(Transform):
    """A transform that leaves out the records at some offsets."""

    def __init__(self, *offsets: int) -> None:
        self._offsets = pa.array(offsets, pa.int64())

    def apply(self, rows: Rows) -> Transformed:
        return Transformed(rows.filter(pc.invert(pc.is_in(rows.offsets, self._offsets))))

    @property
    def fingerprint(self) -> str:
        return f"leave-out-{self._offsets.to_pylist()}"


class TextsAndLists(RecordConverter):
    """A converter whose column alternates between text and lists, which no file can hold together."""

    def convert(self, batch: ConsumedBatch) -> Converted:
        is_odd = pc.equal(pc.bit_wise_and(batch.offsets, 1), 1)
        values: list[tuple[pa.Array, Any]] = [(is_odd, "text"), (pc.invert(is_odd), [1])]
        groups = []
        for mask, value in values:
            records = batch.filter(mask)
            if len(records):
                table = pa.table({"a": pa.array([value] * len(records))})
                groups.append(Rows(batch, records.offsets, records.timestamps_ms, table))
        return Converted(groups[0], [], others=groups[1:])

    @property
    def fingerprint(self) -> str:
        return "texts-and-lists"


def world_of(values: Mapping[int, bytes | None], *, hours: int = 3) -> SinkWorld:
    """Makes a world of twelve records that alternate between the folders of `hours` hours, with some values replaced."""
    world = SinkWorld()
    for number in range(COUNT):
        value = values.get(number, b'{"a":%d}' % number)
        world.append(value, key=b"%d" % number, headers=HEADERS, time_ms=number % hours * HOUR_MS)
    return world


def parts_of(**parts: Any) -> dict[str, Any]:
    """Returns the parts of a sink that writes everything in one flush."""
    return {
        "partitioner": HourlyPartitioner(),
        "rotation": RecordCountRotation(COUNT),
        "tolerance": "skip",
        **parts,
    }


def die_without(world: SinkWorld, key_part: str, **parts: Any) -> None:
    """Runs a task that dies because one object can't be published; the intent, the anchor and the other objects exist."""
    fault = world.storage.fail(key_part=key_part, times=1 << 30)
    with ThreadPoolExecutor(4) as uploads:  # which are waited for: those of a dead task go on otherwise
        world.run(COUNT, die_at=lambda event: isinstance(event, StorageRetried), executor=uploads, **parts)
    fault.release()
    assert world.committed is None
    assert world.storage.objects


def test_dead_letters_of_a_finished_flush_are_stored_before_it_is_committed() -> None:
    """If rows of a missing file are rejects now, the flush is committed only after their dead letters are stored."""
    world, letters = world_of({4: b"no JSON"}), Letters(stores=False)
    die_without(world, "hour=01", **parts_of(converter=StringConverter()))
    with world.task(**parts_of(dead_letters=letters)) as task:
        world.step_until(task, lambda: bool(letters.sent))
        for _ in range(100):
            task.step(0.001)
            world.clock.advance(1)
        assert [4] == letters.offsets()
        assert world.committed is None
        letters.store_all()
        world.step_until(task, lambda: world.committed == COUNT)
    assert {4} == set(range(COUNT)) - set(world.offsets())


def test_a_finished_flush_counts_its_records_for_the_limit_of_rejects() -> None:
    """Reading a flush again for a missing file doesn't increase the share of rejects beyond the true one."""
    bad = dict.fromkeys(range(1, COUNT, 4), b"no JSON")
    world = world_of(bad)
    parts = parts_of(rotation=RecordCountRotation(6), limit=RejectLimit(0.3, minimum_rows=1))
    die_without(world, "hour=02", **parts)
    world.append(*[b'{"a":1}'] * 4)
    world.run(COUNT + 2, **parts)
    assert not set(bad) & set(world.offsets())


@pytest.mark.parametrize(
    ("missing", "then", "now"),
    [
        pytest.param(
            "0000000001.snappy",
            {"views": RecordViews(keys=True)},
            {"views": RecordViews(keys=True), "transforms": [LeaveOut(7)]},
            id="a transform that leaves rows out, beside files of keys",
        ),
        pytest.param(
            "0000000001.snappy",
            {"views": RecordViews(keys=True), "transforms": [LeaveOut(5)], "rotation": RecordCountRotation(COUNT - 1)},
            {"views": RecordViews(keys=True)},
            id="a transform that left rows out, beside files of keys",
        ),
        pytest.param(
            "hour=01",
            {"quarantine": True},
            {"quarantine": True, "transforms": [LeaveOut(1, 4, 7, 10)]},
            id="a transform that leaves out a whole file",
        ),
        pytest.param(
            "quarantine",
            {"quarantine": True, "tombstones": "report"},
            {"quarantine": True, "tombstones": "ignore"},
            id="rejects that are ignored now",
        ),
        pytest.param(
            "hour=01",
            {"quarantine": True, "converter": StringConverter()},
            {"quarantine": True},
            id="rows that are rejects now",
        ),
        pytest.param(
            ".keys.",
            {"views": RecordViews(keys=True)},
            {},
            id="no files of keys any more",
        ),
        pytest.param(
            ".headers.",
            {"views": RecordViews(keys=True, headers=True)},
            {"views": RecordViews(keys=True)},
            id="no files of headers any more",
        ),
    ],
)
def test_a_flush_that_can_not_be_finished_as_it_was_begun_is_left_alone(
    missing: str, then: dict[str, Any], now: dict[str, Any]
) -> None:
    """Nothing is published or committed. The old configuration finishes the flush, and then the new one continues."""
    values = {4: b"no JSON"} if "converter" in then else {4: None} if "tombstones" in then else {}
    world = world_of(values)
    rotation = {"rotation": RecordCountRotation(COUNT - 1)} if "tombstones" in then else {}
    die_without(world, missing, **parts_of(**rotation, **then))
    before = dict(world.storage.objects)
    with pytest.raises(UnknownMetadataError, match="Run once with the old configuration to finish it"):
        world.run(COUNT, **parts_of(**rotation, **now))
    assert before == world.storage.objects
    assert world.committed is None
    world.run(1, **parts_of(**rotation, **then))
    assert not [key for key, table in world.tables().items() if not table.num_rows]
    assert world.committed


def test_a_flush_of_which_other_things_were_learned_is_left_alone() -> None:
    """Rows of the flush would be rejects now, so only deleting its files lets the flush be repeated."""
    world = SinkWorld()
    for number in range(COUNT):
        world.append(b'{"a":%d}' % number, time_ms=number % 3 * HOUR_MS)
    parts = parts_of(quarantine=True)
    die_without(world, "hour=01", **parts)
    learned = JsonConverter(learned=LearnedSchema(pa.schema([("a", pa.string())])))
    with pytest.raises(UnknownMetadataError, match=r"`SchemaContract`\). Delete the files of this flush that exist"):
        world.run(COUNT, **parts_of(quarantine=True, converter=learned))
    world.storage.objects.clear()
    world.run(COUNT, **parts_of(quarantine=True, converter=learned))
    assert dict.fromkeys(range(COUNT), 1) == world.offsets("rejects", "offset")


def test_without_files_of_rejects_or_keys_a_finished_file_has_what_it_can_have() -> None:
    """Rows that are rejects now are left out of the missing file, as in any other file."""
    world = world_of({4: b"no JSON"})
    die_without(world, "hour=01", **parts_of(converter=StringConverter()))
    world.run(COUNT, **parts_of())
    assert dict.fromkeys(set(range(COUNT)) - {4}, 1) == world.offsets()


def test_tombstones_that_were_written_may_be_ignored_now() -> None:
    """Tombstones that are ignored now are left out of a missing file."""
    world = world_of({4: None})
    columns = MetadataColumns(("offset", "key"))
    die_without(world, "hour=01", **parts_of(metadata_columns=columns, tombstones="write"))
    world.run(COUNT, **parts_of(metadata_columns=columns, tombstones="ignore"))
    assert dict.fromkeys(set(range(COUNT)) - {4}, 1) == world.offsets()


def test_rows_that_no_file_can_hold_together_are_an_error() -> None:
    """The task ends, because the boundary of a flush is fixed and a file can hold only one type for a column."""
    world = SinkWorld()
    world.append(*[b'{"a":1}'] * COUNT)
    world.run(COUNT, die_at=lambda event: isinstance(event, IntentCommitted), rotation=RecordCountRotation(COUNT))
    with pytest.raises(UnknownMetadataError, match=r"the flush \[0, 12\) .* Run once with the old configuration"):
        world.run(COUNT, converter=TextsAndLists(), rotation=RecordCountRotation(COUNT))
    assert not world.storage.objects


@pytest.mark.parametrize("key_part", ["hour=00", "hour=01", "nothing"])
def test_files_of_a_flush_are_tagged_by_whoever_finishes_it(key_part: str) -> None:
    """The successor tags the files that the owner published before it died, and the missing files."""
    world = world_of({})
    die_without_tags(world, key_part)
    assert not world.storage.tags
    world.run(COUNT, **parts_of(tags=ObjectTags()))
    assert dict.fromkeys(world.storage.objects, "4") == {key: tags["recordCount"] for key, tags in world.storage.tags.items()}
    assert 3 == len(world.storage.tags)


def die_without_tags(world: SinkWorld, key_part: str) -> None:
    """Runs a task with tags that dies before it tags anything; files with `key_part` in their keys are missing."""
    if key_part == "hour=00":  # the anchor: nothing is there
        world.run(COUNT, die_at=lambda event: isinstance(event, IntentCommitted), **parts_of(tags=ObjectTags()))
    elif key_part == "nothing":
        world.storage.fail("tag", times=1 << 30)
        world.run(COUNT, die_at=lambda event: isinstance(event, StorageRetried), **parts_of(tags=ObjectTags()))
        assert 3 == len(world.storage.objects)
        for fault in world.storage._faults:
            fault.release()
    else:
        die_without(world, key_part, **parts_of(tags=ObjectTags()))


def is_intent(event: Event) -> bool:
    return isinstance(event, IntentCommitted)


def published(key_part: str) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, FilePublished) and key_part in event.key


POINTS: dict[str, Callable[[Event], bool]] = {
    "intent": is_intent,
    "anchor": lambda event: isinstance(event, FilePublished) and event.is_anchor,
    "keys": published(".keys."),
    "headers": published(".headers."),
    "rejects": published("quarantine"),
    "values": published("hour=01"),
}

NAMINGS = {
    "the same": ObjectNaming(),
    "topics_dir": ObjectNaming(topics_dir="other"),
    "file_delimiter": ObjectNaming(file_delimiter="_"),
    "directory_delimiter": ObjectNaming(directory_delimiter="-"),
    "compression": ObjectNaming(compression="zstd"),
}


@pytest.mark.parametrize("naming", [pytest.param(naming, id=name) for name, naming in NAMINGS.items()])
@pytest.mark.parametrize("point", POINTS)
def test_a_flush_is_finished_under_other_names(point: str, naming: ObjectNaming) -> None:
    """Each row, tombstone, reject, key and header exists once, whatever was published before."""
    world = world_of({5: b"no JSON", 7: None}, hours=2)
    parts = parts_of(
        quarantine=True,
        views=RecordViews(keys=True, headers=True),
        tombstones="write",
        rotation=RecordCountRotation(COUNT - 1),
    )
    world.run(COUNT, die_at=POINTS[point], **parts)
    world.run(
        COUNT,
        naming=naming,
        writer=ParquetWriter(compression=naming.compression),
        take_over=True,
        **parts,
    )

    written: dict[str, list[int]] = {"values": [], "rejects": [], "keys": [], "headers": []}
    columns = {"values": "_kafka_offset", "rejects": "offset", "keys": "key", "headers": "headers"}
    for key, stored in world.storage.objects.items():
        footer = FlushFooter.from_metadata(stored.metadata)
        assert footer is not None
        column = world.storage.table(key)[columns[footer.role]].to_pylist()
        written[footer.role] += [0] * len(column) if footer.role == "headers" else map(int, column)
    rows = sorted({*range(COUNT)} - {5, 7})
    assert {"values": rows, "rejects": [5], "keys": sorted([*rows, 7]), "headers": [0] * (COUNT - 1)} == {
        role: sorted(found) for role, found in written.items()
    }


@pytest.mark.parametrize("converter", [JsonConverter(), StringConverter()])
def test_a_flush_of_rejects_alone_is_redone_without_quarantine(converter: RecordConverter) -> None:
    """The recorded name keeps other tasks from publishing the rejects, and records that are rows now go to their folders."""
    world = SinkWorld()
    world.append(*[b"no JSON"] * 5)
    world.run(5, die_at=is_intent, tolerance="skip", quarantine=True)
    world.append(*[b'{"a":1}'] * 10)
    world.run(15, tolerance="skip", converter=converter)
    first = 0 if isinstance(converter, StringConverter) else 5
    assert dict.fromkeys(range(first, 15), 1) == world.offsets()
    assert not world.offsets("rejects", "offset")


def test_a_frozen_owner_of_another_configuration_adds_nothing() -> None:
    """An owner that froze before publishing adds nothing after a successor without quarantine has finished the flush."""
    world = world_of({4: b"no JSON"})
    fault = world.storage.block(key_part="events+0+0000000000")
    consumer = MemoryConsumer(world.kafka, group_id="group", topics=["events"])
    frozen = world.task(consumer=consumer, **parts_of(quarantine=True, rotation=RecordCountRotation(COUNT - 1)))
    world.step_until(frozen, fault.reached.is_set)
    fault.remaining = 0  # the others don't wait
    world.kafka.leave(consumer)
    consumer.follow(set())
    world.run(COUNT, **parts_of(converter=StringConverter()))
    before = dict(world.storage.objects)
    fault.release()
    for _ in range(50):
        frozen.step(0.001)
        world.clock.advance(1)
    frozen.close()
    assert before == world.storage.objects
    assert dict.fromkeys(range(COUNT), 1) == world.offsets()


V1 = ConnectSchema("struct", name="order", version=1, fields=(ConnectField("id", ConnectSchema("int64", optional=True)),))
V2 = ConnectSchema(
    "struct", name="order", version=2, fields=(*V1.fields, ConnectField("note", ConnectSchema("string", optional=True)))
)


class TwoVersions(RecordConverter):
    """A converter whose records alternate between two versions; the second version has one more field."""

    def convert(self, batch: ConsumedBatch) -> Converted:
        is_old = pc.equal(pc.bit_wise_and(batch.offsets, 1), 0)
        groups = []
        for mask, schema in ((is_old, V1), (pc.invert(is_old), V2)):
            records = batch.filter(mask)
            if len(records):
                table = pa.table({"id": records.offsets})
                if schema is V2:
                    table = table.append_column("note", pa.array(["new"] * len(records)))
                groups.append(Rows(batch, records.offsets, records.timestamps_ms, table, value_schema=schema))
        return Converted(groups[0], [], others=groups[1:])

    @property
    def fingerprint(self) -> str:
        return "two-versions"


@pytest.mark.parametrize("mode", [CompatibilityMode.BACKWARD, CompatibilityMode.FULL, CompatibilityMode.NONE])
@pytest.mark.parametrize("die_at", ["intent", "anchor"])
def test_no_column_is_lost_where_schemas_may_not_share_files_any_more(mode: CompatibilityMode, die_at: str) -> None:
    """A begun flush has rows of two versions, and projecting all rows to the first version would lose a column."""
    world = SinkWorld()
    for number in range(COUNT):
        world.append(b"{}", time_ms=number // 2 % 2 * HOUR_MS)
    parts: dict[str, Any] = {
        "converter": TwoVersions(),
        "partitioner": HourlyPartitioner(),
        "rotation": RecordCountRotation(COUNT),
    }
    world.run(COUNT, die_at=POINTS[die_at], **parts)
    before = dict(world.storage.objects)
    if mode is CompatibilityMode.NONE:  # columns of all schemas hold all that the rows have
        world.run(COUNT, schema_compatibility=mode, **parts)
    else:
        with pytest.raises(UnknownMetadataError, match="Run once with the old configuration"):
            world.run(COUNT, schema_compatibility=mode, **parts)
        assert before == world.storage.objects
        world.run(COUNT, **parts)
    notes = {row["_kafka_offset"]: row["note"] for table in world.tables().values() for row in table.to_pylist()}
    assert {number: "new" if number % 2 else None for number in range(COUNT)} == notes
