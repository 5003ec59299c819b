"""MergeResult: says that the merged files of a plan are complete and were compared with their originals."""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Mapping
from typing import Any

import attrs

from kafka2parquet.merged.fields import from_text, to_bytes
from kafka2parquet.merged.plan import MergePlan, PlannedOutput
from kafka2parquet.parquet.footer_fields import key_field, number, text, time_ms

VERSION = 1
_NAME = re.compile(r"_merged-(\d{4,})\.json")


def result_name(plan_number: int) -> str:
    """Return the name of the result of a folder's plan."""
    return f"_merged-{plan_number:04}.json"


def result_number(name: str) -> int | None:
    """Return the number of the plan whose result has a name; None if the name is not a result's."""
    match = _NAME.fullmatch(name)
    return None if match is None or name != result_name(int(match[1])) else int(match[1])


@attrs.frozen
class PartitionRows:
    """The rows of one partition in a merged file.

    Attributes:
        partition: partition of the topic.
        rows: number of rows.
        first_offset: offset of the first row.
        last_offset: offset of the last row.
    """

    partition: int = attrs.field(validator=number())
    rows: int = attrs.field(validator=number())
    first_offset: int = attrs.field(validator=number())
    last_offset: int = attrs.field(validator=number())


@attrs.frozen
class MergedOutput:
    """A merged file that was compared with its originals.

    Attributes:
        key: the file's key.
        role: what the rows hold.
        files: number of originals.
        rows: number of rows.
        size_bytes: size of the file.
        partitions: the rows of each partition that has rows.
        min_time_ms: least time of a row, in milliseconds since the epoch; None without times.
        max_time_ms: greatest time of a row, likewise.
    """

    key: str = attrs.field(validator=key_field)
    role: str = attrs.field(validator=text)
    files: int = attrs.field(validator=number(1))
    rows: int = attrs.field(validator=number())
    size_bytes: int = attrs.field(validator=number(1))
    partitions: tuple[PartitionRows, ...]
    min_time_ms: int | None = attrs.field(validator=time_ms)
    max_time_ms: int | None = attrs.field(validator=time_ms)

    @classmethod
    def of(cls, output: PlannedOutput, size_bytes: int) -> MergedOutput:
        """Describe a merged file by its plan and its size."""
        with_rows = [file for file in output.inputs if file.rows]
        partitions = []
        for partition, files in itertools.groupby(with_rows, key=operator.attrgetter("partition")):
            of_partition = [*files]
            rows = sum(file.rows for file in of_partition)
            partitions.append(PartitionRows(partition, rows, of_partition[0].first_offset, of_partition[-1].last_offset))
        times_ms = [each for file in output.inputs for each in (file.min_time_ms, file.max_time_ms) if each is not None]
        return cls(
            output.key,
            output.role,
            len(output.inputs),
            output.rows,
            size_bytes,
            tuple(partitions),
            min(times_ms, default=None),
            max(times_ms, default=None),
        )


@attrs.frozen
class MergeResult:
    """The merged files of a plan. They count because this result exists.

    Attributes:
        topic_id: id of the topic, "" if unknown.
        topic: name of the topic.
        folder: the encoded partition.
        number: number of the plan.
        outputs: the merged files, in the order of the plan.
    """

    topic_id: str = attrs.field(validator=text)
    topic: str = attrs.field(validator=text)
    folder: str = attrs.field(validator=text)
    number: int = attrs.field(validator=number())
    outputs: tuple[MergedOutput, ...]

    @property
    def rows(self) -> int:
        """Number of rows, without keys and headers, which repeat the rows of values."""
        return sum(output.rows for output in self.outputs if output.role == "values")

    @property
    def size_bytes(self) -> int:
        """Size of all merged files."""
        return sum(output.size_bytes for output in self.outputs)

    def is_of(self, plan: MergePlan) -> bool:
        """Return whether this result has the merged files that a plan lists, with the plan's rows."""
        sizes = {output.key: output.size_bytes for output in self.outputs}
        expected = tuple(MergedOutput.of(output, sizes.get(output.key, 1)) for output in plan.outputs)
        ours = (self.topic_id, self.topic, self.folder, self.number, self.outputs)
        return ours == (plan.topic_id, plan.topic, plan.folder, plan.number, expected)

    def to_bytes(self) -> bytes:
        """Return the content of the result's object: JSON in UTF-8."""
        values = {"version": VERSION, **attrs.asdict(self), "rows": self.rows, "size_bytes": self.size_bytes}
        return to_bytes(values)

    @classmethod
    def from_bytes(cls, content: bytes) -> MergeResult:
        """Parse the content of a result's object.

        Raises:
            ValueError: this library did not write the content, or the content is damaged or of an unknown version.
        """

        def parse(values: dict[str, Any]) -> MergeResult:
            sums = (values.pop("rows"), values.pop("size_bytes"))
            result = cls(outputs=tuple(map(_output, values.pop("outputs"))), **values)
            if sums != (result.rows, result.size_bytes):
                raise ValueError("its numbers don't add up")
            return result

        result: MergeResult = from_text(content, VERSION, parse)
        return result


def _output(values: Mapping[str, Any]) -> MergedOutput:
    partitions = tuple(PartitionRows(**each) for each in values["partitions"])
    return MergedOutput(**{**values, "partitions": partitions})
