"""What a run of steps shows, beside what the case requires."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from kafka2parquet.dead_letters.connect_report import FailureReporter, context_headers
from tests.acceptance.cases import Case
from tests.acceptance.java_errors import fits, java_class, java_class_of_reject, java_message
from tests.acceptance.steps import Answer, Run, State
from tests.acceptance.stored import Stored
from tests.acceptance.values import same

#: Members that are for people.
_PROSE = frozenset({"how", "why", "note", "or", "any_of", "existing_unchanged", "reports_in_any_order"})


@attrs.frozen
class Mismatch:
    """A difference from what the case requires.

    Attributes:
        what: which field, or which step.
        expected: by the case.
        seen: in the run.
    """

    what: str
    expected: Any
    seen: Any


def mismatches(case: Case, run: Run) -> list[Mismatch]:
    """Returns all differences from the nearest alternative of the case; empty if one alternative is met."""
    if case.is_upstream_bug:  # the answers on the way are upstream's
        return min((list(_final(case, run, choice)) for choice in _choices(case.required)), key=len)
    on_the_way = [found for answer in run.answers for found in _answered(case, run, answer)]
    nearest = [*on_the_way, *_final(case, run, case.required)]
    for other in case.data.get("also_acceptable", ()):
        found = list(_final(case, run, _replaced(case.required, other)))
        if "rows_exactly_once" not in other:  # which stands for all that was seen of objects and positions
            found = [*on_the_way, *found]
        nearest = min(nearest, found, key=len)
    return nearest


def _choices(required: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "any_of" in required:
        for choice in required["any_of"]:
            yield from _choices(choice)
        return
    yield required
    if "or" in required:
        yield from _choices(required["or"])


def _replaced(required: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**required, **other}
    if "committed_range" in other:
        merged.pop("committed", None)
    if "rows_exactly_once" in other:
        for name in ("objects", "duplicate_offsets", "committed", "open_offsets"):
            if name not in other:
                merged.pop(name, None)
    return merged


# ---- steps that ask


def _answered(case: Case, run: Run, answer: Answer) -> Iterator[Mismatch]:
    step, where = answer.step, f"step {answer.number}"
    if "check" in step:
        yield from _state(step["check"], answer.seen, run, where, _left_out(case))
    elif "expect_rewind" in step:
        # where it is optional the call may have been repeated in place
        if not step.get("optional") and step["expect_rewind"] != answer.seen:
            yield Mismatch(f"{where}: asked to read again from", step["expect_rewind"], answer.seen)
    elif step["pre_commit"] != answer.seen and not _also(step, answer.seen):
        yield Mismatch(f"{where}: may be committed", step["pre_commit"], answer.seen)


def _also(step: Mapping[str, Any], seen: Mapping[str, int]) -> bool:
    if "or" in step and step["or"] == seen:
        return True
    ranges = step.get("or_range")
    return ranges is not None and _within({**{n: [o, o] for n, o in step["pre_commit"].items()}, **ranges}, seen)


def _within(ranges: Mapping[str, Sequence[int]], seen: Mapping[str, int]) -> bool:
    return ranges.keys() == seen.keys() and all(ranges[name][0] <= offset <= ranges[name][1] for name, offset in seen.items())


def _left_out(case: Case) -> frozenset[str]:
    return frozenset(case.data.get("existing", ())) if case.required.get("existing_unchanged") else frozenset()


# ---- the end


def _final(case: Case, run: Run, required: Mapping[str, Any]) -> Iterator[Mismatch]:
    yield from _state(required, run.final, run, "at the end", _left_out(case))
    if required.get("existing_unchanged") and run.sink.changed_existing():
        yield Mismatch("objects that stood there before", "unchanged", run.sink.changed_existing())
    if "reports" in required:
        yield from _reports(run, required["reports"], in_order=not required.get("reports_in_any_order"))
    for name in [name for name in _FIELDS if name in required]:
        yield from _FIELDS[name](run, required[name])
    unknown = required.keys() - _FIELDS.keys() - _PROSE - {"objects", "open_offsets", "reports"}
    if unknown:
        yield Mismatch("what the runner knows", sorted(unknown), "nothing of the kind")


def _state(required: Mapping[str, Any], state: State, run: Run, where: str, left_out: frozenset[str]) -> Iterator[Mismatch]:
    if "objects" in required:
        seen = {key: stored for key, stored in state.objects.items() if key not in left_out}
        expected = required["objects"]
        if expected.keys() != seen.keys():
            yield Mismatch(f"objects {where}", _summary(expected), {key: list(stored.offsets) for key, stored in seen.items()})
        for key in sorted(expected.keys() & seen.keys()):
            yield from _object(key, expected[key], seen[key], where)
    if "open_offsets" in required:
        expected = {name: _offsets(offsets) for name, offsets in required["open_offsets"].items()}
        expected = {name: offsets for name, offsets in expected.items() if offsets}
        if expected != state.open_offsets:
            yield Mismatch(f"open offsets {where}", expected, state.open_offsets)


def _summary(objects: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {key: described.get("offsets", described.get("offset_range")) for key, described in objects.items()}


def _offsets(described: Any) -> list[int]:
    if isinstance(described, dict):
        described = described["range"]
        return list(range(described[0], described[1] + 1))
    return list(described)


def offsets_of(described: Mapping[str, Any]) -> list[int]:
    """Returns the offsets of the rows in an object of a case; none if the case doesn't list them."""
    if "offset_range" in described:
        return _offsets({"range": described["offset_range"]})
    return list(described.get("offsets", ()))


