"""Plans, results and footers of merged files: what is written can be read, and whatever else is read is an error."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.errors import ConfigurationError, StoragePermissionError, StorageUnavailableError
from kafka2parquet.merged import CoveredFile, MergedFooter, MergedOutput, MergePlan, MergeResult, PlannedOutput
from kafka2parquet.merged.footer import METADATA_KEY
from kafka2parquet.merged.plan import FileFormat, plan_name, plan_number
from kafka2parquet.merged.reading import may_be_listed, merged_naming
from kafka2parquet.merged.result import result_name, result_number
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.testing import MemoryStorage


def covered(number: int, *, partition: int = 0, **changes: Any) -> CoveredFile:
    start = number * 10
    file = CoveredFile(
        f"topics/t/p/t+{partition}+{start}.parquet",
        "values",
        partition,
        start,
        start + 10,
        5,
        start,
        start + 9,
        1234,
        "f",
        1_779_012_000_000,
        "rows",
        1000 + number,
        2000 + number,
        5,
        1,
    )
    return attrs.evolve(file, **changes)


FILES = (covered(0), covered(1), covered(0, partition=1, min_time_ms=None, max_time_ms=None, flush_rows=None, flush_files=None))
PLAN = MergePlan(
    "c", "id", "t", "p", 7, FileFormat("zstd", 3, "own", 1 << 20), (PlannedOutput("topics-merged/t/p/a.parquet", FILES),)
)
RESULT = MergeResult("id", "t", "p", 7, (MergedOutput.of(PLAN.outputs[0], 4321),))


def test_texts_can_be_read() -> None:
    """What a plan, a result and a footer write is read back as the same value, and equal values write equal bytes."""
    assert PLAN == MergePlan.from_bytes(PLAN.to_bytes())
    assert RESULT == MergeResult.from_bytes(RESULT.to_bytes())
    footer = PLAN.footer(PLAN.outputs[0])
    assert footer == MergedFooter.from_metadata(footer.to_metadata())
    assert PLAN.to_bytes() == MergePlan.from_bytes(PLAN.to_bytes()).to_bytes()


def test_numbers_of_a_result() -> None:
    """A result adds up its plan: rows, files, and for each partition the rows and offsets."""
    found = json.loads(RESULT.to_bytes())
    assert (15, 4321) == (found["rows"], found["size_bytes"])
    (output,) = found["outputs"]
    assert [(0, 10, 0, 19), (1, 5, 0, 9)] == [tuple(each.values()) for each in output["partitions"]]
    assert (3, 1000, 2001) == (output["files"], output["min_time_ms"], output["max_time_ms"])
    assert RESULT.is_of(PLAN)
    assert not RESULT.is_of(attrs.evolve(PLAN, number=8))
    assert not RESULT.is_of(attrs.evolve(PLAN, outputs=(attrs.evolve(PLAN.outputs[0], inputs=FILES[:2]),)))


def test_files_of_other_tools() -> None:
    """A footer without the entry is not one of a merged file."""
    assert None is MergedFooter.from_metadata(None) is MergedFooter.from_metadata({"kafka2parquet": "{}"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, item in inner for each in _paths(item, (*path, key)))]


def _changed(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _changed(value[path[0]], path[1:], change)
    return copy


@given(st.data())
def test_changed_texts_are_read_or_refused(data: st.DataObject) -> None:
    """Whatever someone changes in a text, it is either read or refused with a ValueError; nothing else happens."""
    footer = PLAN.footer(PLAN.outputs[0]).to_metadata()[METADATA_KEY]
    text, read = data.draw(
        st.sampled_from(
            [
                (PLAN.to_bytes().decode(), lambda changed: MergePlan.from_bytes(changed.encode())),
                (RESULT.to_bytes().decode(), lambda changed: MergeResult.from_bytes(changed.encode())),
                (footer, lambda changed: MergedFooter.from_metadata({METADATA_KEY: changed})),
            ]
        )
    )
    values = json.loads(text)
    path = data.draw(st.sampled_from(_paths(values)))
    changed = json.dumps(_changed(values, path, data.draw(JSON)))
    try:
        found = read(changed)
    except ValueError:
        return
    assert found is None or isinstance(found, MergePlan | MergeResult | MergedFooter)


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[]", b'{"version":2}', b'{"version":1}', b"[" * 100_000])
def test_other_contents_are_refused(content: bytes) -> None:
    """Contents of other tools and of other versions are refused."""
    for read in (MergePlan.from_bytes, MergeResult.from_bytes):
        with pytest.raises(ValueError):
            read(content)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": (FILES[0], FILES[0])},
        {"inputs": ()},
        {"inputs": (FILES[0], covered(1, role="keys"))},
        {"key": "a//b"},
    ],
)
def test_impossible_plans(change: dict[str, Any]) -> None:
    """A plan that merges a file twice, files of several roles, or nothing, is refused."""
    with pytest.raises(ValueError):
        attrs.evolve(PLAN, outputs=(attrs.evolve(PLAN.outputs[0], **change),))


@pytest.mark.parametrize(
    "change",
    [{"end": 0}, {"rows": 11}, {"last_offset": 10}, {"role": "rejects"}, {"flush_rows": None}, {"rows": True}, {"key": ""}],
)
def test_impossible_files(change: dict[str, Any]) -> None:
    """A description of a file whose numbers contradict each other is refused."""
    with pytest.raises(ValueError):
        covered(0, **change)


def test_names() -> None:
    """Plans and results have numbers of four digits or more, and other names are not theirs."""
    assert [0, 12345] == [plan_number(plan_name(number)) for number in (0, 12345)]
    assert [0, 12345] == [result_number(result_name(number)) for number in (0, 12345)]
    for name in ("_merge-1.json", "_merge-00001.json", "_merge-0001.json.bak", "_merged-0001", "merge-0001.json", "_SUCCESS"):
        assert (None, None) == (plan_number(name), result_number(name))


@pytest.mark.parametrize(
    ("topics_dir", "delimiter", "into", "expected"),
    [
        ("topics", "/", None, "topics-merged/"),
        ("", "/", None, "merged/"),
        ("a/b", "/", None, "a/b-merged/"),
        ("topics", "-", None, "merged-topics-"),
        ("topics", "/", "large", "large/"),
    ],
)
def test_prefixes(topics_dir: str, delimiter: str, into: str | None, expected: str) -> None:
    """The default prefix follows from the sink's, and is never among the sink's own files."""
    assert expected == merged_naming(ObjectNaming(topics_dir=topics_dir, directory_delimiter=delimiter), into).base


def test_merged_files_that_may_not_be_listed(caplog: pytest.LogCaptureFixture) -> None:
    """Credentials that end with the sink's own prefix are a warning, and other errors stay errors."""
    storage, naming = MemoryStorage(), merged_naming(ObjectNaming())
    assert may_be_listed(storage, naming, "orders")
    storage.fail("list", error=StoragePermissionError("the right s3:ListBucket is missing"))
    assert not may_be_listed(storage, naming, "orders")
    assert [
        "Merged files of orders don't count, because they can't be listed: the right s3:ListBucket is missing"
    ] == caplog.messages
    storage.fail("list")
    with pytest.raises(StorageUnavailableError):
        may_be_listed(storage, naming, "orders")


@pytest.mark.parametrize("into", ["topics", "topics/merged", "", " ", "topics/a/b"])
def test_prefixes_among_the_sinks_files_are_refused(into: str) -> None:
    """A prefix in which the sink's own files are is refused."""
    with pytest.raises(ConfigurationError, match="Choose a prefix outside"):
        merged_naming(ObjectNaming(), into)
