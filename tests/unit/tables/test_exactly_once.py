"""Every row gets into a table exactly once: crashes, several followers, compaction, and growing schemas."""

from __future__ import annotations

import threading
from typing import Any

import deltalake
import pytest

from kafka2parquet import FieldPartitioner, RecordCountRotation
from kafka2parquet.errors import CatalogUnavailableError
from kafka2parquet.records import TopicPartition
from tests.support.sink_world import TOPIC
from tests.support.tables import DeltaUnderTest, Died, Disturbed, IcebergUnderTest, Table, TableWorld

PARTS: dict[str, Any] = {"rotation": RecordCountRotation(4), "partitioner": FieldPartitioner("country")}
COUNTRIES = (b"FR", b"S/E", b"a b%")


def _write(world: TableWorld, count: int, partition: int = 0, **parts: Any) -> None:
    first = world.kafka.log(TopicPartition(TOPIC, partition)).end
    values = (b'{"n":%d,"country":"%s"}' % (first + number, COUNTRIES[number % 3]) for number in range(count))
    world.write(*values, partition=partition, **{**PARTS, **parts})


def _all(first: int, second: int) -> list[tuple[int, int]]:
    return [(0, offset) for offset in range(first)] + [(1, offset) for offset in range(second)]


def test_rounds_register_what_is_new(world: TableWorld, table: Table) -> None:
    """A round registers each file of values once, and a later round only what was published since."""
    _write(world, 10)
    _write(world, 5, partition=1)
    follower = world.follower(table.target())
    first = follower.once()
    assert (1, 15, 0) == (first.commits, first.rows, first.lag_offsets)
    assert [(10, 10), (5, 5)] == [(each.position, each.committed) for each in first.partitions]
    assert 0 == follower.once().files
    _write(world, 3, partition=1)
    second = follower.once()
    assert (1, 3) == (second.commits, second.rows)
    assert _all(10, 8) == table.offsets()


def test_transactions_are_limited_to_whole_flushes(world: TableWorld, table: Table) -> None:
    """A round of many files is several transactions, and each one has whole flushes."""
    _write(world, 16)
    found = world.follower(table.target(), files_per_transaction=2).once()
    assert (4, 16, 0) == (found.commits, found.rows, found.lag_offsets)
    assert _all(16, 0) == table.offsets()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_the_transaction(world: TableWorld, table: Table, moment: str) -> None:
    """A follower that dies before or after its transaction leaves a table that the next follower completes."""

    def die() -> None:
        raise Died

    _write(world, 10)
    with pytest.raises(Died):
        world.follower(Disturbed(table.target(), **{moment: die})).once()
    found = world.follower(table.target()).once()
    assert (0 if moment == "after" else 10) == found.rows
    assert _all(10, 0) == table.offsets()


def test_a_zombie(world: TableWorld, table: Table) -> None:
    """A follower that was frozen before its transaction, while another one registered the same and more, adds nothing twice."""
    _write(world, 10)

    def others() -> None:
        zombie.before = lambda: None
        world.follower(table.target()).once()
        _write(world, 6, partition=1)
        world.follower(table.target()).once()

    zombie = Disturbed(table.target(), before=others)
    assert 0 == world.follower(zombie).once().rows
    assert _all(10, 6) == table.offsets()


def test_a_zombie_after_a_compaction(world: TableWorld, table: Table) -> None:
    """A frozen follower adds nothing twice if the table has rewritten the files since."""
    _write(world, 10)

    def others() -> None:
        zombie.before = lambda: None
        world.follower(table.target()).once()
        table.compact()

    zombie = Disturbed(table.target(), before=others)
    assert 0 == world.follower(zombie).once().rows
    assert _all(10, 0) == table.offsets()


def test_a_table_that_compacts_itself(world: TableWorld, table: Table) -> None:
    """Rewritten files are not added again, and new files are added after a rewrite, even one during the transaction."""
    _write(world, 10)
    world.follower(table.target()).once()
    before = set(table.files())
    table.compact()
    assert before - set(table.files())  # or the test proves nothing
    assert 0 == world.follower(table.target()).once().files
    _write(world, 10)
    target = Disturbed(table.target())

    def compact() -> None:
        target.before = lambda: None
        table.compact()

    target.before = compact
    assert 10 == world.follower(target).once().rows
    assert _all(20, 0) == table.offsets()