def _object(key: str, expected: Mapping[str, Any], seen: Stored, where: str) -> Iterator[Mismatch]:
    what = f"{key} {where}"
    offsets = list(seen.offsets)
    if expected.get("rows", len(offsets)) != len(offsets):
        yield Mismatch(f"rows of {what}", expected["rows"], len(offsets))
    if expected.keys() & {"offsets", "offset_range"} and offsets_of(expected) != offsets:
        yield Mismatch(f"offsets of {what}", offsets_of(expected), offsets)
    if expected.get("role", "values") != seen.role:
        yield Mismatch(f"role of {what}", expected.get("role", "values"), seen.role)
    if "values" in expected and not _same_rows(expected["values"], seen):
        yield Mismatch(f"values of {what}", expected["values"], seen.values)
    if "tags" in expected and {name: str(text) for name, text in expected["tags"].items()} != dict(seen.tags):
        yield Mismatch(f"tags of {what}", expected["tags"], dict(seen.tags))
    if "lines" in expected:
        yield Mismatch(f"lines of {what}", expected["lines"], "a Parquet file")


def _same_rows(expected: Sequence[Any], seen: Stored) -> bool:
    return len(expected) == len(seen.values) and all(
        same(row, known) or (len(known) == 1 and same(row, next(iter(known.values()))))  # keys and headers stand alone
        for row, known in zip(expected, seen.values, strict=True)
    )


def rows_of(run: Run) -> dict[str, Counter[int]]:
    """Counts each offset in objects of values, by the names of topic-partitions."""
    counts: dict[str, Counter[int]] = {}
    for stored in run.final.objects.values():
        if stored.role == "values":
            counts.setdefault(run.name(stored.topic_partition), Counter()).update(stored.offsets)
    return counts


def _committed(run: Run, expected: Mapping[str, int]) -> Iterator[Mismatch]:
    if expected != run.committed:
        yield Mismatch("committed", expected, run.committed)


def _committed_range(run: Run, expected: Mapping[str, Sequence[int]]) -> Iterator[Mismatch]:
    if not _within(expected, run.committed):
        yield Mismatch("committed, in the range", expected, run.committed)


def _error(run: Run, expected: Mapping[str, Any] | None) -> Iterator[Mismatch]:
    error = run.sink.error
    if expected is None and error is not None:
        yield Mismatch("error", None, f"{type(error).__name__}: {error}")
    elif expected is not None and (error is None or not _is_error(run, expected)):
        yield Mismatch("error", expected, f"{type(error).__name__}: {error}" if error is not None else None)


def _is_error(run: Run, expected: Mapping[str, Any]) -> bool:
    error = run.sink.error
    if error is None or (expected.get("has_cause") and error.__cause__ is None):
        return False
    reject = run.sink.fatal_reject
    classes = [java_class(error)] + ([java_class_of_reject(reject)] if reject is not None else [])
    return any(fits(expected, name, java_message(error)) for name in classes)


def _error_or_audit(run: Run, expected: str) -> Iterator[Mismatch]:
    if run.sink.error is None:
        yield Mismatch("error", expected, None)


def _reports(run: Run, expected: Sequence[Mapping[str, Any]], *, in_order: bool = True) -> Iterator[Mismatch]:
    reporter = FailureReporter(run.sink.config.name)
    seen = [
        {
            "topic": reject.topic_partition.topic,
            "partition": reject.topic_partition.partition,
            "offset": reject.offset,
            "error_type": java_class_of_reject(reject),
            "message": reject.reason,
            "headers": {name: (text or b"").decode() for name, text in context_headers(reject, reporter)},
        }
        for reject in run.sink.reports
    ]
    left = list(seen)
    for wanted in expected:
        found = next((report for report in (left[:1] if in_order else left) if _is_report(wanted, report)), None)
        if found is None:
            yield Mismatch("dead letters", expected, seen)
            return
        left.remove(found)
    if left:
        yield Mismatch("dead letters", expected, seen)


