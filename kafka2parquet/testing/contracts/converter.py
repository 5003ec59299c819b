"""What the delivery engine relies on in a converter, as tests for pytest.

Subclass `ConverterContract` in a test module and define its fixtures:

    class TestMyConverter(ConverterContract):
        @pytest.fixture
        def make_converter(self): ...    # Callable[[], RecordConverter]

        @pytest.fixture
        def values(self): ...            # Sequence[bytes]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.testing.contracts import samples

MakeConverter = Callable[[], RecordConverter]


class ConverterContract:
    """Checks that every `RecordConverter` has to pass.

    A subclass defines two fixtures: `make_converter`, a function that makes a converter, always with the same settings; and
    `values`, four values or more, some of which should be rejects. The fixture `other_converters` may return converters with
    other settings, whose fingerprints must differ.
    """

    @pytest.fixture
    def other_converters(self) -> Sequence[RecordConverter]:
        """Return converters with other settings, which need other fingerprints. None by default."""
        return ()

    def test_each_record_has_one_outcome(self, make_converter: MakeConverter, values: Sequence[bytes]) -> None:
        """Every record is a row, a reject or a tombstone, exactly once."""
        batch = samples.batch_of(values)
        made = make_converter().convert(batch)

        assert batch.offsets.to_pylist() == samples.all_offsets(made.groups, made.rejects, made.tombstones)

    def test_rows_keep_the_order_of_the_batch(self, make_converter: MakeConverter, values: Sequence[bytes]) -> None:
        """The offsets of the rows rise, and all columns have the same length."""
        samples.check_order(make_converter().convert(samples.batch_of(values)).groups)

    def test_rows_have_the_timestamps_of_their_records(self, make_converter: MakeConverter, values: Sequence[bytes]) -> None:
        """Each row has the Kafka timestamp of its record; null if the record has none."""
        batch = samples.batch_of(values)
        samples.check_timestamps(make_converter().convert(batch).groups, batch)

    def test_rejects_carry_their_records(self, make_converter: MakeConverter, values: Sequence[bytes]) -> None:
        """Each reject has the raw bytes of its record, and a reason."""
        batch = samples.batch_of(values)
        samples.check_rejects(make_converter().convert(batch).rejects, batch)

    def test_outcomes_do_not_depend_on_batches(self, make_converter: MakeConverter, values: Sequence[bytes]) -> None:
        """A record becomes the same row, reject or tombstone, however the records were split into batches."""
        batch = samples.batch_of(values)
        expected = outcomes(make_converter(), [batch])
        for parts in samples.parts_of(len(batch)):
            assert expected == outcomes(make_converter(), [batch.slice(start, length) for start, length in parts])

    def test_converts_a_batch_again(self, make_converter: MakeConverter, values: Sequence[bytes]) -> None:
        """The engine may pass records again, for example after a service was down: the outcomes are the same."""
        converter, batch = make_converter(), samples.batch_of(values)

        assert outcomes(converter, [batch]) == outcomes(converter, [batch])

    def test_leaves_the_batch_as_it_was(self, make_converter: MakeConverter, values: Sequence[bytes]) -> None:
        """The batch stays unchanged: rejects and metadata columns are made from the same columns."""
        batch = samples.batch_of(values)
        before = samples.contents(batch)
        make_converter().convert(batch)

        assert before == samples.contents(batch)

    def test_fingerprint_names_the_settings(
        self, make_converter: MakeConverter, values: Sequence[bytes], other_converters: Sequence[RecordConverter]
    ) -> None:
        """The fingerprint depends on the settings only: neither on the instance nor on what was converted."""
        used = make_converter()
        used.convert(samples.batch_of(values))
        others = [converter.fingerprint for converter in other_converters]

        samples.check_fingerprints(make_converter().fingerprint, used.fingerprint, others)


def outcomes(converter: RecordConverter, batches: Sequence[ConsumedBatch]) -> dict[int, Any]:
    """Return what a converter makes of each record, by its offset."""
    found: dict[int, Any] = {}
    for batch in batches:
        made = converter.convert(batch)
        tombstones = [] if made.tombstones is None else made.tombstones.to_pylist()
        found |= samples.row_values(made.groups) | samples.rejected(made.rejects) | dict.fromkeys(tombstones, "tombstone")
    return found
