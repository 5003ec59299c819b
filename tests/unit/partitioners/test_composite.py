"""CompositePartitioner: nested folders."""

from __future__ import annotations

import datetime

import pyarrow as pa
import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.composite import CompositePartitioner
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.partitioners.per_record import PerRecordPartitioner
from kafka2parquet.partitioners.time import DailyPartitioner, HourlyPartitioner
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp, WallclockTimestamp
from kafka2parquet.records import Stage
from kafka2parquet.rows import Partitioned, Row
from tests.support.rows import rows_of

NOON = datetime.datetime(2026, 5, 17, 12, tzinfo=datetime.timezone.utc)
NOON_MS = 1_779_019_200_000
DAY_MS = 86_400_000


class Parity(PerRecordPartitioner):
    """Puts even and odd numbers into two folders, and refuses 13."""

    fingerprint = "parity"

    def encode(self, row: Row) -> str:
        if row.values["n"] == 13:
            raise ValueError("unlucky")
        return "even" if row.values["n"] % 2 == 0 else "odd"


def _folders(partitioned: Partitioned) -> list[str]:
    return [partitioned.rows.encoded_partitions[code] for code in partitioned.rows.codes.to_pylist()]


def _partition(partitioner: Partitioner, **columns: list[object]) -> Partitioned:
    return partitioner.partition(rows_of(pa.table(columns)), NOON)


def _daily() -> DailyPartitioner:
    return DailyPartitioner(timestamp_extractor=RecordFieldTimestamp("at"))


def test_field_then_time() -> None:
    """The first partitioner's folder is the outer one."""
    partitioned = _partition(
        CompositePartitioner(FieldPartitioner(["country"]), _daily()),
        country=["FR", "DE", "FR", "FR"],
        at=[NOON_MS, NOON_MS, NOON_MS + DAY_MS, NOON_MS],
    )
    assert [
        "country=FR/year=2026/month=05/day=17",
        "country=DE/year=2026/month=05/day=17",
        "country=FR/year=2026/month=05/day=18",
        "country=FR/year=2026/month=05/day=17",
    ] == _folders(partitioned)


def test_each_folder_is_there_once() -> None:
    """The folders are distinct, and each folder has rows."""
    partitioned = _partition(
        CompositePartitioner(FieldPartitioner(["a"]), FieldPartitioner(["b"])), a=[1, 2, 1], b=["x", "y", "x"]
    )
    assert ["a=1/b=x", "a=2/b=y"] == sorted(partitioned.rows.encoded_partitions)


def test_three_levels_and_a_delimiter() -> None:
    """Any number of partitioners can be combined, with any delimiter."""
    composite = CompositePartitioner(DefaultPartitioner(), Parity(), FieldPartitioner(["n"]), directory_delimiter="|")
    assert ["partition=0|odd|n=1"] == _folders(_partition(composite, n=[1]))


def test_times_are_those_of_the_partitioner_by_time() -> None:
    """The times come from the time-based partitioner, wherever it stands."""
    columns: dict[str, list[object]] = {"country": ["FR"], "at": [NOON_MS]}
    for order in ([FieldPartitioner(["country"]), _daily()], [_daily(), FieldPartitioner(["country"])]):
        assert [NOON_MS] == _partition(CompositePartitioner(*order), **columns).rows.timestamps_ms.to_pylist()


def test_times_without_a_partitioner_by_time() -> None:
    """Without a time-based partitioner the times are Kafka's timestamps."""
    partitioned = _partition(CompositePartitioner(Parity(), FieldPartitioner(["n"])), n=[1, 2])
    assert [0, 1000] == partitioned.rows.timestamps_ms.to_pylist()


def test_rejects_of_all_partitioners() -> None:
    """A row that one partitioner rejects is left out by all, and reported once."""
    partitioned = _partition(
        CompositePartitioner(Parity(), _daily()), n=[1, 13, 3, 4, 13], at=[NOON_MS, NOON_MS, None, NOON_MS + DAY_MS, None]
    )
    assert ["odd/year=2026/month=05/day=17", "even/year=2026/month=05/day=18"] == _folders(partitioned)
    assert ([0, 3], [NOON_MS, NOON_MS + DAY_MS]) == (
        partitioned.rows.rows.offsets.to_pylist(),
        partitioned.rows.timestamps_ms.to_pylist(),
    )
    assert [(1, Stage.PARTITION), (4, Stage.PARTITION), (2, Stage.TIMESTAMP)] == [
        (reject.offset, reject.stage) for reject in partitioned.rejects
    ]


@pytest.mark.parametrize("columns", [{"n": [13], "at": [NOON_MS]}, {"n": [1], "at": [None]}])
def test_all_rejected(columns: dict[str, list[object]]) -> None:
    """If all rows are rejected, the result is empty, whichever partitioner rejects them."""
    partitioned = _partition(CompositePartitioner(Parity(), _daily()), **columns)
    assert (0, 1) == (len(partitioned.rows), len(partitioned.rejects))


def test_it_is_by_time_and_by_clock_as_its_parts_are() -> None:
    """The combination is time-based or uses the clock if one of its partitioners does."""
    by_clock = CompositePartitioner(Parity(), HourlyPartitioner(timestamp_extractor=WallclockTimestamp()))
    by_field = CompositePartitioner(Parity(), FieldPartitioner(["n"]))
    assert ((True, True), (False, False)) == (
        (by_clock.time_based, by_clock.uses_clock),
        (by_field.time_based, by_field.uses_clock),
    )


def test_clock_gives_the_folder() -> None:
    """The time at which the flush was opened is passed to the inner partitioner."""
    composite = CompositePartitioner(Parity(), HourlyPartitioner(timestamp_extractor=WallclockTimestamp()))
    assert ["odd/year=2026/month=05/day=17/hour=12"] == _folders(_partition(composite, n=[1]))


def test_fingerprint_names_all_and_their_order() -> None:
    """The fingerprint depends on all partitioners and on their order."""
    field, daily = FieldPartitioner(["country"]), _daily()
    names = {CompositePartitioner(*order).fingerprint for order in ([field, daily], [daily, field], [field, Parity()])}
    assert 3 == len(names)


def test_a_single_partitioner_is_refused() -> None:
    """A single partitioner is refused, because it is probably a mistake."""
    with pytest.raises(ConfigurationError, match="two partitioners or more"):
        CompositePartitioner(Parity())


def test_two_times_are_refused() -> None:
    """Two time-based partitioners are refused, because a row has one time."""
    with pytest.raises(ConfigurationError, match="only one of partitioners may be by time"):
        CompositePartitioner(_daily(), HourlyPartitioner())
