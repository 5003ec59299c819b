"""Judges unknown properties: finds the property that was probably intended, and decides whether to refuse the unknown one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

import attrs

from kafka2parquet.connect.properties.misplaced import belongs_elsewhere
from kafka2parquet.connect.properties.names import METADATA_COLUMNS, PREDICATES, STORE_KAFKA_KEYS, TRANSFORMS
from kafka2parquet.connect.properties.option import Effect, simple_name
from kafka2parquet.connect.properties.table import GCS_TABLE, S3_TABLE, OptionTable
from kafka2parquet.connect.python_classes import is_python_path
from kafka2parquet.problems import Problem, warning

_OWN = "kafka2parquet."
#: Names in other connectors and tools, each with the known property of the same meaning.
SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(
        ("s3.endpoint", "s3.endpoint.url", "s3.service.endpoint", "aws.s3.endpoint", "aws.endpoint.url", "endpoint.url"),
        "store.url",
    ),
    **dict.fromkeys(("s3.bucket", "aws.s3.bucket", "aws.s3.bucket.name", "bucket.name", "bucket"), "s3.bucket.name"),
    **dict.fromkeys(("gcs.bucket", "gcp.bucket.name"), "gcs.bucket.name"),
    **dict.fromkeys(("aws.region", "aws.s3.region", "region"), "s3.region"),
    **dict.fromkeys(("s3.access.key", "s3.access.key.id", "aws.access.key", "aws.s3.access.key.id"), "aws.access.key.id"),
    **dict.fromkeys(("s3.secret.key", "s3.secret.access.key", "aws.secret.key"), "aws.secret.access.key"),
    **dict.fromkeys(("s3.path.style", "s3.path.style.access", "s3.force.path.style"), "s3.path.style.access.enabled"),
    **dict.fromkeys(("parquet.compression", "parquet.compression.codec", "parquet.compression.type"), "parquet.codec"),
    **dict.fromkeys(("topic", "topic.name", "kafka.topic"), "topics"),
    **dict.fromkeys(("max.tasks", "tasks"), "tasks.max"),
}
#: Properties for speed, retries and access: without them, the sink writes the same rows, or nothing.
_SAME_RESULT = re.compile(
    r"tasks\.max|errors\.retry\.|s3\.part\.|gcs\.part\.|s3\.region|s3\.wan\.mode|s3\.path\.style|(s3|gcs)\.proxy\.|aws\."
    r"|(s3|gcs)\.credentials\.|(key|value)\.converter\.(schema\.registry\.|basic\.auth|bearer\.auth|proxy\.|http\.|.*retries)"
)
_OVERRIDE = re.compile(r"(consumer|producer|admin)\.over[a-z]*\.(.+)")
_LEAST_SIMILARITY = 0.85
_COMMENTS = ("comment", "comments", "description")


@attrs.frozen
class Judgement:
    """The finding about an unknown property.

    Attributes:
        finding: a problem if the property could change what is written, else a warning.
        meant: the known property that was probably intended, if the finding is a problem.
        is_known_to_classes: whether custom classes may know the property.
    """

    finding: Problem
    meant: str | None = None
    is_known_to_classes: bool = True


def is_comment(name: str) -> bool:
    """Return whether people write a property of this name as a comment, such as `_comment`."""
    return name.startswith(("_", "#", "//", "$")) or name.lower() in _COMMENTS


def judge(table: OptionTable, name: str, text: str, given: Mapping[str, str]) -> Judgement:
    """Judge the property `name`, which `table` doesn't know.

    Args:
        table: the properties that the connector knows.
        name: name of the property.
        text: text of the property.
        given: texts of all properties of the configuration.
    """
    elsewhere = None if _OVERRIDE.match(name) else belongs_elsewhere(name)
    if elsewhere is not None:
        return Judgement(warning(name, f"{name} has no effect: {elsewhere}"))
    other = GCS_TABLE if table is S3_TABLE else S3_TABLE
    if name in other.options:
        finding = warning(name, f"{name} has no effect: it belongs to {simple_name(other.connector)}")
        return Judgement(finding, is_known_to_classes=False)
    unknown, meant = f"{name} is not a known property", _meant(table, name)
    if name.startswith(_OWN):  # no other program has such properties
        advice = f"Did you mean {meant}?" if meant else "The settings reference lists all properties of kafka2parquet."
        return Judgement(Problem(name, unknown, advice), meant)
    if meant is None:
        return Judgement(warning(name, f"{unknown}: only custom classes see it"))
    if _has_custom_classes(given):
        return Judgement(warning(name, f"{unknown}: only custom classes see it", f"Otherwise, did you mean {meant}?"))
    if _may_change_result(table, name, meant, text, given):
        return Judgement(Problem(name, unknown, did_you_mean(meant, is_set=meant in given)), meant)
    option = table.find(meant)
    if option is not None and option.effect is Effect.IGNORED:
        return Judgement(warning(name, unknown, f"It has no effect. Nor has {meant}, which was probably intended."))
    return Judgement(warning(name, f"{unknown}, and has no effect, as in Connect", f"Did you mean {meant}?"))


def did_you_mean(meant: str, *, is_set: bool) -> str:
    """Return advice about a misspelled name: the name that was intended, and what to do if that is set too."""
    return f"Did you mean {meant}? It is set too, to another value: keep one of them." if is_set else f"Did you mean {meant}?"


def _meant(table: OptionTable, name: str) -> str | None:
    override = _OVERRIDE.match(name)
    if override:
        return f"{override[1]}.override.{override[2]}"
    first, _, rest = name.partition(".")
    of_aliases = difflib.get_close_matches(first, (TRANSFORMS, PREDICATES), 1, _LEAST_SIMILARITY)
    if "." in rest and of_aliases:
        return f"{of_aliases[0]}.{rest}"
    synonym = SYNONYMS.get(name.lower())
    return synonym if synonym in table.options else table.near_miss(name)


def _has_custom_classes(given: Mapping[str, str]) -> bool:
    """Return whether a Python class gets all properties, and so may know an unknown one."""
    return any(is_python_path(given.get(name, "")) for name in ("partitioner.class", "key.converter", "value.converter"))


def _writes_keys(given: Mapping[str, str]) -> bool:
    columns = given.get(METADATA_COLUMNS, "").split(",")
    return given.get(STORE_KAFKA_KEYS, "").lower() == "true" or "key" in map(str.strip, columns)


def _may_change_result(table: OptionTable, name: str, meant: str, text: str, given: Mapping[str, str]) -> bool:
    """Return whether the intended property would change rows, folders or files.

    A misspelled name beside the right name counts if the values differ, because either may be the intended value. A name of
    another tool beside the right name doesn't count.
    """
    option = table.find(meant)
    if meant in given and (SYNONYMS.get(name.lower()) == meant or given[meant] == text):
        return False
    if option is None or option.effect is not Effect.USED or _SAME_RESULT.match(meant):
        return False
    if meant.startswith("key.converter.") and not _writes_keys(given):
        return False
    try:
        return option.is_prefix or meant in given or option.parse(meant, text) != option.default
    except ValueError:
        return True
