"""What the delivery engine relies on in a transform, as tests for pytest.

Subclass `TransformContract` in a test module and define its fixtures:

    class TestMyTransform(TransformContract):
        @pytest.fixture
        def make_transform(self): ...    # Callable[[], Transform]

        @pytest.fixture
        def rows(self): ...              # Rows, such as rows_of(pa.table({"price": [1, 2, None, 4]}))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kafka2parquet.rows import Rows, Transformed, without_columns
from kafka2parquet.testing.contracts import samples
from kafka2parquet.transforms.base import Transform

MakeTransform = Callable[[], Transform]


class TransformContract:
    """Checks that every `Transform` has to pass.

    A subclass defines two fixtures: `make_transform`, a function that makes a transform, always with the same settings; and
    `rows`, four rows or more, which `rows_of` makes of a table. The fixture `other_transforms` may return transforms with other
    settings, whose fingerprints must differ.
    """

    @pytest.fixture
    def tombstones(self) -> Rows:
        """Return records without a value."""
        return samples.rows_of(without_columns(8), tombstones=True)

    @pytest.fixture
    def other_transforms(self) -> Sequence[Transform]:
        """Return transforms with other settings, which need other fingerprints. None by default."""
        return ()

    def test_no_row_comes_twice(self, make_transform: MakeTransform, rows: Rows) -> None:
        """Each row is kept, rejected or left out. No row is both kept and rejected, and all rows are among the given ones."""
        _check_once(make_transform().apply(rows), rows)

    def test_rows_keep_their_order(self, make_transform: MakeTransform, rows: Rows) -> None:
        """The offsets of the rows rise, and all columns have the same length."""
        samples.check_order(make_transform().apply(rows).groups)

    def test_rows_have_the_timestamps_of_their_records(self, make_transform: MakeTransform, rows: Rows) -> None:
        """Each row keeps the Kafka timestamp of its record."""
        samples.check_timestamps(make_transform().apply(rows).groups, rows.batch)

    def test_rejects_carry_their_records(self, make_transform: MakeTransform, rows: Rows) -> None:
        """Each reject has the raw bytes of its record, and a reason."""
        samples.check_rejects(make_transform().apply(rows).rejects, rows.batch)

    def test_outcomes_do_not_depend_on_batches(self, make_transform: MakeTransform, rows: Rows) -> None:
        """A row has the same outcome, whatever rows are transformed with it, and as often as one asks."""
        expected = outcomes(make_transform(), [rows])
        transform = make_transform()
        for parts in samples.parts_of(len(rows)):
            assert expected == outcomes(transform, [rows.slice(start, length) for start, length in parts])

    def test_no_tombstone_comes_twice(self, make_transform: MakeTransform, tombstones: Rows) -> None:
        """Records without a value also keep their order, and each of them is kept, rejected or left out."""
        made = make_transform().apply_to_tombstones(tombstones)
        samples.check_order(made.groups)
        _check_once(made, tombstones)

    def test_leaves_the_rows_as_they_were(self, make_transform: MakeTransform, rows: Rows) -> None:
        """The given rows stay unchanged: the engine transforms parts of them again if one of them breaks the transform."""
        before = samples.contents(rows)
        make_transform().apply(rows)

        assert before == samples.contents(rows)

    def test_fingerprint_names_the_settings(
        self, make_transform: MakeTransform, rows: Rows, other_transforms: Sequence[Transform]
    ) -> None:
        """The fingerprint depends on the settings only: neither on the instance nor on what was transformed."""
        used = make_transform()
        used.apply(rows)
        others = [transform.fingerprint for transform in other_transforms]

        samples.check_fingerprints(make_transform().fingerprint, used.fingerprint, others)


def _check_once(made: Transformed, given: Rows) -> None:
    offsets = samples.all_offsets(made.groups, made.rejects)
    assert [] == [offset for offset, times in Counter(offsets).items() if times > 1]
    assert set(offsets) <= set(given.offsets.to_pylist())


def outcomes(transform: Transform, groups: Sequence[Rows]) -> dict[int, Any]:
    """Return what a transform makes of each row, by its offset. Rows that are left out are missing."""
    found: dict[int, Any] = {}
    for rows in groups:
        made = transform.apply(rows)
        found |= samples.row_values(made.groups) | samples.rejected(made.rejects)
    return found
