"""Which texts are times, and which times they are."""

from __future__ import annotations

import datetime
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp
from kafka2parquet.transforms import Cast, ToTimestamp
from kafka2parquet.util.iso_times import cut_off, times_of_texts
from tests.support.batches import batch_of
from tests.support.rows import rows_of

NOON = datetime.datetime(2026, 5, 17, 12, tzinfo=datetime.timezone.utc)
US = pa.timestamp("us", "UTC")
#: Texts, and the microseconds behind noon that they stand for.
TIMES = {
    "2026-05-17T12:00:00Z": 0,
    "2026-05-17t12:00:00z": 0,
    "2026-05-17T12Z": 0,
    "2026-05-17T12:00Z": 0,
    "2026-05-17T17:30:00+0530": 0,
    "2026-05-17T17:00:00+05": 0,
    "2026-05-17T07:30:00-04:30": 0,
    "2026-05-17T12:00:00.1Z": 100_000,
    "2026-05-17T12:00:00,123Z": 123_000,
    "2026-05-17T12:00:00.123456Z": 123_456,
    "2026-05-17T12:00:00.1234567Z": 123_456,
    "2026-05-17T12:00:00.123456789Z": 123_456,
    "2026-05-17T14:00:00,123456789999+02": 123_456,
    "2026-05-17T12:00:00.9999999": 999_999,
    "2026-05-17T12:00:00": 0,
}
NO_TIMES = [
    "",
    "yesterday",
    "2026-05-17T12:00:60Z",
    "2026-12-31T23:59:60Z",
    "2026-05-17T24:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-05-17T12:00:00.Z",
    "2026-05-17T12:00:00+25:00",
    "2026-05-17T12:00:00 Z",
    "2026-05-17T12:00:00Z\n",
    " 2026-05-17T12:00:00Z",
    "2026-05-17Z",
    "٢٠٢٦-05-17T12:00:00Z",
]


def _microseconds(times: pa.Array) -> list[int | None]:
    numbers: list[int | None] = times.cast(pa.int64()).to_pylist()
    return [None if number is None else number - int(NOON.timestamp()) * 1_000_000 for number in numbers]


def _read_by_transform(transform: Cast | ToTimestamp, texts: list[str]) -> list[int | None]:
    transformed = transform.apply(rows_of(pa.table({"at": texts})))
    read = dict(zip(transformed.rows.offsets.to_pylist(), _microseconds(transformed.rows.table["at"]), strict=True))
    return [read.get(offset) for offset in range(len(texts))]


def _read_by_schema(texts: list[str]) -> list[int | None]:
    records = [json.dumps({"at": text}).encode() for text in texts]
    rows = JsonConverter(pa.schema([("at", US)])).convert(batch_of(records)).rows
    read = dict(zip(rows.offsets.to_pylist(), _microseconds(rows.table["at"]), strict=True))
    return [read.get(offset) for offset in range(len(texts))]


def _read_by_extractor(texts: list[str]) -> list[int | None]:
    milliseconds = RecordFieldTimestamp("at").extract(rows_of(pa.table({"at": texts})), NOON).to_pylist()
    noon_ms = int(NOON.timestamp()) * 1000
    return [None if time is None else (time - noon_ms) * 1000 for time in milliseconds]


@pytest.mark.parametrize("texts", [[text] for text in TIMES] + [list(TIMES)], ids=str)
def test_times_are_read_alike_everywhere(texts: list[str]) -> None:
    """A text gives the same time alone and among other texts."""
    expected = [TIMES[text] for text in texts]
    assert expected == _microseconds(times_of_texts(pa.array(texts), "us"))
    assert expected == _read_by_transform(ToTimestamp(["at"]), texts)
    assert expected == _read_by_transform(Cast({"at": "timestamp"}), texts)
    assert expected == _read_by_schema(texts)
    assert [time // 1000 * 1000 for time in expected] == _read_by_extractor(texts)


@pytest.mark.parametrize("texts", [[text] for text in NO_TIMES] + [NO_TIMES], ids=str)
def test_text_that_is_not_a_time_is_null_everywhere(texts: list[str]) -> None:
    """A text that is not a time is null everywhere, and never another time."""
    nothing = [None] * len(texts)
    assert nothing == times_of_texts(pa.array(texts), "us").to_pylist()
    assert nothing == _read_by_transform(ToTimestamp(["at"]), texts)
    assert nothing == _read_by_transform(Cast({"at": "timestamp"}), texts)
    assert nothing == _read_by_schema(texts)
    assert nothing == _read_by_extractor(texts)


def test_a_space_for_t() -> None:
    """A space between date and time is accepted, as databases write it, but not by Kafka Connect's extractor."""
    texts = ["2026-05-17 12:00:00", "2026-05-17"]
    assert [0, -12 * 3600 * 1_000_000] == _microseconds(times_of_texts(pa.array(texts), "us"))
    assert None is _read_by_extractor(texts)[0]


def test_inside_of_lists_and_structs() -> None:
    """A given schema's times are read at any depth."""
    schema = pa.schema([("s", pa.struct([("l", pa.list_(US))]))])
    rows = JsonConverter(schema).convert(batch_of([b'{"s":{"l":["2026-05-17T12:00:00.0000019Z",null]}}'])).rows
    assert [NOON + datetime.timedelta(microseconds=1), None] == rows.table["s"][0].as_py()["l"]


@pytest.mark.parametrize("type_", [pa.timestamp("ns", "UTC"), pa.timestamp("ms"), pa.timestamp("s", "Europe/Paris")])
def test_other_units_of_a_given_schema(type_: pa.DataType) -> None:
    """Times have the digits of the schema's unit."""
    converted = JsonConverter(pa.schema([("at", type_)])).convert(batch_of([b'{"at":"2026-05-17T14:00:00.1234567899+02:00"}']))
    digits = {"s": 0, "ms": 123, "ns": 123_456_789}[type_.unit]
    per_second = {"s": 1, "ms": 1000, "ns": 10**9}[type_.unit]
    assert [int(NOON.timestamp()) * per_second + digits] == converted.rows.table["at"].cast(pa.int64()).to_pylist()


def test_number_in_a_column_of_times() -> None:
    """The reason names the column's type, not how it is read."""
    (reject,) = JsonConverter(pa.schema([("at", US)])).convert(batch_of([b'{"at":5}'])).rejects
    assert "field at: an integer where timestamp[us, tz=UTC] is expected" == reject.reason


@given(st.lists(st.none() | st.sampled_from([*TIMES, *NO_TIMES, "9999-12-31T23:59:59.9999999Z", "1500-01-01"]), max_size=8))
def test_each_text_is_read_by_itself(texts: list[str | None]) -> None:
    """The texts beside a text and the type of the texts don't influence the result."""
    for unit in ("s", "ms", "us", "ns"):
        together = times_of_texts(pa.array(texts, pa.large_string()), unit).cast(pa.int64()).to_pylist()
        alone = [times_of_texts(pa.array([text], pa.string()), unit).cast(pa.int64())[0].as_py() for text in texts]
        assert alone == together


@given(st.integers(-(2**61), 2**61), st.sampled_from(["s", "ms", "us", "ns"]))
def test_digits_are_cut_off_to_the_time_before(nanoseconds: int, unit: str) -> None:
    """Further digits are cut off, also before 1970."""
    per_unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    times = cut_off(pa.array([nanoseconds, None], pa.timestamp("ns", "Europe/Paris")), unit)
    assert (pa.timestamp(unit, "Europe/Paris"), [nanoseconds // per_unit, None]) == (
        times.type,
        times.cast(pa.int64()).to_pylist(),
    )
