"""A user's converter for a format decodes one record at a time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters import PerRecordConverter
from kafka2parquet.errors import ConfigurationError, UsageError
from kafka2parquet.schema import LearnedSchema
from tests.support.batches import batch_of

NAMES = {"datetime": datetime}


class Literals(PerRecordConverter):
    """Converts values that are Python literals."""

    def decode(self, value: bytes) -> Mapping[str, Any] | None:
        if value == b"broken":
            raise ValueError("it is broken")
        return eval(value, NAMES)  # type: ignore[no-any-return]


def texts(*values: object) -> list[bytes]:
    return [value if isinstance(value, bytes) else repr(value).encode() for value in values]


def test_columns_are_learned() -> None:
    """Learned columns have the types of the Python values, and nulls for missing members."""
    day = datetime.date(2026, 5, 17)
    converted = Literals().convert(batch_of(texts({"a": 1, "b": "x"}, {"a": 2, "day": day, "tags": ["t"]}, {"flag": True})))
    assert [
        {"a": 1, "b": "x", "day": None, "tags": None, "flag": None},
        {"a": 2, "b": None, "day": day, "tags": ["t"], "flag": None},
        {"a": None, "b": None, "day": None, "tags": None, "flag": True},
    ] == converted.rows.table.to_pylist()
    assert not converted.rejects


def test_bad_records_are_rejects_with_their_reasons() -> None:
    """Records that can't be decoded, or have other types than known, are rejects with the reason."""
    values = texts({"a": 1}, b"broken", {"a": "one"}, {"a": 2}, {"a": 1 << 70}, {"a": object})
    converted = Literals().convert(batch_of([*values[:5], b"{'a': datetime}"]))
    assert [1, 2] == converted.rows.table["a"].to_pylist()
    assert [0, 3] == converted.rows.offsets.to_pylist()
    reasons = {reject.offset: reject.reason for reject in converted.rejects}
    assert [1, 2, 4, 5] == list(reasons)
    assert ("it is broken", "a: int64 and string") == (reasons[1], reasons[2])


def test_none_is_a_tombstone() -> None:
    """A record for which `decode` returns None is reported as a tombstone."""
    converted = Literals().convert(batch_of(texts({"a": 1}, None, {"a": 3})))
    assert converted.tombstones is not None
    assert ([1, 3], [1]) == (converted.rows.table["a"].to_pylist(), converted.tombstones.to_pylist())


def test_a_schema_that_is_given() -> None:
    """A given schema determines the columns, and records that don't fit are rejects."""
    schema = pa.schema([("a", pa.int32()), ("price", pa.decimal128(9, 2))])
    values = texts({"a": 1}, {"a": 1 << 40}, {"b": 1}, {"price": "x"}, {}, {"a": 5})
    converted = Literals(schema).convert(batch_of(values))
    assert schema == converted.rows.table.schema
    assert [1, None, 5] == converted.rows.table["a"].to_pylist()
    assert [0, 4, 5] == converted.rows.offsets.to_pylist()
    assert "the schema has no column b" == converted.rejects[1].reason


def test_records_without_members() -> None:
    """Records without members are rows without columns."""
    converted = Literals().convert(batch_of(texts({}, {})))
    assert (2, 0) == (len(converted.rows), converted.rows.table.num_columns)


def test_large_integers_never_become_doubles() -> None:
    """A fraction after a large integer is a reject, and after small integers the column becomes double."""
    learned = LearnedSchema()
    converter = Literals(learned=learned)
    converter.convert(batch_of(texts({"small": 1, "large": (1 << 53) + 1})))
    converted = converter.convert(batch_of(texts({"small": 0.5}, {"large": 0.5})))
    assert [pa.float64(), pa.int64()] == learned.schema.types
    assert [0] == converted.rows.offsets.to_pylist()


@pytest.mark.parametrize("returned", ["[1]", "'text'", "{1: 2}"])
def test_something_else_than_a_mapping_ends_the_task(returned: str) -> None:
    """Returning something else than a mapping is an error with class, topic-partition and offset."""
    with pytest.raises(UsageError, match=r"topic-0, offset 1: Literals\.decode returned \w+\. It has to return a mapping"):
        Literals().convert(batch_of([b"{}", returned.encode()]))


def test_constructor_checks_its_arguments() -> None:
    """The error for a wrong argument names the subclass that was called."""
    with pytest.raises(ConfigurationError, match="Literals: schema has to be a Schema, not a dict"):
        Literals({"a": "int"})


MEMBERS = st.dictionaries(
    st.sampled_from("abc"),
    st.none()
    | st.booleans()
    | st.integers(-(1 << 62), 1 << 62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    max_size=3,
)


@given(records=st.lists(MEMBERS, max_size=8), cut=st.integers(0, 8))
def test_batches_do_not_matter(records: list[dict[str, Any]], cut: int) -> None:
    """The same records become the same rows and rejects, however they are polled."""

    def outcome(*batches: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
        converter, first, kept, bad = Literals(), 0, [], []
        for batch in batches:
            if batch:
                converted = converter.convert(batch_of(texts(*batch), first_offset=first))
                kept += converted.rows.offsets.to_pylist()
                bad += [reject.offset for reject in converted.rejects]
                first += len(batch)
        return kept, bad

    assert outcome(records) == outcome(records[:cut], records[cut:]) == outcome(*([record] for record in records))
