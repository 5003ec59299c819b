"""The runner itself: it fails what is wrong, and takes for meant only what the library was seen to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cases import Case, CaseFolder
from tests.acceptance.outcome import Result, Verdict
from tests.acceptance.report import print_report
from tests.acceptance.run import judge

FOLDER = CaseFolder(Path(__file__).parent / "cases")
T0 = FOLDER.base["harness"]["clock_ms"]
HOUR = 3_600_000
VALUE = {"boolean": True, "int": 12, "long": 12, "float": 12.2, "double": 12.2}
HOURLY = {
    "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
    "timezone": "UTC",
    "flush.size": "2",
}
BY_RECORD = {**HOURLY, "timestamp.extractor": "Record", "flush.size": "1000"}
KEY = "topics/test-topic/partition=12/test-topic+12+{:010d}.snappy.parquet"
HOUR_KEY = "topics/test-topic/year=2017/month=03/day=02/hour={:02d}/test-topic+12+{:010d}.snappy.parquet"


def record(offset: int, **changes: Any) -> dict[str, Any]:
    usual = {"partition": 12, "timestamp": T0, "key": None, "value": VALUE, "value_schema": "record-v1", "headers": []}
    return {**usual, "offset": offset, **changes}


def of(*offsets: int) -> dict[str, Any]:
    return {"rows": len(offsets), "offsets": list(offsets)}


def steps(config: dict[str, str], *described: dict[str, Any], **expected: Any) -> Result:
    case = {"id": "C", "title": "a case", "kind": "requirement", "config": config, "steps": described, "expected": expected}
    return judge(Case("file", case), FOLDER)


def function(name: str, given: dict[str, Any], expected: dict[str, Any]) -> Result:
    case = {"id": "C", "title": "a case", "kind": "requirement", "function": name, "given": given, "expected": expected}
    return judge(Case("file", case), FOLDER)


THREE = {"put": [record(0), record(1), record(2)]}


def test_what_is_as_expected_passes() -> None:
    """Objects, rows, values, and answers during and after the run are as expected."""
    right = {"objects": {KEY.format(0): {**of(0, 1, 2), "values": [VALUE] * 3}}, "committed": {"12": 3}, "open_offsets": {}}
    result = steps({}, THREE, {"pre_commit": {"12": 3}}, **right, error=None, task_state="RUNNING", warnings=0)
    assert (Verdict.PASSED, "") == (result.verdict, result.reason)


@pytest.mark.parametrize(
    "wrong",
    [
        {"objects": {}},
        {"objects": {KEY.format(1): of(0, 1, 2)}},
        {"objects": {KEY.format(0): of(0, 1)}},
        {"objects": {KEY.format(0): {**of(0, 1, 2), "role": "keys"}}},
        {"objects": {KEY.format(0): {"values": [{**VALUE, "int": 13}] * 3}}},
        {"objects": {KEY.format(0): {"values": [{"int": 12}] * 3}}},
        {"objects": {KEY.format(0): {"tags": {"a": "b"}}}},
        {"committed": {"12": 2}},
        {"committed": {}},
        {"open_offsets": {"12": [2]}},
        {"error": {"type": "ConnectException"}},
        {"reports": [{"offset": 0}]},
        {"warnings": 1},
        {"total_rows": 2},
        {"total_objects": 2},
        {"duplicate_offsets": {"12": [0]}},
        {"rows_exactly_once": {"12": [0, 1, 2, 3]}},
        {"task_state": "FAILED"},
        {"unfinished_uploads": 1},
        {"next_schedule_ms": 0},
        {"same_content_as_before_crash": True},
        {"open_by_partition": {"12": {"partition=12": [2]}}},
        {"something_new": 1},
    ],
)
def test_each_difference_at_the_end_fails(wrong: dict[str, Any]) -> None:
    """Each field of a case is compared."""
    assert Verdict.FAILED is steps({}, THREE, {"pre_commit": {"12": 3}}, **wrong).verdict


@pytest.mark.parametrize(
    "step",
    [
        {"pre_commit": {}},
        {"pre_commit": {"12": 4}, "or": {"12": 2}},
        {"pre_commit": {"12": 4}, "or_range": {"12": [4, 5]}},
        {"check": {"objects": {}}},
        {"check": {"open_offsets": {"12": [0]}}},
        {"expect_rewind": {"12": 0}},
        {"no_such_step": True},
    ],
)
def test_each_difference_on_the_way_fails(step: dict[str, Any]) -> None:
    """Each step that asks is compared."""
    assert Verdict.FAILED is steps({}, THREE, step).verdict


def test_each_difference_of_a_dead_letter_fails() -> None:
    """Place, class, message, headers, order and number are compared."""
    config = {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead"}
    put = {"put": [record(0, value="x"), record(1, value="y")]}
    message = "Invalid type for STRUCT: class java.lang.String"
    right = [
        {
            "topic": "test-topic",
            "partition": 12,
            "offset": offset,
            "error_type": "DataException",
            "equals": message,
            "header_starts_with": {"__connect.errors.exception.message": message, "__connect.errors.offset": str(offset)},
        }
        for offset in (0, 1)
    ]
    assert Verdict.PASSED is steps(config, put, reports=right).verdict
    assert Verdict.PASSED is steps(config, put, reports=right[::-1], reports_in_any_order=True).verdict
    for wrong in (
        {"topic": "other"},
        {"partition": 13},
        {"offset": 7},
        {"error_type": "PartitionException"},
        {"equals": "Invalid type"},
        {"header_starts_with": {"__connect.errors.stage": "TASK_PUT"}},
        {"something_new": 1},
    ):
        assert Verdict.FAILED is steps(config, put, reports=[{**right[0], **wrong}, right[1]]).verdict
    assert Verdict.FAILED is steps(config, put, reports=right[::-1]).verdict
    assert Verdict.FAILED is steps(config, put, reports=right[:1]).verdict
    assert Verdict.FAILED is steps(config, put, reports=[*right, right[1]]).verdict


def test_wrong_configuration_fails_the_case() -> None:
    """A wrong configuration fails the case, unless the case expects the error."""
    assert Verdict.FAILED is steps({"flush.size": "many"}, THREE, error=None).verdict
    assert Verdict.PASSED is steps({"flush.size": "many"}, THREE, error={"type": "ConfigException"}).verdict


def test_what_the_library_refuses_is_not_applicable() -> None:
    """A setting that Connect accepts and the library refuses is not applicable."""
    avro = "io.confluent.connect.s3.format.avro.AvroFormat"
    result = steps({"format.class": avro}, THREE)
    assert (Verdict.NOT_APPLICABLE, f"format.class={avro} is not supported here") == (result.verdict, result.reason)


def test_unknown_function_fails() -> None:
    """An unknown function is a failure, and not a success."""
    assert Verdict.FAILED is function("guess", {}, {"value": 1}).verdict


@pytest.mark.parametrize(
    "expected",
    [{"value": "partition=13"}, {"error": {"any": True}}, {"value": "partition=12", "folder": "x"}],
)
def test_wrong_answer_of_a_function_fails(expected: dict[str, Any]) -> None:
    """Another value, a value instead of an error, and an unknown value fail."""
    assert Verdict.FAILED is function("encode_partition", {"config": {}, "record": record(0)}, expected).verdict


def test_other_answers_are_as_good() -> None:
    """An alternative replaces its fields; a value replaces an error, and an error a value."""
    given = {"config": {}, "record": record(0)}
    for expected, other in (
        ({"error": {"type": "DataException"}}, {"value": "partition=12", "why": "it is"}),
        ({"value": "x"}, {"value": "partition=12"}),
    ):
        case = {"id": "C", "title": "a case", "function": "encode_partition", "given": given, "expected": expected}
        assert Verdict.FAILED is judge(Case("file", case), FOLDER).verdict
        assert Verdict.PASSED is judge(Case("file", {**case, "also_acceptable": [other]}), FOLDER).verdict


def test_wrong_error_fails() -> None:
    """Type and message of an error are compared."""
    given = {"pattern": "T", "instant_ms": 0, "timezone": "UTC", "locale": "en"}
    right = {"type": "IllegalArgumentException", "equals": "Illegal pattern component: T"}
    assert Verdict.PASSED is function("format_path", given, {"error": right}).verdict
    for wrong in ({"type": "DataException"}, {"equals": "Illegal pattern"}, {"contains": "X"}, {"starts_with": "pattern"}):
        assert Verdict.FAILED is function("format_path", given, {"error": {**right, **wrong}}).verdict


def test_quiet_partition_differs() -> None:
    """A quiet partition is flushed by the wall clock, but only after the interval."""
    config = {**BY_RECORD, "rotate.interval.ms": "60000"}
    expected: dict[str, Any] = {"objects": {}, "open_offsets": {"12": [0, 1, 2]}, "error": None}
    result = steps(config, THREE, {"advance_ms": 60_000}, {"put": []}, {"pre_commit": {}}, **expected)
    assert (Verdict.DIFFERS, True) == (result.verdict, "quiet topic-partition" in result.reason)
    assert Verdict.PASSED is steps(config, THREE, {"advance_ms": 59_999}, {"put": []}, {"pre_commit": {}}, **expected).verdict


def test_wall_clock_differs_only_where_the_case_has_the_clock_of_the_record() -> None:
    """A folder whose time no clock has shown is an error."""
    config = {**HOURLY, "timestamp.extractor": "Wallclock"}
    script = ({"put": [record(0)]}, {"advance_ms": HOUR}, {"put": [record(1)]}, {"pre_commit": {"12": 2}})
    expected = {HOUR_KEY.format(18, 0): of(0), HOUR_KEY.format(19, 1): of(1)}
    assert Verdict.DIFFERS is steps(config, *script, objects=expected).verdict
    wrong = {HOUR_KEY.format(18, 0): of(0), HOUR_KEY.format(20, 1): of(1)}
    assert Verdict.FAILED is steps(config, *script, objects=wrong).verdict


def test_unset_extractor_differs() -> None:
    """Without an extractor, the record's own timestamp decides, and not the clock."""
    put = {"put": [record(0, timestamp=0), record(1, timestamp=0)]}
    assert Verdict.DIFFERS is steps(HOURLY, put, objects={HOUR_KEY.format(18, 0): of(0, 1)}).verdict
    assert Verdict.FAILED is steps(HOURLY, put, objects={HOUR_KEY.format(17, 0): of(0, 1)}).verdict


