"""What the delivery engine relies on in a partitioner, as tests for pytest.

Subclass `PartitionerContract` in a test module and define its fixtures:

    class TestMyPartitioner(PartitionerContract):
        @pytest.fixture
        def make_partitioner(self): ...  # Callable[[], Partitioner]

        @pytest.fixture
        def rows(self): ...              # Rows, such as rows_of(pa.table({"country": ["FR", "DE", None, "FR"]}))
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.rows import Rows
from kafka2parquet.testing.contracts import samples

MakePartitioner = Callable[[], Partitioner]


class PartitionerContract:
    """Checks that every `Partitioner` has to pass.

    A subclass defines two fixtures: `make_partitioner`, a function that makes a partitioner, always with the same settings;
    and `rows`, four rows or more, which `rows_of` makes of a table. The fixture `other_partitioners` may return partitioners
    with other settings, whose fingerprints must differ.
    """

    @pytest.fixture
    def other_partitioners(self) -> Sequence[Partitioner]:
        """Return partitioners with other settings, which need other fingerprints. None by default."""
        return ()

    def test_each_row_has_one_outcome(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """Every row is partitioned or a reject, exactly once."""
        made = make_partitioner().partition(rows, samples.NOON)

        assert rows.offsets.to_pylist() == samples.all_offsets(made.rows.rows.groups, made.rejects)

    def test_rows_stay_as_they_are(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """Partitioned rows keep their order and their columns."""
        groups = make_partitioner().partition(rows, samples.NOON).rows.rows.groups
        samples.check_order(groups)
        given = samples.row_values([rows])

        assert {offset: given[offset] for offset in samples.all_offsets(groups)} == samples.row_values(groups)

    def test_each_row_has_a_folder(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """`codes` has an index into `encoded_partitions` for each row; these are distinct texts."""
        made = make_partitioner().partition(rows, samples.NOON).rows

        assert pa.int32() == made.codes.type
        assert len(made.rows) == len(made.codes)
        assert set(made.codes.to_pylist()) <= set(range(len(made.encoded_partitions)))
        assert all(isinstance(folder, str) for folder in made.encoded_partitions)
        assert len(set(made.encoded_partitions)) == len(made.encoded_partitions)

    def test_each_row_has_a_time(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """A partitioner by time gives the time that it used for each row; others give the records' Kafka timestamps."""
        partitioner = make_partitioner()
        made = partitioner.partition(rows, samples.NOON).rows

        assert (pa.int64(), len(made.rows)) == (made.timestamps_ms.type, len(made.timestamps_ms))
        if partitioner.time_based:
            assert 0 == made.timestamps_ms.null_count
        else:
            assert made.rows.timestamps_ms.to_pylist() == made.timestamps_ms.to_pylist()

    def test_rejects_carry_their_records(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """Each reject has the raw bytes of its record, and a reason."""
        samples.check_rejects(make_partitioner().partition(rows, samples.NOON).rejects, rows.batch)

    def test_outcomes_do_not_depend_on_batches(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """A row goes to the same folder, or is a reject, whatever rows are partitioned with it, and as often as one asks."""
        expected = outcomes(make_partitioner(), [rows])
        partitioner = make_partitioner()
        for parts in samples.parts_of(len(rows)):
            assert expected == outcomes(partitioner, [rows.slice(start, length) for start, length in parts])

    def test_outcomes_depend_on_the_clock_only_if_it_says_so(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """The engine partitions rows again for each flush only if `uses_clock` is true."""
        partitioner = make_partitioner()
        later = samples.NOON + datetime.timedelta(days=400, hours=7, minutes=13)

        assert partitioner.uses_clock or outcomes(partitioner, [rows]) == outcomes(partitioner, [rows], later)

    def test_leaves_the_rows_as_they_were(self, make_partitioner: MakePartitioner, rows: Rows) -> None:
        """The given rows stay unchanged: the engine may partition them again."""
        before = samples.contents(rows)
        make_partitioner().partition(rows, samples.NOON)

        assert before == samples.contents(rows)

    def test_fingerprint_names_the_settings(
        self, make_partitioner: MakePartitioner, rows: Rows, other_partitioners: Sequence[Partitioner]
    ) -> None:
        """The fingerprint depends on the settings only: neither on the instance nor on what was partitioned."""
        used = make_partitioner()
        used.partition(rows, samples.NOON)
        others = [partitioner.fingerprint for partitioner in other_partitioners]

        samples.check_fingerprints(make_partitioner().fingerprint, used.fingerprint, others)


def outcomes(partitioner: Partitioner, groups: Sequence[Rows], opened_at: datetime.datetime = samples.NOON) -> dict[int, Any]:
    """Return folder and time of each row, or the stage at which the row was rejected, by offset."""
    found: dict[int, Any] = {}
    for rows in groups:
        made = partitioner.partition(rows, opened_at)
        folders = [made.rows.encoded_partitions[code] for code in made.rows.codes.to_pylist()]
        places = zip(folders, made.rows.timestamps_ms.to_pylist(), strict=True)
        found |= dict(zip(made.rows.rows.offsets.to_pylist(), places, strict=True))
        found |= samples.rejected(made.rejects)
    return found
