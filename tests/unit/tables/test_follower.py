"""What a follower takes, where it stops, and its loop."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet import FieldPartitioner, RecordCountRotation
from kafka2parquet.backoff import RetryPolicy
from kafka2parquet.errors import CatalogUnavailableError, ConfigurationError
from kafka2parquet.records import TopicPartition
from kafka2parquet.tables import DataFile, Followed, LogId
from kafka2parquet.testing import MemoryRecord
from tests.support.sink_world import TOPIC
from tests.support.tables import MemoryTable, TableWorld

COUNTED: dict[str, Any] = {"rotation": RecordCountRotation(2)}


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


def _key(offset: int, folder: str = "partition=0", partition: int = 0) -> str:
    return f"topics/{TOPIC}/{folder}/{TOPIC}+{partition}+{offset:010}.snappy.parquet"


def _only(found: Followed, partition: int = 0) -> tuple[int | None, str | None]:
    of = found.partitions[partition]
    return of.position, None if of.finding is None else of.finding.kind.value


def test_nothing_beyond_the_committed_offset(world: TableWorld, table: MemoryTable) -> None:
    """A flush that is published and not committed is left for a later round."""
    world.write(b"{}", b"{}", b"{}", b"{}", **COUNTED)
    committed = world.kafka.committed("group", TOPIC, 0)
    assert committed is not None
    world.kafka.commit("group", TOPIC, 0, 2, "")
    assert (2, None) == _only(world.follower(table).once())
    assert [_key(0)] == table.keys
    world.kafka.commit("group", TOPIC, 0, 4, committed.metadata)
    assert (4, None) == _only(world.follower(table).once())
    assert [_key(0), _key(2)] == table.keys


def test_values_only(world: TableWorld, table: MemoryTable) -> None:
    """Files of rejects, keys and headers are not registered, and a flush of rejects moves the position with the next values."""
    parts = {**COUNTED, "tolerance": "skip", "quarantine": True, "partitioner": FieldPartitioner("a")}
    world.write(b"no", b"no", b"no", **parts)
    assert (3, None) == _only(world.follower(table).once())
    assert ({}, []) == (table.found, table.keys)
    world.write(b'{"a":1}', b"no", b'{"a":2}', **parts)
    assert (6, None) == _only(world.follower(table).once())
    assert {_key(3, "a=1"), _key(5, "a=2")} == set(table.keys)
    assert {LogId(f"id-of-{TOPIC}", 0): 6} == table.found


def test_offsets_without_values(world: TableWorld, table: MemoryTable) -> None:
    """Offsets in no file are passed if the log has no value there, and are not read twice."""
    parts = {**COUNTED, "tombstones": "ignore"}
    world.write(b"{}", b"{}", None, None, **parts)
    follower = world.follower(table)
    assert (4, None) == _only(follower.once())
    assert (4, None) == _only(follower.once())
    assert [(0, 2, 4)] == world.log.asked
    world.write(None, b"{}", b"{}", **parts)
    assert (7, None) == _only(follower.once())
    assert [_key(0), _key(5)] == table.keys


@pytest.mark.parametrize("deleted", [False, True], ids=["in the log", "deleted"])
def test_a_gap(world: TableWorld, table: MemoryTable, deleted: bool) -> None:
    """If the file of a flush is gone, the partition stands still before it with a finding, until gaps are passed."""
    for _ in range(3):
        world.write(b"{}", b"{}", **COUNTED)
    world.write(b"{}", b"{}", partition=1, **COUNTED)
    (world.folder / _key(2)).unlink()
    if deleted:
        world.kafka.delete_records(TOPIC, 0, 3)
    found = world.follower(table).once()
    assert (2, "gap") == _only(found)
    assert (2, None) == _only(found, 1)
    assert 4 == found.lag_offsets
    assert ("no longer has" in found.findings[0].text) is deleted
    assert (6, None) == _only(world.follower(table, pass_gaps=True).once())
    assert [_key(0), _key(0, "partition=1", 1), _key(4)] == table.keys


def test_a_gap_at_the_end(world: TableWorld, table: MemoryTable) -> None:
    """The last flush before the committed offset is missed, too."""
    world.write(b"{}", b"{}", **COUNTED)
    world.write(b"{}", b"{}", **COUNTED)
    (world.folder / _key(2)).unlink()
    assert (2, "gap") == _only(world.follower(table).once())


def test_a_missing_sibling(world: TableWorld, table: MemoryTable) -> None:
    """A flush is not taken if one of its files is gone."""
    world.write(b'{"a":1}', b'{"a":2}', rotation=RecordCountRotation(2), partitioner=FieldPartitioner("a"))
    (world.folder / _key(1, "a=2")).unlink()
    assert (None, "missing file") == _only(world.follower(table).once())
    assert [] == table.keys


def test_a_missing_anchor_of_the_first_flush(world: TableWorld, table: MemoryTable) -> None:
    """If nothing says where the first flush begins, nothing is taken."""
    world.write(b'{"a":1}', b'{"a":2}', rotation=RecordCountRotation(2), partitioner=FieldPartitioner("a"))
    world.write(b'{"a":1}', b'{"a":2}', rotation=RecordCountRotation(2), partitioner=FieldPartitioner("a"))
    (world.folder / _key(0, "a=1")).unlink()
    assert (None, "unlisted file") == _only(world.follower(table).once())


@pytest.mark.parametrize("content", [b"not Parquet", b""])
def test_a_foreign_file(world: TableWorld, table: MemoryTable, content: bytes) -> None:
    """A file with the name of the sink's that another tool wrote stops the partition."""
    world.write(b"{}", b"{}", **COUNTED)
    world.write(b"{}", b"{}", **COUNTED)
    (world.folder / _key(2)).write_bytes(content)
    assert (2, "foreign file") == _only(world.follower(table).once())