#: What a case may say of a dead letter.
_OF_REPORTS = frozenset(
    {"topic", "partition", "offset", "error_type", "equals", "starts_with", "contains", "any", "header_starts_with"}
)


def _is_report(expected: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    if expected.keys() - _OF_REPORTS - _PROSE:
        return False
    headers = expected.get("header_starts_with", {})
    return (
        all(expected.get(name, seen[name]) == seen[name] for name in ("topic", "partition", "offset"))
        and all(seen["headers"].get(name, "").startswith(text) for name, text in headers.items())
        and fits(expected, seen["error_type"], seen["message"], type_name="error_type")
    )


def _warnings(run: Run, expected: int) -> Iterator[Mismatch]:
    if len(run.sink.warnings) < expected:
        yield Mismatch("warnings, at least", expected, run.sink.warnings)


def _next_schedule(run: Run, expected: int) -> Iterator[Mismatch]:
    if expected != run.sink.next_schedule_ms():
        yield Mismatch("next moment of the schedule", expected, run.sink.next_schedule_ms())


def _unfinished_uploads(run: Run, expected: int) -> Iterator[Mismatch]:
    if expected != run.sink.unfinished_uploads:
        yield Mismatch("unfinished uploads", expected, run.sink.unfinished_uploads)


def _total_rows(run: Run, expected: int) -> Iterator[Mismatch]:
    total = sum(sum(counts.values()) for counts in rows_of(run).values())
    if expected != total:
        yield Mismatch("rows in all", expected, total)


def _total_objects(run: Run, expected: int) -> Iterator[Mismatch]:
    if expected != len(run.final.objects):
        yield Mismatch("objects in all", expected, sorted(run.final.objects))


def _duplicate_offsets(run: Run, expected: Mapping[str, Sequence[int]]) -> Iterator[Mismatch]:
    seen = {name: sorted(offset for offset, count in counts.items() if count > 1) for name, counts in rows_of(run).items()}
    if {name: list(offsets) for name, offsets in expected.items() if offsets} != {n: o for n, o in seen.items() if o}:
        yield Mismatch("offsets in two objects", expected, seen)


def _exactly_once(run: Run, expected: Mapping[str, Any]) -> Iterator[Mismatch]:
    counts = rows_of(run)
    for name, offsets in expected.items():
        seen = {offset: counts.get(name, Counter())[offset] for offset in _offsets(offsets)}
        if any(count != 1 for count in seen.values()):
            yield Mismatch(f"how often the rows of {name} are in objects", "once each", seen)


def _at_most_once(run: Run, expected: Mapping[str, Any]) -> Iterator[Mismatch]:
    counts = rows_of(run)
    for name, offsets in expected.items():
        seen = {offset: counts.get(name, Counter())[offset] for offset in _offsets(offsets)}
        if any(count > 1 for count in seen.values()):
            yield Mismatch(f"how often the rows of {name} are in objects", "once at most", seen)


def _task_state(run: Run, expected: str) -> Iterator[Mismatch]:
    if expected != run.sink.task_state:
        yield Mismatch("state of the task", expected, run.sink.task_state)


def _same_content(run: Run, expected: bool) -> Iterator[Mismatch]:
    before = run.objects_before_crash or {}
    changed = [
        key for key, stored in before.items() if run.sink.content_changed_since_crash(key) or key not in run.final.objects
    ]
    if expected and (run.objects_before_crash is None or changed):
        yield Mismatch("objects from before the crash", "the same", changed)


def _open_by_partition(run: Run, expected: Mapping[str, Mapping[str, Any]]) -> Iterator[Mismatch]:
    open_rows: dict[str, dict[str, list[int]]] = {}
    for stored in run.opened_objects():
        if stored.role == "values":
            open_rows.setdefault(run.name(stored.topic_partition), {})[stored.folder] = list(stored.offsets)
    wanted = {name: {folder: _offsets(offsets) for folder, offsets in folders.items()} for name, folders in expected.items()}
    if {name: folders for name, folders in wanted.items() if folders} != open_rows:
        yield Mismatch("open offsets by encoded partition", wanted, open_rows)


_FIELDS: Mapping[str, Callable[[Run, Any], Iterator[Mismatch]]] = {
    "committed": _committed,
    "committed_range": _committed_range,
    "error": _error,
    "error_or_audit": _error_or_audit,
    "warnings": _warnings,
    "next_schedule_ms": _next_schedule,
    "unfinished_uploads": _unfinished_uploads,
    "total_rows": _total_rows,
    "total_objects": _total_objects,
    "duplicate_offsets": _duplicate_offsets,
    "rows_exactly_once": _exactly_once,
    "rows_at_most_once": _at_most_once,
    "task_state": _task_state,
    "same_content_as_before_crash": _same_content,
    "open_by_partition": _open_by_partition,
}
