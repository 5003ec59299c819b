"""Packs files into merged files: by schema, in the order of partitions and offsets, up to a target size."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator, Sequence

import attrs

from kafka2parquet.compaction.originals import Original
from kafka2parquet.merged.plan import PlannedOutput
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import Role

#: A merged file's footer describes each original in some hundred bytes, and readers read all of it.
_MOST_INPUTS_OF_OUTPUT = 1000
#: A plan is one unit of work. A folder with more bytes gets several plans, which can run at the same time.
_OUTPUTS_OF_PLAN = 4
#: A plan is a small object, see `Storage.read`. It takes less than two kilobytes for each original, even if keys are long.
_MOST_INPUTS_OF_PLAN = 5000


@attrs.frozen
class _Bundle:
    """A file of values with the files of keys and headers beside it, which have the same rows."""

    files: tuple[Original, ...]

    @property
    def schemas(self) -> tuple[tuple[Role, bytes], ...]:
        """The roles and their schemas. Bundles are merged only if all of them agree."""
        return tuple((each.file.role, each.schema.serialize().to_pybytes()) for each in self.files)

    @property
    def size_bytes(self) -> int:
        """Size of the largest file, which is the one that fills its merged file first."""
        return max(each.file.size_bytes for each in self.files)


def pack(originals: Iterable[Original], naming: ObjectNaming, target_bytes: int) -> Sequence[Sequence[PlannedOutput]]:
    """Return the merged files that files of a folder become, for each plan.

    Args:
        originals: the files, which are all of one folder.
        naming: names of the merged files.
        target_bytes: size in bytes of the originals from which on a merged file is full.
    """
    groups: dict[tuple[tuple[Role, bytes], ...], list[_Bundle]] = collections.defaultdict(list)
    for bundle in _bundles(originals):
        groups[bundle.schemas].append(bundle)
    packs = [pack for group in groups.values() for pack in _filled(group, target_bytes)]
    packs.sort(key=lambda pack: _place(pack[0].files[0]))
    plans: list[list[PlannedOutput]] = []
    plan_bytes = plan_inputs = 0
    for pack in packs:
        pack_bytes = sum(bundle.size_bytes for bundle in pack)
        pack_inputs = sum(len(bundle.files) for bundle in pack)
        is_full = plan_bytes + pack_bytes > _OUTPUTS_OF_PLAN * target_bytes or plan_inputs + pack_inputs > _MOST_INPUTS_OF_PLAN
        if not plans or is_full:
            plans.append([])
            plan_bytes = plan_inputs = 0
        plans[-1] += _outputs(pack, naming)
        plan_bytes += pack_bytes
        plan_inputs += pack_inputs
    return plans


def _bundles(originals: Iterable[Original]) -> Iterator[_Bundle]:
    """Yield the bundles in the order of their partitions and offsets."""
    ordered = sorted(originals, key=_place)
    for _, files in itertools.groupby(ordered, key=_place):
        yield _Bundle(tuple(sorted(files, key=lambda each: ("values", "keys", "headers").index(each.file.role))))


def _place(original: Original) -> tuple[int, int]:
    return original.name.partition, original.name.first_offset


def _filled(bundles: Sequence[_Bundle], target_bytes: int) -> Iterator[list[_Bundle]]:
    """Yield runs of bundles that each become one merged file for each role."""
    pack: list[_Bundle] = []
    size_bytes = 0
    for bundle in bundles:
        if pack and (size_bytes + bundle.size_bytes > target_bytes or len(pack) == _MOST_INPUTS_OF_OUTPUT):
            yield pack
            pack, size_bytes = [], 0
        pack.append(bundle)
        size_bytes += bundle.size_bytes
    if pack:
        yield pack


def _outputs(pack: Sequence[_Bundle], naming: ObjectNaming) -> Iterator[PlannedOutput]:
    for number, first in enumerate(pack[0].files):
        name = first.name
        key = naming.key(name.topic, name.partition, name.encoded_partition or "", name.first_offset, view=name.view)
        yield PlannedOutput(key, tuple(bundle.files[number].file for bundle in pack))