def _other_tool_writes(world: TableWorld, first_offset: int, rows: int) -> None:
    (path := world.folder / _key(first_offset)).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": [1] * rows}), path)


def _migrated(world: TableWorld) -> None:
    """Two records of another tool, then two flushes of the sink, whose group began behind them."""
    world.kafka.append(TOPIC, 0, [MemoryRecord(b"{}")] * 2)
    world.kafka.commit("group", TOPIC, 0, 2, "")
    world.write(*[b"{}"] * 4, **COUNTED)


def test_files_of_another_tool_before_the_first_flush(world: TableWorld, table: MemoryTable) -> None:
    """The table begins at the sink's first flush, and old files of another tool are never registered."""
    _migrated(world)
    _other_tool_writes(world, 0, 1)
    _other_tool_writes(world, 1, 1)
    assert (6, None) == _only(world.follower(table).once())
    assert [_key(2), _key(4)] == table.keys


def test_only_files_of_another_tool(world: TableWorld, table: MemoryTable) -> None:
    """Before the sink's first flush, there is nothing to register, and nothing is wrong."""
    world.kafka.append(TOPIC, 0, [MemoryRecord(b"{}")] * 2)
    world.kafka.commit("group", TOPIC, 0, 2, "")
    _other_tool_writes(world, 0, 2)
    found = world.follower(table).once()
    assert (None, None) == _only(found)
    assert ((), []) == (found.unknown_lags, table.keys)


def test_the_sink_writes_a_file_where_another_tool_had_one(world: TableWorld, table: MemoryTable) -> None:
    """A follower that knows a file of another tool registers the sink's file that takes its name."""
    world.kafka.append(TOPIC, 0, [MemoryRecord(b"{}")] * 2)
    world.kafka.commit("group", TOPIC, 0, 2, "")
    _other_tool_writes(world, 0, 2)
    follower = world.follower(table)
    assert (None, None) == _only(follower.once())
    (world.folder / _key(0)).unlink()
    world.kafka.commit("group", TOPIC, 0, 0, "")
    world.write(b"{}", b"{}", **COUNTED)
    assert (4, None) == _only(follower.once())
    assert [_key(0), _key(2)] == table.keys


@pytest.mark.parametrize(("first_offset", "rows", "position"), [(0, 3, None), (4, 2, 4)], ids=["reaches in", "inside"])
def test_files_of_another_tool_in_the_range(
    world: TableWorld, table: MemoryTable, first_offset: int, rows: int, position: int | None
) -> None:
    """A file that reaches into the sink's range, or begins in it, stops the partition."""
    _migrated(world)
    _other_tool_writes(world, first_offset, rows)
    found = world.follower(table).once()
    assert (position, "foreign file") == _only(found)
    assert _key(first_offset) in str(found.partitions[0].finding)
    assert (() if position else (TopicPartition(TOPIC, 0),)) == found.unknown_lags


