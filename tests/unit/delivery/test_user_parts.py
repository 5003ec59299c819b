"""Parts that users write, with mistakes in them: each mistake is named with its class, the topic-partition and the offsets."""

from __future__ import annotations

import datetime
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest

from kafka2parquet import DailyPartitioner, DefaultPartitioner, FirstOf, JsonConverter, RecordCountRotation
from kafka2parquet.errors import RejectedRecordError, UnexpectedError, UsageError
from kafka2parquet.events import Event, FilePublished, FlushCut, PartitionAssigned
from kafka2parquet.partitioners import CompositePartitioner, PerRecordPartitioner
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rotation import RotationPolicy
from kafka2parquet.rotation.base import Cut, Due, FlushStats
from kafka2parquet.rows import Converted, PartitionedRows, Row, Rows
from kafka2parquet.testing import MemoryStorage
from kafka2parquet.transforms import Transform
from tests.support.sink_world import SinkWorld

VALUE = b'{"a":1}'


@attrs.define(eq=False)
class Policy(RotationPolicy):
    """A rotation policy that returns what the test sets."""

    answer: Any = None
    due: Any = None

    def cut(self, stats: FlushStats, batch: PartitionedRows) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def due_at(self, stats: FlushStats) -> Any:
        return self.due


def run(**parts: Any) -> SinkWorld:
    """Writes five records with the given parts."""
    world = SinkWorld()
    world.append(*[VALUE] * 5)
    world.run(5, **{"rotation": RecordCountRotation(5), **parts})
    return world


@pytest.mark.parametrize("wrap", [lambda policy: policy, lambda policy: FirstOf(RecordCountRotation(100), policy)])
def test_broken_rotation_policy_is_named(wrap: Any) -> None:
    """The error names a broken rotation policy, even if the policy is one of several."""
    with pytest.raises(UnexpectedError, match=r"events-0, from offset 0 on: Policy\.cut raised KeyError: 'x'\.") as raised:
        run(rotation=wrap(Policy(KeyError("x"))))
    assert isinstance(raised.value.__cause__, KeyError)


WRONG_ROWS: list[Any] = [-1, 6, 2.0, True, np.bool_(True), "2", None, 0]


@pytest.mark.parametrize("answer", [*(Cut(rows, "why") for rows in WRONG_ROWS), Cut(1, None), 1, (1, "why")])  # type: ignore[arg-type]
def test_cut_that_means_nothing_is_an_error(answer: object) -> None:
    """A cut outside the batch, of another type or without a reason ends the task; without progress it would run forever."""
    with pytest.raises(UsageError, match=r"events-0, offsets 0 to 4: Policy\.cut returned .* from 1 to 5") as raised:
        run(rotation=Policy(answer))
    assert ("would never end" in str(raised.value)) == (answer == Cut(0, "why"))


def test_cut_of_numpy() -> None:
    """A cut may count its rows with an integer of NumPy."""
    assert dict.fromkeys(range(5), 1) == run(rotation=Policy(Cut(np.int64(1), "why"))).offsets()  # type: ignore[arg-type]