def test_position_differs_only_past_what_is_skipped() -> None:
    """The position never passes a record that has to be written."""
    skips = {"behavior.on.null.values": "ignore"}
    nothing = record(3, value=None, value_schema=None)
    put = {"put": [*THREE["put"], nothing]}
    assert Verdict.DIFFERS is steps(skips, put, {"pre_commit": {"12": 3}}, committed={"12": 3}).verdict
    assert Verdict.FAILED is steps(skips, put, {"pre_commit": {"12": 2}}, committed={"12": 2}).verdict


def test_schemaless_values_differ() -> None:
    """Values without a schema are written, although Confluent's sink fails."""
    put = {"put": [record(offset, value={"a": offset}, value_schema=None) for offset in range(3)]}
    assert Verdict.DIFFERS is steps({}, put, objects={}, error={"type": "StackOverflowError"}).verdict


def test_no_second_copy_differs() -> None:
    """After a crash the clock ends other flushes, and published files stay."""
    config = {"rotate.schedule.interval.ms": "600000", "flush.size": "1000"}
    script: tuple[dict[str, Any], ...] = (
        {"put": [record(0), record(1)]},
        {"advance_ms": 600_000},
        {"put": []},
        {"crash": True},
        {"assign": {"test-topic": [12]}},
        THREE,
        {"advance_ms": 600_000},
        {"put": []},
        {"pre_commit": {"12": 3}},
    )
    assert Verdict.DIFFERS is steps(config, *script, objects={KEY.format(0): of(0, 1, 2)}, error=None).verdict
    assert Verdict.FAILED is steps(config, *script, objects={KEY.format(0): of(0, 1), KEY.format(3): of(2)}).verdict


def test_near_miss_differs() -> None:
    """Only a property that is nearly a known one is refused."""
    given = {"config": {"behaviour.on.null.values": "ignore"}, "stage": "config"}
    assert Verdict.DIFFERS is function("validate_config", given, {"valid": True}).verdict
    assert Verdict.FAILED is function("validate_config", {"config": {"flush.size": "x"}}, {"valid": True}).verdict


def test_last_line_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line counts all verdicts; a failed case is printed with expected and seen, and gives 1."""
    case = Case("file", {"id": "C-1", "title": "a case"})
    results = [Result(verdict, "why", ("value\n  expected: 1\n  seen:     2",)) for verdict in Verdict]
    assert 1 == print_report([(case, result) for result in results])
    printed = capsys.readouterr().out
    assert "FAILED file C-1: a case\n  value\n    expected: 1\n    seen:     2\n" in printed
    last = printed.splitlines()[-1]
    assert "acceptance: 1 passed, 1 differs on purpose, 1 failed, 1 not applicable" == last
    assert 0 == print_report([(case, results[0])])
    assert re.fullmatch(r"acceptance: \d+ passed, .*", capsys.readouterr().out.splitlines()[-1])