def test_another_tool_wrote_in_between(world: TableWorld, table: MemoryTable) -> None:
    """Offsets that another tool has written between two flushes are passed only if gaps are passed."""
    world.write(b"{}", b"{}", **COUNTED)
    world.kafka.append(TOPIC, 0, [MemoryRecord(b"{}")] * 2)
    world.kafka.commit("group", TOPIC, 0, 4, "")
    _other_tool_writes(world, 2, 2)
    world.write(b"{}", b"{}", **COUNTED)
    assert (2, "foreign file") == _only(world.follower(table).once())
    assert (6, None) == _only(world.follower(table, pass_gaps=True).once())
    assert [_key(0), _key(4)] == table.keys


def test_a_file_with_another_number_of_rows(world: TableWorld, table: MemoryTable) -> None:
    """A sibling that was replaced by a file with other rows stops the partition."""
    parts: dict[str, Any] = {"rotation": RecordCountRotation(3), "partitioner": FieldPartitioner("a")}
    world.write(b'{"a":1}', b'{"a":2}', b'{"a":2}', **parts)
    (world.folder / _key(1, "a=2")).write_bytes((world.folder / _key(0, "a=1")).read_bytes())
    assert (None, "wrong rows") == _only(world.follower(table).once())
    assert [] == table.keys


def test_a_position_inside_a_flush(world: TableWorld, table: MemoryTable) -> None:
    """A position that is not the end of a flush is an overlap: its rows might be registered twice."""
    world.write(b"{}", b'{"a":1}', b"{}", b"{}", rotation=RecordCountRotation(4), partitioner=FieldPartitioner("a"))
    table.found[LogId(f"id-of-{TOPIC}", 0)] = 1
    (position, kind) = _only(world.follower(table).once())
    assert 1 == position
    assert kind in ("overlap", "gap")


def test_conflicts_are_tried_again(world: TableWorld, table: MemoryTable) -> None:
    """A follower tries again after other writers' transactions, and gives up after a time."""
    world.write(b"{}", b"{}", **COUNTED)
    soon = RetryPolicy(first_s=0.001, longest_s=0.001)
    table.conflicts = 3
    assert 2 == world.follower(table, conflicts=soon).once().rows
    world.write(b"{}", b"{}", **COUNTED)
    table.conflicts = 1000
    with pytest.raises(CatalogUnavailableError, match="changed by others"):
        world.follower(table, conflicts=RetryPolicy(limit_s=0.0)).once()


def test_the_loop(world: TableWorld, table: MemoryTable, caplog: pytest.LogCaptureFixture) -> None:
    """The loop goes on after outages, logs a finding once, and ends when `stop` is set."""
    world.write(b"{}", b"{}", **COUNTED)
    world.write(b"{}", b"{}", **COUNTED)
    (world.folder / _key(2)).unlink()
    table.errors = [CatalogUnavailableError("It is down.")]
    stop = threading.Event()
    rounds: list[Followed] = []

    def on_round(found: Followed) -> None:
        rounds.append(found)
        if len(rounds) == 3:
            stop.set()

    last = world.follower(table).follow(stop, interval_s=0.001, on_round=on_round)
    assert rounds[-1] == last
    assert [2, 0, 0] == [found.rows for found in rounds]
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("kafka2parquet.tables")]
    assert 1 == sum("stands still" in message for message in messages)
    assert 1 == sum("It is down. Trying again" in message for message in messages)


def test_a_stop_between_transactions(world: TableWorld, table: MemoryTable) -> None:
    """A round that is stopped ends after its transaction, and its outcome says what is left."""
    stop = threading.Event()
    for _ in range(3):
        world.write(b"{}", b"{}", **COUNTED)
    stop.set()
    found = world.follower(table).once(stop)
    assert (0, None) == (found.rows, found.partitions[0].position)


