"""Record batches that can't be decoded: one reject for each where rejects are tolerated, else the end of the task."""

from __future__ import annotations

import pathlib

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from kafka2parquet import (
    DefaultPartitioner,
    FsspecStorage,
    JsonConverter,
    KafkaPythonConsumer,
    RecordCountRotation,
    RejectPolicy,
    SinkTask,
)
from kafka2parquet.errors import CorruptRecordBatchError
from kafka2parquet.testing import EmbeddedBroker
from kafka2parquet.testing.broker.record_batches import build_batches

TOPIC = "events"
GOOD = b'{"a":1}'


def _task(broker: EmbeddedBroker, folder: pathlib.Path, *, tolerated: bool, most_batch_bytes: int = 256 << 20) -> SinkTask:
    return SinkTask(
        consumer=KafkaPythonConsumer(
            bootstrap_servers=broker.bootstrap, group_id="group", topics=[TOPIC], most_batch_bytes=most_batch_bytes
        ),
        converter=JsonConverter(),
        partitioner=DefaultPartitioner(),
        rotation=RecordCountRotation(20),
        storage=FsspecStorage(folder.as_uri()),
        rejects=RejectPolicy(tolerance="skip" if tolerated else "fail", quarantine=tolerated),
    )


def _broken(broker: EmbeddedBroker, *, good_behind: int) -> None:
    broker.create_topic(TOPIC)
    broker.append_values(TOPIC, 0, [GOOD] * 10, [0] * 10)
    batch = b"".join(build_batches([b"broken"] * 3, [0] * 3))
    broker.append(TOPIC, 0, batch[:-1] + bytes([batch[-1] ^ 1]), check_crc=False)
    if good_behind:
        broker.append_values(TOPIC, 0, [GOOD] * good_behind, [0] * good_behind)


def test_a_corrupt_batch_becomes_one_reject(tmp_path: pathlib.Path) -> None:
    """The reject keeps the bytes of the corrupt batch, and all records around the batch are written once."""
    with EmbeddedBroker() as broker:
        _broken(broker, good_behind=10)
        committed = 0
        with _task(broker, tmp_path, tolerated=True) as task:
            while committed < 20:
                committed += task.step().committed_rows
    offsets = pyarrow.dataset.dataset(tmp_path / "topics" / TOPIC).to_table()["_kafka_offset"].to_pylist()
    assert [*range(10), *range(13, 23)] == sorted(offsets)
    (quarantined,) = (tmp_path / "topics" / "_kafka2parquet" / TOPIC / "quarantine").glob("*.parquet")
    (row,) = pq.read_table(quarantined).to_pylist()
    assert (10, "fetch") == (row["offset"], row["stage"])
    assert b"broken" in row["value"]


@pytest.mark.parametrize(("tolerated", "good_behind"), [(False, 10), (True, 0)])
def test_a_corrupt_batch_ends_the_task(tmp_path: pathlib.Path, tolerated: bool, good_behind: int) -> None:
    """A corrupt batch ends the task if rejects are not tolerated, or if the start of the next batch is unknown."""
    with EmbeddedBroker() as broker:
        _broken(broker, good_behind=good_behind)
        task = _task(broker, tmp_path, tolerated=tolerated)
        with pytest.raises(CorruptRecordBatchError, match="the record batch at offset 10 is corrupt"):
            task.run()


@pytest.mark.parametrize("good_behind", [0, 10])
def test_a_batch_that_is_too_large_becomes_one_reject(tmp_path: pathlib.Path, good_behind: int) -> None:
    """A batch that is too large is one reject, even at the end of the log.

    If its checksum is right, the batch says where it ends.
    """
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC)
        broker.append_values(TOPIC, 0, [GOOD] * 10, [0] * 10)
        (bomb,) = build_batches([b"x" * 1000] * 3000, [0] * 3000, compression="zstd", records_per_batch=3000)
        broker.append(TOPIC, 0, bomb)
        if good_behind:
            broker.append_values(TOPIC, 0, [GOOD] * good_behind, [0] * good_behind)
        with _task(broker, tmp_path, tolerated=True, most_batch_bytes=1 << 20) as task:
            while task.step().open_rows < 11 + good_behind:
                pass
    offsets = pyarrow.dataset.dataset(tmp_path / "topics" / TOPIC).to_table()["_kafka_offset"].to_pylist()
    assert [*range(10), *range(3010, 3010 + good_behind)] == sorted(offsets)
    (quarantined,) = (tmp_path / "topics" / "_kafka2parquet" / TOPIC / "quarantine").glob("*.parquet")
    (row,) = pq.read_table(quarantined).to_pylist()
    assert (10, "fetch") == (row["offset"], row["stage"])
    assert "more than 1048576 bytes" in row["reason"]
    assert bomb[16:] == row["value"][16:]
