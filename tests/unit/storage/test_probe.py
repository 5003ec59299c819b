"""The probe finds out what a store doesn't keep."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from kafka2parquet.errors import (
    BucketNotFoundError,
    GuaranteeError,
    Kafka2ParquetError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.storage.probe import probe_store


class FakeStore:
    """A store in a dictionary. `replaces` lists the ways of creating that replace an object: "at once", "in parts"."""

    def __init__(self, replaces: tuple[str, ...] = ()) -> None:
        self.objects: dict[str, bytes] = {}
        self.replaces = replaces
        self.create_errors: list[Kafka2ParquetError] = []
        self.delete_error: Kafka2ParquetError | None = None
        self.lock = threading.Lock()

    @property
    def filesystem(self) -> AbstractFileSystem:
        return MemoryFileSystem()

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        with self.lock:
            if self.create_errors:
                raise self.create_errors.pop()
            if key in self.objects and ("in parts" if in_parts else "at once") not in self.replaces:
                return False
            assert isinstance(content, bytes)
            self.objects[key] = content
            return True

    def read_tail(self, key: str, length: int) -> bytes | None:
        return self.objects[key][-length:]

    def list(self, prefix: str) -> Iterator[str]:
        return (key for key in self.objects if key.startswith(prefix))

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        return ((key, len(content)) for key, content in self.objects.items() if key.startswith(prefix))

    def delete(self, key: str) -> None:
        if self.delete_error is not None:
            raise self.delete_error
        self.objects.pop(key, None)


def probe(store: Any) -> None:
    """Probes a double, which has only what the probe calls."""
    probe_store(store, "fake://", "p/")


def test_a_store_that_creates_only_passes() -> None:
    """A store that never replaces objects passes the probe, which leaves nothing behind."""
    store = FakeStore()
    probe(store)

    assert {} == store.objects


@pytest.mark.parametrize("way", ["at once", "in parts"])
def test_a_store_that_replaces_fails(way: str) -> None:
    """Whether small or large files do."""
    store = FakeStore((way,))

    with pytest.raises(GuaranteeError, match="replace"):
        probe(store)
    assert {} == store.objects


def test_a_store_that_lies_about_the_winner_fails() -> None:
    """The probe fails if the object doesn't have the winner's content."""

    class Liar(FakeStore):
        def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
            created = super().create(key, content, in_parts=in_parts)
            assert isinstance(content, bytes)
            self.objects[key] = content
            return created

    with pytest.raises(GuaranteeError):
        probe(Liar())


def test_a_loser_that_is_asked_to_try_again_has_lost() -> None:
    """S3 may answer 409 to it."""
    store = FakeStore()
    store.create_errors = [StorageUnavailableError("409")]
    probe(store)

    assert {} == store.objects


@pytest.mark.parametrize("error", [StorageUnavailableError("down"), BucketNotFoundError("gone")])
def test_a_store_that_can_not_be_reached_says_why(error: Kafka2ParquetError) -> None:
    """The error of the store, so that what can be waited for is waited for."""
    store = FakeStore()
    store.create_errors = [error, error]

    with pytest.raises(type(error)):
        probe(store)


def test_the_right_to_delete_is_not_needed() -> None:
    """The object stays, below the prefix."""
    store = FakeStore()
    store.delete_error = StoragePermissionError("no")
    probe(store)

    assert 1 == len(list(store.list("p/probe-")))
