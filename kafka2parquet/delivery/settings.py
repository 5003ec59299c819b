"""The settings of a task in three groups: its files, its rejects, and its delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from kafka2parquet.backoff import ConverterRetry, RetryPolicy
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.dead_letters.base import DeadLetterQueue
from kafka2parquet.dead_letters.reject_limit import RejectLimit
from kafka2parquet.dead_letters.tolerance import Tolerance
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.parquet.writer import ParquetWriter
from kafka2parquet.pipeline.record_pipeline import TombstonePolicy
from kafka2parquet.records import View
from kafka2parquet.schema.column_rules import NameCase
from kafka2parquet.schema.compatibility import CompatibilityMode
from kafka2parquet.util.arguments import Count, Seconds, checked


@checked
@attrs.frozen
class ObjectTags:
    """Tags with the offsets and the row count of a published object, as Kafka Connect's S3 sink writes them.

    Objects are tagged after they are published and before their flush is committed.

    Attributes:
        extra: more tags, the same for every object.
        attempts: how often a call that tags an object may be made, at least once.
        on_error: `fail` ends the task when an object can't be tagged; the object stays published, and its flush isn't repeated.
            `ignore` emits an event and continues.
    """

    extra: Mapping[str, str] = attrs.field(factory=dict)
    attempts: Count = 3
    on_error: Literal["ignore", "fail"] = "ignore"

    def of(self, footer: FlushFooter) -> dict[str, str]:
        """Return the tags of an object with this footer."""
        return {
            "startOffset": str(footer.first_offset),
            "endOffset": str(footer.last_offset),
            "recordCount": str(footer.file_rows),
            **self.extra,
        }


@checked
@attrs.frozen(eq=False, kw_only=True)
class FileSettings:
    """Settings of the files that a task writes: names, format, tags, and which schemas may share a file.

    Attributes:
        naming: names of objects; by default those of Kafka Connect's sink, under `topics/`, with the extension of the writer's
            compression.
        writer: how files are written. A writer belongs to one task, which closes it; by default each task makes a new one.
        views: writes keys and headers to files beside those of the values; None writes values only.
        schema_compatibility: which schemas may share a file, by Kafka Connect's rules; None unites the columns of all schemas.
        tags: tags for every object, in stores that have tags; None sets none.
        name_case: how to handle columns whose names differ only in upper and lower case: with `reject`, rows that have values
            in the later column are rejects; `unite` merges the columns; `keep` writes both and logs a warning.
    """

    naming: ObjectNaming | None = None
    writer: ParquetWriter | None = None
    views: RecordViews | None = None
    schema_compatibility: CompatibilityMode | None = None
    tags: ObjectTags | None = None
    name_case: NameCase = "reject"

    @property
    def longest_view(self) -> View | None:
        """The view whose files have the longest names; None where only values are written."""
        return None if self.views is None else "headers"


def _as_tolerance(tolerance: Literal["fail", "skip"] | Tolerance) -> Tolerance:
    return tolerance if isinstance(tolerance, Tolerance) else Tolerance(everything=tolerance == "skip", has_reporter=True)


@checked
@attrs.frozen(eq=False, kw_only=True)
class RejectPolicy:
    """The rules for records that can't be written.

    Attributes:
        tolerance: `fail` ends the task at the first reject. `skip` leaves rejects out and emits an event for each. A
            `Tolerance` decides by the stage at which a record failed.
        tombstones: how to handle a record without a value: `fail` ends the task, `ignore` leaves the record out silently,
            `report` makes it a reject, `write` writes it with null in the columns of the value, or only its key and headers
            where these have files of their own.
        dead_letters: where rejects are sent, at least once each; None sends none. The task closes the queue.
        quarantine: whether rejects become rows of Parquet files, exactly once, beside the folders of the topics.
        limit: how many tolerated rejects end the task; None for no limit.
    """

    tolerance: Tolerance = attrs.field(default=_as_tolerance("fail"), converter=_as_tolerance)
    tombstones: TombstonePolicy = "fail"
    dead_letters: DeadLetterQueue | None = None
    quarantine: bool = False
    limit: RejectLimit | None = None


@checked
@attrs.frozen(eq=False, kw_only=True)
class DeliverySettings:
    """Settings of the delivery: the guarantee, where to start, and how to handle lost records and outages.

    Attributes:
        guarantee: `exactly_once` refuses to start where the store lacks something that exactly-once delivery needs;
            `at_least_once` starts anyway.
        first_start: where to start when the group has no committed offset.
        on_data_loss: `fail` raises `DataLossError` when records are gone from the log and `LogTruncatedError` when the log was
            truncated; `continue` emits an event and continues.
        take_over: continue where a sink of another consumer group, or of another place, has ended. Without `take_over`, a sink
            that finds files or offsets of such a sink raises `ConflictingSinkError`.
        idle_commit_interval_s: how often the position of a quiet partition is committed, in seconds, so that its lag reaches
            zero.
        max_open_files: limit of open files for each topic-partition; a flush ends before a row that would need one more. None
            leaves the limit to the rotation policy. Each open file takes memory, and some milliseconds of the step that
            completes it.
        storage_retry: pauses between attempts while the store is down.
        converter_retry: pauses between attempts while a service that the converter needs is down, such as a schema registry.
    """

    guarantee: Literal["exactly_once", "at_least_once"] = "exactly_once"
    first_start: Literal["earliest", "latest"] = "earliest"
    on_data_loss: Literal["fail", "continue"] = "fail"
    take_over: bool = False
    idle_commit_interval_s: Seconds = 5.0
    max_open_files: Count | None = 1000
    storage_retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    converter_retry: ConverterRetry = attrs.field(factory=ConverterRetry)
