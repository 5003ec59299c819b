"""Where kafka2parquet differs from Confluent's sink on purpose: each rule checks that what it does instead was really seen.

The rules are the table at the end of the cases' README. A rule is asked only for runs that aren't as the case requires; it
gives the reason, or None where what was seen isn't the documented behaviour either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kafka2parquet.connect.parts import files_and_rotation
from kafka2parquet.errors import ForeignObjectError
from kafka2parquet.partitioners.time import TimeBasedPartitioner
from tests.acceptance.cases import Case
from tests.acceptance.compare import Mismatch, offsets_of, rows_of
from tests.acceptance.outcome import CaseError
from tests.acceptance.scripted_consumer import partition_of
from tests.acceptance.steps import Run


def reason(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """Returns why the run may differ from what the case requires, or None if it may not."""
    rules = (_existing_object, _committed_position, _schemaless, _no_second_copy, _record_time, _flush_clock, _quiet_partition)
    return next((why for rule in rules if (why := rule(case, run, found)) is not None), None)


def _existing_object(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """An object that the library didn't write stops its topic-partition, and nothing is replaced."""
    error = run.sink.error
    if not isinstance(error, ForeignObjectError) or error.key not in case.data.get("existing", ()):
        return None
    names_both = error.key in str(error) and re.search(r"offsets \d+ to \d+, of the flush \[\d+, \d+\)", str(error))
    if run.sink.changed_existing() or not names_both:
        return None
    stored = run.sink.objects()[error.key]
    committed = run.committed.get(run.name(stored.topic_partition), 0)
    if committed > min(stored.offsets) or any(count > 1 for counts in rows_of(run).values() for count in counts.values()):
        return None
    return "an object that something else wrote is never replaced: its topic-partition stops with an error"


