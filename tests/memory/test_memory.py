"""The promise of docs/concepts/memory.md: how much memory is resident at most, for records of every size.

Each drain is a separate process that reads from an embedded broker in this one.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import attrs
import fastavro
import pytest

from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.testing.broker.record_batches import build_batches
from tests.support.registry_server import RegistryServer

MIB = 1 << 20
TOPIC = "topic"
PARTITIONS = 8

#: The numbers of docs/concepts/memory.md, in MiB.
BASE_MIB, TASK_MIB = 270, 220
#: What the largest record takes, times its own size, where that is more than a mebibyte.
LARGE_FACTOR, LARGE_MIB = 15, 1

SCHEMA = {
    "type": "record",
    "name": "Event",
    "fields": [{"name": "number", "type": "long"}, {"name": "text", "type": "string"}],
}


@attrs.frozen
class Load:
    """Some records, and how they are read."""

    record_bytes: int
    total_mib: int
    compressible: bool = False
    format: str = "json"
    tasks: int = 1
    budget_mib: int = 64

    def __str__(self) -> str:
        how = "compressible" if self.compressible else "random"
        return f"{self.record_bytes} B {how}, {self.format}, {self.tasks} tasks, budget {self.budget_mib} MiB"

    @property
    def records(self) -> int:
        """As many as fill all partitions evenly."""
        return max(1, self.total_mib * MIB // self.record_bytes // PARTITIONS) * PARTITIONS

    @property
    def allowed_mib(self) -> int:
        """By the formula."""
        record_mib = self.record_bytes / MIB
        task_mib = TASK_MIB + (LARGE_FACTOR * record_mib if record_mib > LARGE_MIB else 0)
        return round(BASE_MIB + self.tasks * task_mib + self.budget_mib)


SIZES = {30: 20, 1000: 100, 50_000: 300, 1_000_000: 300, 20_000_000: 320}
ALL = [
    Load(record_bytes, total_mib, compressible, format_, tasks)
    for record_bytes, total_mib in SIZES.items()
    for compressible in (False, True)
    for format_ in ("json", "avro")
    for tasks in (1, 4)
]
SOME = [
    Load(30, 10),
    Load(50_000, 120, compressible=True),
    Load(50_000, 120, budget_mib=16),
    Load(1_000_000, 120, format="avro", tasks=4),
    Load(20_000_000, 160),
]


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as registry:
        yield registry


@pytest.mark.parametrize("load", SOME, ids=str)
def test_memory_is_bounded(load: Load, registry: RegistryServer) -> None:
    """For some loads."""
    _check(load, registry)


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("load", ALL, ids=str)
def test_memory_is_bounded_for_all(load: Load, registry: RegistryServer) -> None:
    """For all sizes, compressible or not, as JSON and Avro, with one task and four."""
    _check(load, registry)


def _check(load: Load, registry: RegistryServer) -> None:
    with EmbeddedBroker(auto_create_topics=False) as broker:
        broker.create_topic(TOPIC, partitions=PARTITIONS)
        _fill(broker, load, registry.add(f"{TOPIC}-value", SCHEMA))
        figures = _drain(broker.bootstrap, load, registry.url)
    print(f"{load}: {figures['peak_mib']} MiB resident, {load.allowed_mib} allowed")

    assert load.records == figures["rows"]
    assert figures["peak_mib"] <= load.allowed_mib


def _fill(broker: EmbeddedBroker, load: Load, schema_id: int) -> None:
    """The records, in batches of at most half a mebibyte as they are sent."""
    ratio = 20 if load.compressible else 1
    a_batch = max(1, min(2000, MIB // 2 * ratio // load.record_bytes))
    each = load.records // PARTITIONS
    values = [_value(load, number, ratio, schema_id) for number in range(min(a_batch, each))]
    for partition in range(PARTITIONS):
        for start in range(0, each, a_batch):
            few = values[: each - start]
            for batch in build_batches(
                few, [0] * len(few), compression="zstd" if load.compressible else "none", records_per_batch=a_batch
            ):
                broker.append(TOPIC, partition, batch)


def _value(load: Load, number: int, ratio: int, schema_id: int) -> bytes:
    """A record with a text that is random, or repeats a random part of itself."""
    length = max(2, load.record_bytes - 28)
    random = base64.b64encode(os.urandom(length // ratio + 1)).decode()
    event = {"number": number, "text": (random * ratio)[:length]}
    if load.format == "json":
        return json.dumps(event).encode()
    return b"\0" + schema_id.to_bytes(4, "big") + _avro(event)


def _avro(event: dict[str, object]) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(SCHEMA), event)
    return file.getvalue()


def _drain(bootstrap: str, load: Load, registry_url: str) -> dict[str, int]:
    config = {
        "tasks.max": str(load.tasks),
        "kafka2parquet.tasks": str(load.tasks),
        "kafka2parquet.memory.bytes": str(load.budget_mib * MIB),
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
    }
    if load.format == "avro":
        config["value.converter"] = "io.confluent.connect.avro.AvroConverter"
        config["value.converter.schema.registry.url"] = registry_url
        del config["value.converter.schemas.enable"]
    arguments = json.dumps({"bootstrap": bootstrap, "rows": load.records, "config": config})
    command: Sequence[str] = (sys.executable, "-m", "tests.memory.drain", arguments)
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(finished.stdout.splitlines()[-1]))
