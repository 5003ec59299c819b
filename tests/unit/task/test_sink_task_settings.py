"""The settings of a task: which of them its files and commits are bound to, and what tasks may share."""

from __future__ import annotations

from typing import Any

import pytest

from kafka2parquet import (
    DeliverySettings,
    FileSettings,
    HourlyPartitioner,
    MetadataColumns,
    ObjectNaming,
    ObjectTags,
    ParquetWriter,
    RecordCountRotation,
    RejectPolicy,
)
from kafka2parquet.converters import RecordViews
from kafka2parquet.dead_letters import Tolerance
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.schema import CompatibilityMode
from kafka2parquet.transforms import Drop
from tests.support.sink_world import SinkWorld

#: The fingerprint that each setting has had since it exists.
FINGERPRINTS: dict[str, tuple[dict[str, Any], str]] = {
    "defaults": ({}, "7933d714"),
    "skip": ({"rejects": RejectPolicy(tolerance="skip")}, "59ca70d5"),
    "tolerance": ({"rejects": RejectPolicy(tolerance=Tolerance(everything=True))}, "6ebd6f35"),
    "quarantine": ({"rejects": RejectPolicy(tolerance="skip", quarantine=True)}, "e35913a6"),
    "tombstones": ({"rejects": RejectPolicy(tombstones="ignore")}, "52313391"),
    "naming": ({"files": FileSettings(naming=ObjectNaming(topics_dir="lake"))}, "74cf74a3"),
    "writer": ({"files": FileSettings(writer=ParquetWriter(types="connect", compression="zstd"))}, "3d834d4f"),
    "views": ({"files": FileSettings(views=RecordViews(keys=True, headers=True))}, "92d1dfd0"),
    "compatibility": ({"files": FileSettings(schema_compatibility=CompatibilityMode.BACKWARD)}, "b7aa722f"),
    "name case": ({"files": FileSettings(name_case="unite")}, "14d54f2d"),
    "all": (
        {
            "partitioner": HourlyPartitioner(),
            "transforms": [Drop("a")],
            "metadata_columns": MetadataColumns(["offset", "key"]),
            "files": FileSettings(
                naming=ObjectNaming(topics_dir="lake", compression="zstd"),
                writer=ParquetWriter(types="connect", compression="zstd"),
                views=RecordViews(keys=True),
                schema_compatibility=CompatibilityMode.FULL,
                tags=ObjectTags(),
                name_case="keep",
            ),
            "rejects": RejectPolicy(tolerance="skip", tombstones="write", quarantine=True),
            "delivery": DeliverySettings(guarantee="at_least_once"),
        },
        "a30dc8f2",
    ),
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_a_fingerprint_never_changes(name: str) -> None:
    """The same settings have the same fingerprint in every version, so that a sink recognises its intents after an upgrade."""
    parts, fingerprint = FINGERPRINTS[name]
    world = SinkWorld()
    world.append(b'{"b": 1}', key=b"1", headers=b"\x02\x02a\x02b")  # one header, a: b
    world.run(1, rotation=RecordCountRotation(1), **parts)
    footers = [FlushFooter.from_metadata(stored.metadata) for stored in world.storage.objects.values()]
    assert {fingerprint} == {footer.fingerprint for footer in footers if footer is not None}


def test_tasks_that_share_settings_have_separate_writers() -> None:
    """A task that closes leaves the files of another task with the same settings open."""
    world = SinkWorld()
    files = FileSettings()
    world.append(b'{"a": 1}', b'{"a": 2}')
    first, second = world.task(files=files), world.task(files=files, rotation=RecordCountRotation(2))
    first.close(flush=False)
    world.step_until(second, lambda: world.committed == 2)
    second.close()
    assert {0: 1, 1: 1} == dict(world.offsets())