def _committed_position(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """Positions are committed, also past records that leave nothing to be written."""
    for mismatch in found:
        if not (mismatch.what == "committed" or mismatch.what.endswith("may be committed")):
            return None
        if not isinstance(mismatch.expected, dict) or not mismatch.expected.keys() <= mismatch.seen.keys():
            return None
        for name, position in mismatch.seen.items():
            if position < mismatch.expected.get(name, 0) or any(_written_between(run, name, mismatch.expected, position)):
                return None
    return "the position is committed, also past records that are skipped" if found else None


def _written_between(run: Run, name: str, expected: Mapping[str, int], position: int) -> Iterator[int]:
    """Returns the records between two positions that had to be written."""
    tp = partition_of(name, run.sink.default_topic)
    rejected = {reject.offset for reject in run.sink.happened.rejects if reject.topic_partition == tp}
    for offset, message in run.sink.broker.log(tp).records.items():
        if expected.get(name, 0) <= offset < position and offset not in rejected and message.value is not None:
            yield offset


def _schemaless(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """Records without a schema are written, too."""
    schemaless = [record for record in _records(case) if record.get("value_schema") is None and record.get("value") is not None]
    if not schemaless or case.required.get("error") is None or run.sink.error is not None:
        return None
    return "schemaless JSON becomes Parquet" if _keeps(run, schemaless) else None


def _no_second_copy(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """Where Confluent's sink repeats rows after a crash, or replaces an object by a larger one, this sink does neither."""
    offsets = [
        (run.sink.topic_partition_of(key), offset)
        for key, described in case.required.get("objects", {}).items()
        for offset in offsets_of(described)
        if described.get("role", "values") == "values"
    ]
    asks_twice = run.objects_before_crash is not None or "existing" in case.data
    if not asks_twice and not any("fault" in step for step in case.data["steps"]):
        return None
    before = run.objects_before_crash or {}
    replaced = [
        key
        for key, described in case.required.get("objects", {}).items()
        if key in before and offsets_of(described) != list(before[key].offsets)
    ]
    if not case.required.get("duplicate_offsets") and len(set(offsets)) == len(offsets) and not replaced:
        return None
    unchanged = all(key in run.final.objects and not run.sink.content_changed_since_crash(key) for key in before)
    if run.sink.error is not None or not unchanged or not _keeps(run, list(_records(case))):
        return None
    return "rows are written exactly once, and objects never replaced"


def _record_time(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """Without an extractor, the record's own timestamp decides, and the configuration's warnings say so."""
    config = run.sink.config
    if not config.partitioner.time_based or config.is_set("timestamp.extractor") or run.sink.error is not None:
        return None
    if not any("timestamp.extractor" in warning.properties for warning in config.warnings):
        return None
    return "the record's own timestamp where no extractor is set" if _in_folders_by_time(case, run, by_flush=False) else None


def _flush_clock(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """With the wall clock, all rows of a flush go to the folder of the time at which it was opened."""
    if run.sink.config.extractor != "Wallclock" or run.sink.error is not None:
        return None
    return "the clock at which the flush was opened" if _in_folders_by_time(case, run, by_flush=True) else None


def _in_folders_by_time(case: Case, run: Run, *, by_flush: bool) -> bool:
    partitioner = files_and_rotation.make_inner_partitioner(run.sink.config)
    if not isinstance(partitioner, TimeBasedPartitioner) or not _keeps(run, list(_records(case))):
        return False
    for key, described in case.required.get("objects", {}).items():  # Confluent's sink asks the clock when a record comes
        tp, folder = run.sink.topic_partition_of(key), run.sink.folder_of(key)
        clocks = [run.sink.put_at_ms.get((tp, offset), ()) for offset in offsets_of(described)]
        if any(_folder_of_time(folder) not in map(partitioner.encode, known) for known in clocks):
            return False
    for stored in run.final.objects.values():
        log = run.sink.broker.log(stored.topic_partition)
        times = [stored.opened_at_ms if by_flush else log.records[offset].timestamp_ms for offset in stored.offsets]
        if any(time is None or partitioner.encode(time) != _folder_of_time(stored.folder) for time in times):
            return False
    return True


def _folder_of_time(folder: str | None) -> str:
    """Returns an encoded partition without the folder of a schema's name."""
    return "/".join(part for part in (folder or "").split("/") if not part.startswith("schema_name="))


def _quiet_partition(case: Case, run: Run, found: Sequence[Mismatch]) -> str | None:
    """A flush ends when it has been open for the interval by the wall clock, even without another record."""
    interval_ms = run.sink.config.number("rotate.interval.ms")
    by_the_clock = [
        known
        for known in run.sink.happened.cuts
        if known.cut.reason == "interval"
        and not known.records_came
        and known.at_ms - _opened_at_ms(run, known.cut.start) >= interval_ms
    ]
    if interval_ms <= 0 or not by_the_clock or run.sink.error is not None:
        return None
    if not _keeps(run, list(_records(case))) or not _same_folders(case, run):
        return None
    return "a quiet topic-partition is flushed once it has been open for the interval by the wall clock"


def _opened_at_ms(run: Run, start: int) -> int:
    """Returns the time at which the flush whose rows begin at `start` was opened."""
    known = [o.opened_at_ms for o in run.final.objects.values() if o.opened_at_ms is not None and min(o.offsets) >= start]
    return min(known, default=1 << 62)


def _same_folders(case: Case, run: Run) -> bool:
    """Returns whether every row that the case has in an object is in one, in the same folder."""
    seen = {(o.topic_partition, offset, o.role): o.folder for o in run.final.objects.values() for offset in o.offsets}
    for key, described in case.required.get("objects", {}).items():
        tp, folder = run.sink.topic_partition_of(key), run.sink.folder_of(key)
        role = described.get("role", "values")
        if any(seen.get((tp, offset, role)) != folder for offset in offsets_of(described)):
            return False
    return True


def _records(case: Case) -> Iterator[Mapping[str, Any]]:
    for step in case.data["steps"]:
        yield from step.get("put", ())
        if "put_range" in step:
            described = step["put_range"]
            for number in range(described["count"]):
                yield {**described, "offset": described["first_offset"] + number}


def _keeps(run: Run, records: Sequence[Mapping[str, Any]]) -> bool:
    """Returns whether each record is in exactly one object, or open, rejected, or without a value."""
    counts = rows_of(run)
    if any(count > 1 for offsets in counts.values() for count in offsets.values()):
        return False
    rejected = {(run.name(reject.topic_partition), reject.offset) for reject in run.sink.happened.rejects}
    for record in records:
        topic = record.get("topic", run.sink.default_topic)
        name = run.name(partition_of(f"{topic}-{record['partition']}", topic))
        offset = record["offset"]
        known = counts.get(name, {}).get(offset) or offset in run.final.open_offsets.get(name, ()) or (name, offset) in rejected
        if not known and record.get("value") is not None:
            return False
    return True


# ---- functions


def reason_of_answer(case: Case, seen: Mapping[str, Any] | CaseError, found: Sequence[Mismatch]) -> str | None:
    """Returns why the answer of a function may differ from what the case requires, or None if it may not."""
    rule = _RULES_OF_FUNCTIONS.get(case.data["function"])
    return None if rule is None else rule(case.data["given"], case.required, seen)


def _conditional(given: Mapping[str, Any], required: Mapping[str, Any], seen: Any) -> str | None:
    """Objects are created, never replaced, whatever the configuration says."""
    if required.get("value") is False and not isinstance(seen, CaseError) and seen["value"] is True:
        return "an object that exists is never replaced, under any configuration"
    return None


def _condition_sent(given: Mapping[str, Any], required: Mapping[str, Any], seen: Any) -> str | None:
    """The store gets the setting with each object, too."""
    if isinstance(seen, CaseError) or seen["value"] != {"If-None-Match": "*"}:
        return None
    return "an object that exists is never replaced, under any configuration"


def _exists(given: Mapping[str, Any], required: Mapping[str, Any], seen: Any) -> str | None:
    """An existing object's owner is read from the object; if that is forbidden, the topic-partition stops."""
    forbidden = given.get("head") is not None and given["head"]["status"] == 403
    if forbidden and isinstance(seen, CaseError) and "s3:GetObject" in seen.message:
        return "an object that exists and can't be read stops its topic-partition"
    return None


def _near_miss(given: Mapping[str, Any], required: Mapping[str, Any], seen: Any) -> str | None:
    """A property that is nearly a known one is refused with the known name."""
    if isinstance(seen, CaseError) or not required.get("valid") or not seen["near_misses"]:
        return None
    names_it = all(problem.advice.startswith("Did you mean") for problem in seen["near_misses"])
    return "a property that is nearly a known one is refused with that name" if names_it else None


def _schemaless_value(given: Mapping[str, Any], required: Mapping[str, Any], seen: Any) -> str | None:
    """Values without a schema are written and partitioned like those with a schema."""
    schema = given["record"].get("value_schema") if "record" in given else given.get("value_schema")
    if schema is not None or required.get("error") is None or isinstance(seen, CaseError):
        return None
    return "schemaless JSON becomes Parquet"


def _folder_by_record_time(given: Mapping[str, Any], required: Mapping[str, Any], seen: Any) -> str | None:
    """Without an extractor, the record's own timestamp decides."""
    why = _schemaless_value(given, required, seen)
    if why is not None or isinstance(seen, CaseError) or "now_ms" not in given:
        return why
    if seen["extractor_is_set"] or seen["value"] != seen["folder_by_record_time"]:
        return None
    return "the record's own timestamp where no extractor is set"


_RULES_OF_FUNCTIONS = {
    "conditional_writes_enabled": _conditional,
    "complete_request_headers": _condition_sent,
    "classify_complete_response": _exists,
    "validate_config": _near_miss,
    "write_parquet": _schemaless_value,
    "encode_partition": _folder_by_record_time,
}