NOON = datetime.datetime(2026, 5, 17, 12, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize("due", [Due(NOON.replace(tzinfo=None), "why"), Due(NOON, None), NOON])  # type: ignore[arg-type]
def test_due_at_that_means_nothing_is_an_error(due: object) -> None:
    """A time without a time zone can't be compared with the clock, and a flush needs a reason."""
    with pytest.raises(UsageError, match=r"Policy\.due_at returned .* with a time zone"):
        run(rotation=Policy(due=due))


class BrokenConverter(JsonConverter):
    def convert(self, batch: ConsumedBatch) -> Converted:
        raise OverflowError("too large")


@attrs.define(eq=False)
class BrokenTransform(Transform):
    result: Any = None

    @property
    def fingerprint(self) -> str:
        return "broken"

    def apply(self, rows: Rows) -> Any:
        if self.result is None:
            raise OverflowError("too large")
        return self.result


class BrokenPartitioner(PerRecordPartitioner):
    fingerprint = "broken"

    def encode(self, row: Row) -> str:
        raise OverflowError("too large")


@pytest.mark.parametrize(
    ("parts", "who"),
    [
        ({"converter": BrokenConverter()}, r"BrokenConverter\.convert"),
        ({"transforms": [BrokenTransform()]}, r"BrokenTransform\.apply"),
        ({"partitioner": BrokenPartitioner()}, r"BrokenPartitioner\.partition"),
        ({"partitioner": CompositePartitioner(DailyPartitioner(), BrokenPartitioner())}, r"BrokenPartitioner\.partition"),
    ],
)
def test_broken_step_of_the_chain_is_named(parts: dict[str, Any], who: str) -> None:
    """The reason of the reject names the broken step."""
    with pytest.raises(RejectedRecordError, match=rf"events-0, offset 0: .*{who} raised OverflowError: too large"):
        run(**parts)


@attrs.define(eq=False)
class ChangedConverter(JsonConverter):
    """A converter that changes the result of JsonConverter as a test sets."""

    change: Any

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def convert(self, batch: ConsumedBatch) -> Any:
        return self.change(super().convert(batch))


@attrs.define(eq=False)
class ChangedPartitioner(DefaultPartitioner):
    """A partitioner that changes the result of DefaultPartitioner as a test sets."""

    change: Any

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Any:
        return self.change(super().partition(rows, opened_at))


def _fewer(made: Any) -> Any:
    return attrs.evolve(made, rows=made.rows.slice(1))


def _reversed(made: Any) -> Any:
    return attrs.evolve(made, rows=attrs.evolve(made.rows, offsets=made.rows.offsets[::-1]))


def _other_codes(made: Any) -> Any:
    return attrs.evolve(made, rows=attrs.evolve(made.rows, codes=pa.array([7] * 5, pa.int32())))


def _no_names(made: Any) -> Any:
    return attrs.evolve(made, rows=attrs.evolve(made.rows, encoded_partitions=(None,)))


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (ChangedConverter(lambda made: None), "returned NoneType; it has to return Converted"),
        (ChangedConverter(_fewer), "made 4 rows, 0 rejects and 0 tombstones of 5 records"),
        (ChangedConverter(_reversed), "returned offsets that it was not given, or in another order"),
        (ChangedPartitioner(lambda made: made.rows), "returned PartitionedRows; it has to return Partitioned"),
        (ChangedPartitioner(_fewer), "made 4 rows, 0 rejects and 0 tombstones of 5 rows"),
        (ChangedPartitioner(_other_codes), "returned codes beyond its 1 encoded partition"),
        (ChangedPartitioner(_no_names), "returned an encoded partition that isn't a str"),
    ],
)
def test_results_that_would_lose_records_are_refused(part: Any, problem: str) -> None:
    """The error names class, topic, partition and offsets, and nothing is committed."""
    kind = "converter" if isinstance(part, JsonConverter) else "partitioner"
    with pytest.raises(UsageError, match=rf"{type(part).__name__}\.\w+ at events-0, offsets 0 to 4, {problem}"):
        run(**{kind: part})


def test_transform_that_returns_a_table() -> None:
    """A transform that returns only a table is refused, because the rejects are missing."""
    with pytest.raises(UsageError, match="BrokenTransform at events-0, offsets 0 to 4 returned Table"):
        run(transforms=[BrokenTransform(pa.table({}))])


def test_a_hook_that_raises_does_not_stop_the_task(caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged with the hook's name, its traceback only once; other hooks get the event, and no row is lost."""
    seen: list[Event] = []

    def count_files(event: Event) -> None:
        raise ZeroDivisionError("division by zero")

    world = run(hooks=[count_files, seen.append])
    failures = [record for record in caplog.records if "count_files raised ZeroDivisionError" in record.getMessage()]
    assert "for FlushCut: division by zero. The task goes on." in caplog.text
    assert [True, *[False] * (len(failures) - 1)] == [bool(record.exc_info) for record in failures]
    assert {PartitionAssigned, FlushCut, FilePublished} <= set(map(type, seen))
    assert dict.fromkeys(range(5), 1) == dict(world.offsets())


class BrokenStorage(MemoryStorage):
    """A storage in which one method fails."""

    def __init__(self, operation: str) -> None:
        super().__init__()
        self._operation = operation

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "__dict__").get("_operation"):
            return self._break
        return super().__getattribute__(name)

    def _break(self, *_: object) -> None:
        raise AttributeError("no client")


def test_broken_storage_is_named() -> None:
    """The error names the broken method of the storage."""
    world = SinkWorld()
    world.append(VALUE)
    world.storage = BrokenStorage("publish")
    with pytest.raises(UnexpectedError, match=r"events-0, .*BrokenStorage\._break raised AttributeError: no client"):
        world.run(1, rotation=RecordCountRotation(1))


def test_storage_that_breaks_before_anything_is_read() -> None:
    """The error doesn't name a topic, because none is known yet."""
    world = SinkWorld()
    world.storage = BrokenStorage("probe")
    with pytest.raises(UsageError, match=r"memory://test can't be used: BrokenStorage\._break raised AttributeError"):
        world.run(1)
    assert not world.events
