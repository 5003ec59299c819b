"""MergePlan: which files of a folder are merged into which, decided once by whoever creates the plan's object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.merged.fields import from_text, to_bytes
from kafka2parquet.merged.footer import MergedFooter
from kafka2parquet.parquet.footer import Role
from kafka2parquet.parquet.footer_fields import key_field, number, text

VERSION = 1
_NAME = re.compile(r"_merge-(\d{4,})\.json")


def plan_name(plan_number: int) -> str:
    """Return the name of a folder's plan."""
    return f"_merge-{plan_number:04}.json"


def plan_number(name: str) -> int | None:
    """Return the number of the plan with a name; None if the name is not a plan's."""
    match = _NAME.fullmatch(name)
    return None if match is None or name != plan_name(int(match[1])) else int(match[1])


@attrs.frozen
class FileFormat:
    """How merged files are written: the settings of `ParquetWriter` that decide their bytes.

    Attributes:
        compression: codec.
        compression_level: level of the codec; None for the codec's own.
        types: Parquet types of the columns.
        row_group_bytes: Arrow bytes at which rows become a row group.
    """

    compression: str = attrs.field(validator=text)
    compression_level: int | None = attrs.field(validator=attrs.validators.optional(number()))
    types: str = attrs.field(validator=text)
    row_group_bytes: int = attrs.field(validator=number(1))


@attrs.frozen
class PlannedOutput:
    """A merged file that is to be written.

    Attributes:
        key: its key.
        inputs: the files whose rows it gets, in this order. All have the same role and the same schema.
    """

    key: str = attrs.field(validator=key_field)
    inputs: tuple[CoveredFile, ...] = attrs.field(validator=attrs.validators.min_len(1))

    @property
    def role(self) -> Role:
        """What the rows hold."""
        return self.inputs[0].role

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.inputs)

    def __attrs_post_init__(self) -> None:
        """Check that the inputs fit together.

        Raises:
            ValueError: the inputs have different roles.
        """
        if len({file.role for file in self.inputs}) > 1:
            raise ValueError(f"{self.key} would have rows of several roles")


@attrs.frozen
class MergePlan:
    """Lists files of a folder, and the merged files that they become.

    Attributes:
        cluster_id: id of the Kafka cluster, "" if unknown.
        topic_id: id of the topic, "" if unknown.
        topic: name of the topic.
        folder: the encoded partition of all files.
        number: 0 for the first plan of the folder.
        format: how the merged files are written.
        outputs: the merged files.
    """

    cluster_id: str = attrs.field(validator=text)
    topic_id: str = attrs.field(validator=text)
    topic: str = attrs.field(validator=text)
    folder: str = attrs.field(validator=text)
    number: int = attrs.field(validator=number())
    format: FileFormat
    outputs: tuple[PlannedOutput, ...] = attrs.field(validator=attrs.validators.min_len(1))

    def __attrs_post_init__(self) -> None:
        """Check that nothing is in the plan twice.

        Raises:
            ValueError: a file is merged twice, or two merged files have the same key.
        """
        for keys in ([file.key for file in self.inputs], [output.key for output in self.outputs]):
            if len(set(keys)) < len(keys):
                raise ValueError("it has a key twice")

    @property
    def inputs(self) -> tuple[CoveredFile, ...]:
        """The files that are merged."""
        return tuple(file for output in self.outputs for file in output.inputs)

    @property
    def input_bytes(self) -> int:
        """Size of all files that are merged."""
        return sum(file.size_bytes for file in self.inputs)

    def footer(self, output: PlannedOutput) -> MergedFooter:
        """Return the footer of a merged file of this plan."""
        return MergedFooter(self.cluster_id, self.topic_id, self.topic, self.folder, self.number, output.inputs)

    def to_bytes(self) -> bytes:
        """Return the content of the plan's object: JSON in UTF-8."""
        values: dict[str, Any] = {"version": VERSION, **attrs.asdict(self, recurse=False), "format": attrs.asdict(self.format)}
        values["outputs"] = [
            {"key": output.key, "inputs": [file.to_json() for file in output.inputs]} for output in self.outputs
        ]
        return to_bytes(values)

    @classmethod
    def from_bytes(cls, content: bytes) -> MergePlan:
        """Parse the content of a plan's object.

        Raises:
            ValueError: this library did not write the content, or the content is damaged or of an unknown version.
        """

        def parse(values: dict[str, Any]) -> MergePlan:
            file_format = FileFormat(**values.pop("format"))
            outputs = tuple(map(_output, values.pop("outputs")))
            return cls(format=file_format, outputs=outputs, **values)

        plan: MergePlan = from_text(content, VERSION, parse)
        return plan


def _output(values: Mapping[str, Any]) -> PlannedOutput:
    return PlannedOutput(values["key"], tuple(map(CoveredFile.from_json, values["inputs"])))
