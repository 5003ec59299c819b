"""An audit of merged files finds what is twice, what was changed and what is of another topic."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from kafka2parquet.audit.coverage import Audit, Finding, Kind
from kafka2parquet.audit.read import read_coverage
from kafka2parquet.compaction import MergeUnit, run_unit
from kafka2parquet.merged import MergePlan
from kafka2parquet.merged.plan import plan_name
from kafka2parquet.merged.result import result_name
from kafka2parquet.testing.memory_storage import StoredObject
from tests.support.hours_world import BEGIN_MS
from tests.support.merge_world import MergeWorld
from tests.support.sink_world import TOPIC

FOLDER = f"topics-merged/{TOPIC}/year=2026/month=05/day=17/hour=10"


@pytest.fixture
def world() -> MergeWorld:
    world = MergeWorld(1)
    world.fill(BEGIN_MS, 3)
    world.sink()
    world.compact()
    return world


def audit(world: MergeWorld) -> Audit:
    committed = world.offsets_of_group.committed([TOPIC])
    return read_coverage(world.storage, world.naming, TOPIC, committed, merged=world.merged)


def findings(world: MergeWorld) -> list[Finding]:
    found = audit(world)
    return [*found.merged, *found.strays, *(finding for each in found.coverages for finding in each.findings)]


def plan_again(world: MergeWorld, change: Callable[[MergePlan], MergePlan]) -> None:
    """Merges a plan that no planner would make, as the folder's second one."""
    plan = change(MergePlan.from_bytes(world.storage.objects[f"{FOLDER}/{plan_name(0)}"].content))
    key = f"{FOLDER}/{plan_name(1)}"
    world.storage.create(key, attrs.evolve(plan, number=1).to_bytes())
    result = run_unit(MergeUnit.of(plan, key, f"{FOLDER}/{result_name(1)}"), world.storage)
    assert None is result.problem


def test_merged_files_are_exact(world: MergeWorld) -> None:
    """Merged files beside their originals change nothing in the audit, and are counted."""
    found = audit(world)
    assert (True, 1, 0) == (found.is_exact, found.merged_files, found.coverages[0].covered_files)


def test_a_file_that_is_merged_twice(world: MergeWorld) -> None:
    """Rows that are in two merged files are findings."""
    plan_again(
        world,
        lambda plan: attrs.evolve(plan, outputs=(attrs.evolve(plan.outputs[0], key=f"{FOLDER}/events+0+0000000009.parquet"),)),
    )
    found = findings(world)
    assert {Kind.OVERLAP} == {finding.kind for finding in found}
    assert any("is covered by two merged files" in finding.text for finding in found)


def test_a_file_that_was_changed_after_the_merge(world: MergeWorld) -> None:
    """A covered file with other rows than the merged file says is a finding."""
    key = next(key for key in world.keys("hour=10/events+0") if key.startswith("topics/"))
    stored = world.storage.objects[key]
    text = stored.metadata["kafka2parquet"].replace('"file_rows":4', '"file_rows":3')
    world.storage.objects[key] = attrs.evolve(stored, metadata={"kafka2parquet": text})
    assert Kind.WRONG_ROWS in {finding.kind for finding in findings(world)}
    assert any("not as it was when it was merged" in finding.text for finding in findings(world))


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        (plan_name(0), Kind.FOREIGN_FILE, "_merge-0000.json is missing"),
        (result_name(0), None, ""),
        ("events+0+0000000000.zstd.parquet", Kind.MISSING_FILE, "does not exist"),
    ],
)
def test_objects_that_are_deleted(world: MergeWorld, name: str, kind: Kind | None, text: str) -> None:
    """Without its plan or a merged file, a result is a finding; without the result, nothing counts as merged."""
    del world.storage.objects[f"{FOLDER}/{name}"]
    found = findings(world)
    assert [] == found if kind is None else [kind] == [finding.kind for finding in found]
    assert all(text in finding.text for finding in found)
    assert 0 == audit(world).merged_files


@pytest.mark.parametrize("name", [plan_name(0), result_name(0)])
def test_objects_that_are_damaged(world: MergeWorld, name: str) -> None:
    """A plan or a result that can't be read is a finding, and nothing of its folder counts."""
    world.storage.objects[f"{FOLDER}/{name}"] = StoredObject(b"{}")
    (finding,) = findings(world)
    assert (Kind.FOREIGN_FILE, 0) == (finding.kind, audit(world).merged_files)
    assert name in finding.text


def test_merged_files_of_an_earlier_topic(world: MergeWorld) -> None:
    """Merged files of an earlier topic of the same name cover nothing, and its planner refuses the folder."""
    for key in world.keys("topics/"):
        stored = world.storage.objects[key]
        text = stored.metadata["kafka2parquet"].replace("id-of-events", "id-of-others")
        world.storage.objects[key] = attrs.evolve(stored, metadata={"kafka2parquet": text})
    found = findings(world)
    assert any("of an earlier topic of the same name" in finding.text for finding in found)
    assert 0 == audit(world).merged_files


def test_a_merged_file_with_another_footer(world: MergeWorld) -> None:
    """A merged file whose footer is not that of its plan is a finding."""
    key = f"{FOLDER}/events+0+0000000000.zstd.parquet"
    stored = world.storage.objects[key]
    text = stored.metadata["kafka2parquet.merged"].replace('"fingerprint":"', '"fingerprint":"x')
    world.storage.objects[key] = attrs.evolve(stored, metadata={"kafka2parquet.merged": text})
    (finding,) = findings(world)
    assert (Kind.WRONG_ROWS, True) == (finding.kind, "is not that of its plan" in finding.text)
