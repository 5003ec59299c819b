"""MemoryStorage passes the storage contract, and fails as a test plans."""

from __future__ import annotations

import contextlib
import threading

import pytest

from kafka2parquet.errors import StoragePermissionError, StorageUnavailableError
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.testing import MemoryStorage
from kafka2parquet.testing.contracts.storage import ReadObject, ReadTags, StorageContract, staged_parquet


class TestMemoryStorageContract(StorageContract):
    """Runs `StorageContract` on the storage in memory."""

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
    """The planned calls raise and change nothing; later calls succeed."""
    storage = MemoryStorage()
    storage.fail(times=2)

    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            storage.publish("a", staged_parquet({}))
    assert {} == storage.objects
    assert Published() == storage.publish("a", staged_parquet({}))


def test_fails_after_the_effect_as_planned() -> None:
    """The call stores the object and then raises, as if the response was lost; the next attempt finds the object."""
    storage = MemoryStorage()
    storage.fail(after_effect=True)

    with pytest.raises(StorageUnavailableError):
        storage.publish("a", staged_parquet({"who": "me"}))
    assert AlreadyExists({"who": "me"}) == storage.publish("a", staged_parquet({"who": "me"}))


def test_fails_only_the_keys_and_operations_that_were_named() -> None:
    """A fault affects only the keys and the operation that it names."""
    storage = MemoryStorage()
    storage.fail("read_metadata", key_part="b/", error=StoragePermissionError("no right"))
    storage.publish("b/1", staged_parquet({}))

    assert storage.read_metadata("a/1") is None
    with pytest.raises(StoragePermissionError):
        storage.read_metadata("b/1")


def test_blocks_until_released() -> None:
    """A call waits at the fault until the test releases it, and `reached` says that the call is there."""
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
    """`publish_calls` has every attempt, `published` only those that made an object visible."""
    storage = MemoryStorage()
    for key in ("a", "b", "a"):
        storage.publish(key, staged_parquet({}))

    assert (["a", "b", "a"], ["a", "b"]) == (storage.publish_calls, storage.published)


def test_tagging_fails_as_planned() -> None:
    """A fault can make `tag` fail before or after its effect."""
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
    """`rows` returns the rows of a published file."""
    storage = MemoryStorage()
    storage.publish("a", staged_parquet({}, rows=2))

    assert [{"number": 0}, {"number": 1}] == storage.rows("a")
