"""Folders and times of records, and the moments of a schedule."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.files_and_rotation import make_extractor, make_inner_partitioner
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.path_format import PathFormat, normalize
from kafka2parquet.partitioners.time import TimeBasedPartitioner
from kafka2parquet.partitioners.timestamps import RecordFieldTimestamp, RecordTimestamp, TimestampExtractor
from kafka2parquet.rotation.policies import next_boundary as moment_of_schedule
from kafka2parquet.rows import Rows
from kafka2parquet.util.time_zones import time_zone
from tests.acceptance.cases import CaseFolder
from tests.acceptance.functions.reading import raise_for, rows_of_value
from tests.acceptance.outcome import CaseError
from tests.acceptance.sink import TOLERANT, Sink
from tests.acceptance.stored import Stored

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MILLISECOND = datetime.timedelta(milliseconds=1)
_HOURLY = "io.confluent.connect.storage.partitioner.HourlyPartitioner"
_WRAPPED = "Error encoding partition. "
_IN_PATH_FORMAT = "for configuration path.format: "


def next_boundary(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the next moment of a schedule."""
    zone = time_zone(given["timezone"])
    moment = moment_of_schedule(_moment(given["now_ms"]), given["period_ms"] * _MILLISECOND, zone)
    return {"value": (moment - _EPOCH) // _MILLISECOND, "local": moment.astimezone(zone).isoformat()}


def encode_partition(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the folder of a record, taken from the file of a sink that writes only this record."""
    record = given["record"]
    tolerant = {**TOLERANT, "flush.size": "1"}
    sink = Sink(folder, {**given["config"], **tolerant})
    sink.clock.set(given.get("now_ms", sink.clock.now_ms))
    sink.put([record])
    if sink.error is not None:
        raise CaseError("ConnectException", str(sink.error))
    raise_for(sink.reports)
    stored: Stored = next(iter(sink.objects().values()))
    return {
        "value": stored.folder,
        "extractor_is_set": sink.config.is_set("timestamp.extractor"),
        "folder_by_record_time": _folder_by_record_time(sink.config, record.get("timestamp")),
    }


def _folder_by_record_time(config: ConnectConfig, timestamp_ms: int | None) -> str | None:
    """Returns the folder by the record's own timestamp, or None if folders don't depend on time."""
    partitioner = make_inner_partitioner(config, RecordTimestamp())
    if timestamp_ms is None or not isinstance(partitioner, TimeBasedPartitioner):
        return None
    return partitioner.encode(timestamp_ms)


def extract_timestamp(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the time of a record from the configured source."""
    config = folder.config({"partitioner.class": _HOURLY}, given["config"])
    extractor = make_extractor(config)
    if isinstance(extractor, RecordFieldTimestamp) and given.get("default_zone"):
        extractor = RecordFieldTimestamp(config.text("timestamp.field"), timezone=given["default_zone"])
    record = given["record"]
    rows = rows_of_value(record.get("value"), record.get("value_schema"), folder, timestamp_ms=record.get("timestamp"))
    time: int | None = extractor.extract(rows, _moment(given.get("now_ms", 0)))[0].as_py()
    if time is None:
        raise _unusable(extractor, rows)
    return {"value": time}


def nested_field(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the value at a dotted path, as far as it can be read as a time."""
    try:
        of_field = {"timestamp.extractor": "RecordField", "timestamp.field": given["path"] or ""}
        extractor = make_extractor(folder.config({"partitioner.class": _HOURLY}, of_field))
    except ConfigurationError as error:
        raise CaseError("ConfigException", str(error)) from None
    rows = rows_of_value(given["value"], given["value_schema"], folder)
    time: int | None = extractor.extract(rows, _EPOCH)[0].as_py()
    if time is None:
        unusable = _unusable(extractor, rows)
        inner = unusable.message.removeprefix(_WRAPPED)  # what an extractor makes of the failure stands before it
        raise unusable if inner == unusable.message else CaseError("DataException", inner)
    return {"value": time}


def format_path(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Formats a time as a folder."""
    local = _moment(given["instant_ms"]).astimezone(time_zone(given["timezone"]))
    try:
        return {"value": PathFormat(given["pattern"], given["locale"]).format(local)}
    except ConfigurationError as error:
        raise CaseError("IllegalArgumentException", str(error).partition(_IN_PATH_FORMAT)[2]) from None


def normalize_path_format(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the pattern in the form in which it is used."""
    try:
        return {"value": normalize(given["path.format"], given["directory.delim"])}
    except ConfigurationError as error:
        raise CaseError("ConfigException", str(error)) from None


def _moment(milliseconds: int) -> datetime.datetime:
    return _EPOCH + milliseconds * _MILLISECOND


def _unusable(extractor: TimestampExtractor, rows: Rows) -> CaseError:
    unusable = extractor.explain(rows, 0)
    return CaseError(unusable.exception.rpartition(".")[2], unusable.reason)