def test_the_status_of_a_follower(world: TableWorld, table: MemoryTable) -> None:
    """The status shows positions, lags and sums, first nothing, then what the round has found and registered."""
    follower = world.follower(table)
    new = follower.status()
    assert ("memory", TOPIC, "starting", None, None, None, ()) == (
        new.table,
        new.topic,
        new.state,
        new.up,
        new.last_round_at,
        new.last_transaction_at,
        new.partitions,
    )
    for _ in range(3):
        world.write(b"{}", b"{}", **COUNTED)
    (world.folder / _key(2)).unlink()
    world.write(b"{}", b"{}", partition=1, **COUNTED)
    follower.once()
    found = follower.status()
    assert ("running", True, "", 2, 4) == (found.state, found.up, found.error, found.files, found.rows)
    assert (world.clock.now(), world.clock.now(), None) == (found.last_round_at, found.last_step_at, found.interval_s)
    assert [(2, 6, 4), (2, 2, 0)] == [(each.position, each.committed, each.lag_offsets) for each in found.partitions]
    assert [TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)] == [each.topic_partition for each in found.partitions]
    assert found.partitions[0].problem.startswith("gap: [2, 4) is in no file")
    assert "" == found.partitions[1].problem


def test_the_status_follows_each_transaction(world: TableWorld, table: MemoryTable) -> None:
    """During a long round, the status shows how far the round is, and the round doesn't count as complete."""
    follower = world.follower(table, files_per_transaction=1)
    seen: list[tuple[int | None, int | None, int, bool]] = []
    for _ in range(3):
        world.write(b"{}", b"{}", **COUNTED)
    commit = table.commit

    def watched(files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        found = follower.status()
        partition = found.partitions[0]
        seen.append((partition.position, partition.lag_offsets, found.rows, found.last_round_at is None))
        return commit(files, positions)

    table.commit = watched  # type: ignore[method-assign]  # the table is the test's
    follower.once()
    assert [(None, None, 0, True), (2, 4, 2, True), (4, 2, 4, True)] == seen
    found = follower.status()
    assert (6, 0, 6) == (found.partitions[0].position, found.partitions[0].lag_offsets, found.rows)
    assert found.last_step_at == found.last_round_at


def test_a_round_without_files_is_no_transaction(world: TableWorld, table: MemoryTable) -> None:
    """The time of the last transaction is that of the last files, however many rounds follow."""
    world.write(b"{}", b"{}", **COUNTED)
    follower = world.follower(table)
    follower.once()
    registered = world.clock.now()
    world.clock.advance(60)
    follower.once()
    found = follower.status()
    assert (registered, world.clock.now()) == (found.last_transaction_at, found.last_round_at)


def test_the_status_of_a_round_that_fails(world: TableWorld, table: MemoryTable) -> None:
    """An outage shows the error and keeps what was known; an error that waiting doesn't cure makes the follower failed."""
    world.write(b"{}", b"{}", **COUNTED)
    follower = world.follower(table)
    follower.once()
    before = follower.status()
    world.clock.advance(10.0)
    table.errors = [CatalogUnavailableError("https://me:hunter22@catalogue is down.")]
    with pytest.raises(CatalogUnavailableError):
        follower.once()
    down = follower.status()
    assert ("running", False, before.last_round_at, before.partitions, 2) == (
        down.state,
        down.up,
        down.last_round_at,
        down.partitions,
        down.rows,
    )
    assert world.clock.now() == down.last_step_at
    assert "is down" in down.error
    assert "hunter22" not in down.error
    table.errors = [ConfigurationError("The table can't hold the files.")]
    with pytest.raises(ConfigurationError):
        follower.once()
    assert ("failed", False) == (follower.status().state, follower.status().up)
    follower.once()
    assert ("running", True, "") == (follower.status().state, follower.status().up, follower.status().error)


def test_the_status_of_the_loop(world: TableWorld, table: MemoryTable) -> None:
    """The loop's pause is in the status; a loop that was stopped is stopped, and one that ended with an error has failed."""
    follower, stop = world.follower(table), threading.Event()
    states: list[str] = []

    def on_round(_: Followed) -> None:
        states.append(follower.status().state)
        stop.set()

    follower.follow(stop, interval_s=7.0, on_round=on_round)
    states.append(follower.status().state)
    table.errors = [ConfigurationError("The table can't hold the files.")]
    with pytest.raises(ConfigurationError):
        follower.follow(threading.Event(), interval_s=7.0)
    states.append(follower.status().state)
    assert ["running", "stopped", "failed"] == states
    assert 7.0 == follower.status().interval_s


def test_the_status_has_no_credentials(world: TableWorld, table: MemoryTable) -> None:
    """Credentials in the URL of a table are not in its status."""
    table.name = "Delta table s3://key:hunter22@bucket/topics/events"
    assert "Delta table s3://[hidden]@bucket/topics/events" == world.follower(table).status().table