def test_two_followers_at_once(world: TableWorld, table: Table) -> None:
    """Two followers in two threads, beside a sink that writes, register each row once."""
    done = threading.Event()
    failures: list[BaseException] = []

    def follow() -> None:
        follower = world.follower(table.target(), files_per_transaction=1)
        try:
            while not done.is_set():
                follower.once()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for partition in (0, 1, 0, 1):
        _write(world, 8, partition=partition)
    done.set()
    for thread in threads:
        thread.join()
    assert [] == failures
    world.follower(table.target()).once()
    assert _all(16, 16) == table.offsets()


def test_columns_grow(world: TableWorld, table: Table) -> None:
    """New columns, also inside structs, are added to the table, and older files have nulls there."""
    parts: dict[str, Any] = {"rotation": RecordCountRotation(2)}
    world.write(b'{"a":1,"s":{"x":1}}', b'{"a":2,"s":{"x":1}}', **parts)
    world.follower(table.target()).once()
    world.write(b'{"a":3,"b":"text","s":{"x":2,"y":true}}', **parts)
    found = world.follower(table.target()).once()
    assert () == found.findings
    if isinstance(table, DeltaUnderTest):
        rows = deltalake.DeltaTable(table.path).to_pyarrow_table().sort_by("a").to_pylist()
    else:
        rows = table.table().scan().to_arrow().sort_by("a").to_pylist()
    assert [None, None, "text"] == [row["b"] for row in rows]
    assert [{"x": 1, "y": None}, {"x": 1, "y": None}, {"x": 2, "y": True}] == [row["s"] for row in rows]


def test_a_column_that_changes_its_type(world: TableWorld, table: Table) -> None:
    """A file whose column has another type is refused with the reason, and the other partition goes on."""
    world.write(b'{"a":1}', rotation=RecordCountRotation(1))
    world.follower(table.target()).once()
    world.write(b'{"a":"text"}', rotation=RecordCountRotation(1))
    world.write(b'{"a":5}', partition=1, rotation=RecordCountRotation(1))
    found = world.follower(table.target()).once()
    assert [1, 1] == [each.position for each in found.partitions]
    (finding,) = found.findings
    assert "refused file" == finding.kind.value
    assert (1, 2) == (finding.start, finding.end)
    assert "a" in finding.text
    assert [(0, 0), (1, 0)] == table.offsets()


def _lose_answers(monkeypatch: pytest.MonkeyPatch, table: Table, *, after_effect: bool) -> None:
    """Makes the next transaction of the library fail, before or after its effect."""
    owner: Any
    owner, name = (
        (deltalake.DeltaTable, "create_write_transaction")
        if isinstance(table, DeltaUnderTest)
        else (type(table.catalog()), "commit_table")
    )
    real = getattr(owner, name)
    left = [2 if isinstance(table, IcebergUnderTest) else 1]  # Iceberg's first one creates the table

    def disturbed(*args: Any, **settings: Any) -> Any:
        left[0] -= 1
        if left[0] != 0:
            return real(*args, **settings)
        if after_effect:
            real(*args, **settings)
        raise OSError("the connection was lost")

    monkeypatch.setattr(owner, name, disturbed)


@pytest.mark.parametrize("after_effect", [False, True], ids=["request", "answer"])
def test_a_transaction_whose_outcome_is_unknown(
    world: TableWorld, table: Table, monkeypatch: pytest.MonkeyPatch, after_effect: bool
) -> None:
    """If the request or the answer of a transaction is lost, the next round finds out what has happened."""
    _write(world, 10)
    _lose_answers(monkeypatch, table, after_effect=after_effect)
    follower = world.follower(table.target())
    with pytest.raises(CatalogUnavailableError, match="the connection was lost"):
        follower.once()
    assert (0 if after_effect else 10) == follower.once().rows
    assert _all(10, 0) == table.offsets()


def test_a_topic_that_is_created_again(world: TableWorld, table: Table) -> None:
    """Files of an older topic of the same name are a finding: the same offsets mean other records."""
    _write(world, 4)
    world.log.topic_id = "another id"
    found = world.follower(table.target()).once()
    assert ["foreign file"] == [finding.kind.value for finding in found.findings]
    assert 0 == found.files
