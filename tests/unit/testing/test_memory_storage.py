"""The storage in memory: a storage like any other, with planned faults."""

from __future__ import annotations

import contextlib
import threading

import pytest

from kafka2parquet.errors import StoragePermissionError, StorageUnavailableError
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.testing import MemoryStorage
from kafka2parquet.testing.storage_contract import ReadObject, ReadTags, StorageContract, staged_parquet


class TestMemoryStorageContract(StorageContract):
    """See `StorageContract`."""

    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()

    @pytest.fixture
    def read_object(self, storage: MemoryStorage) -> ReadObject:
        return lambda key: storage.objects[key].content

    @pytest.fixture
    def read_tags(self, storage: MemoryStorage) -> ReadTags:
        return lambda key: storage.tags[key]


def test_fails_before_the_effect_as_planned() -> None:
    """The planned call raises and changes nothing; later ones succeed."""
    storage = MemoryStorage()
    storage.fail(times=2)

    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            storage.publish("a", staged_parquet({}))
    assert {} == storage.objects
    assert Published() == storage.publish("a", staged_parquet({}))


def test_fails_after_the_effect_as_planned() -> None:
    """The object is there, only the answer is lost: the next attempt meets it."""
    storage = MemoryStorage()
    storage.fail(after_effect=True)

    with pytest.raises(StorageUnavailableError):
        storage.publish("a", staged_parquet({"who": "me"}))
    assert AlreadyExists({"who": "me"}) == storage.publish("a", staged_parquet({"who": "me"}))


def test_fails_only_the_keys_and_operations_that_were_named() -> None:
    """Other keys and other operations aren't touched."""
    storage = MemoryStorage()
    storage.fail("read_metadata", key_part="b/", error=StoragePermissionError("no right"))
    storage.publish("b/1", staged_parquet({}))

    assert storage.read_metadata("a/1") is None
    with pytest.raises(StoragePermissionError):
        storage.read_metadata("b/1")


def test_blocks_until_released() -> None:
    """A call waits at the fault, and can be watched arriving there."""
    storage = MemoryStorage()
    fault = storage.block(key_part="slow")
    publisher = threading.Thread(target=storage.publish, args=("slow/1", staged_parquet({})))
    publisher.start()

    assert fault.reached.wait(10)
    assert [] == storage.published
    fault.release()
    publisher.join(10)
    assert ["slow/1"] == storage.published


def test_records_every_attempt_in_order() -> None:
    """What was tried, and what became visible."""
    storage = MemoryStorage()
    for key in ("a", "b", "a"):
        storage.publish(key, staged_parquet({}))

    assert (["a", "b", "a"], ["a", "b"]) == (storage.publish_calls, storage.published)


def test_tagging_fails_as_planned() -> None:
    """Before the effect or after it, as every other operation."""
    storage = MemoryStorage()
    storage.publish("a", staged_parquet({}))
    storage.fail("tag", times=1)
    storage.fail("tag", times=1, after_effect=True)

    seen = []
    for end_offset in ("1", "2", "3"):
        with contextlib.suppress(StorageUnavailableError):
            storage.tag("a", {"endOffset": end_offset})
        seen.append(storage.tags.get("a"))
    assert [None, {"endOffset": "2"}, {"endOffset": "3"}] == seen


def test_gives_the_rows_of_a_file() -> None:
    """Parsed from the published bytes."""
    storage = MemoryStorage()
    storage.publish("a", staged_parquet({}, rows=2))

    assert [{"number": 0}, {"number": 1}] == storage.rows("a")
