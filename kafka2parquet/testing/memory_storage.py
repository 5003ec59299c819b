"""MemoryStorage keeps objects in memory, and fails or blocks when a test plans a fault."""

from __future__ import annotations

import contextlib
import datetime
import io
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.clock import Clock
from kafka2parquet.errors import StorageUnavailableError, UsageError
from kafka2parquet.object_names import check_key, check_read_key
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.util.arguments import Name, checked

Operation = Literal["publish", "create", "read", "read_metadata", "tag", "list", "probe", "delete"]


@attrs.frozen(eq=False)
class StoredObject:
    """An object: its bytes, the footer metadata that `read_metadata` returns without parsing the bytes, and its time."""

    content: bytes = attrs.field(repr=False)
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    written_at: datetime.datetime | None = None


@attrs.define(eq=False)
class Fault:
    """A fault that `MemoryStorage.fail` or `MemoryStorage.block` has planned.

    Attributes:
        operation: the operation to disturb.
        key_part: only calls whose key contains this text are disturbed.
        after_effect: whether the fault occurs after the effect of the call, not before it.
        error: the error to raise; None to block.
        remaining: number of calls that are still to be disturbed.
        reached: set when a call reaches the fault.
        released: set to let blocked calls continue.
    """

    operation: Operation
    key_part: str
    after_effect: bool
    error: Exception | None
    remaining: int
    reached: threading.Event = attrs.field(factory=threading.Event)
    released: threading.Event = attrs.field(factory=threading.Event)

    def meets(self, operation: Operation, key: str, after_effect: bool) -> bool:
        """Return whether a call reaches this fault."""
        return self.remaining > 0 and self.operation == operation and self.after_effect == after_effect and self.key_part in key

    def release(self) -> None:
        """Let all calls that are blocked at this fault continue, and all later calls pass."""
        self.remaining = 0
        self.released.set()


@checked
class MemoryStorage:
    """A `Storage` in a dictionary. Thread-safe; `publish` never replaces an object.

    Attributes:
        objects: the visible objects, by key. Tests may add and remove objects.
        published: the keys of all objects that `publish` made visible, in order.
        tags: the tags of all tagged objects, by key.
        publish_calls: the keys of all calls of `publish`, whether they succeeded or not, in order.
    """

    def __init__(self, url: Name = "memory://test", *, clock: Clock | None = None) -> None:
        """Create an empty storage. Its objects have times if it has a clock."""
        self.url = url
        self._clock = clock
        self.objects: dict[str, StoredObject] = {}
        self.published: list[str] = []
        self.publish_calls: list[str] = []
        self.tags: dict[str, dict[str, str]] = {}
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def fail(
        self,
        operation: Operation = "publish",
        *,
        key_part: str = "",
        times: int = 1,
        after_effect: bool = False,
        error: Exception | None = None,
    ) -> Fault:
        """Make the next `times` calls whose key contains `key_part` raise `error`, by default `StorageUnavailableError`.

        With `after_effect` the call takes effect and then raises, as if only the response was lost.
        """
        error = error or StorageUnavailableError(f"{self.url}: {operation} fails as planned")
        return self._plan(Fault(operation, key_part, after_effect, error, times))

    def block(self, operation: Operation = "publish", *, key_part: str = "", after_effect: bool = False) -> Fault:
        """Make calls whose key contains `key_part` wait before (or after) their effect until the fault is released."""
        return self._plan(Fault(operation, key_part, after_effect, None, 1 << 62))

    def _plan(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def _meet(self, operation: Operation, key: str, *, after_effect: bool) -> None:
        """Apply the first fault planned for this point, if any: wait for the fault's release, or raise its error."""
        if not self._faults:
            return
        with self._lock:
            fault = next((fault for fault in self._faults if fault.meets(operation, key, after_effect)), None)
            if fault is None:
                return
            fault.remaining -= 1
        fault.reached.set()
        if fault.error is not None:
            raise fault.error
        fault.released.wait()

    def publish(self, key: str, file: StagedFile) -> Published | AlreadyExists:
        """See `Storage.publish`."""
        check_key(key)
        with self._lock:
            self.publish_calls.append(key)
        self._meet("publish", key, after_effect=False)
        content = file.content.read_bytes() if isinstance(file.content, Path) else file.content
        with self._lock:
            existing = self.objects.get(key)
            if existing is None:
                self.objects[key] = StoredObject(content, dict(file.metadata), self._now())
                self.published.append(key)
        self._meet("publish", key, after_effect=True)
        return Published() if existing is None else AlreadyExists(existing.metadata or None)

    def create(self, key: str, content: bytes) -> bool:
        """See `Storage.create`."""
        check_key(key)
        self._meet("create", key, after_effect=False)
        with self._lock:
            created = key not in self.objects
            if created:
                self.objects[key] = StoredObject(content, written_at=self._now())
        self._meet("create", key, after_effect=True)
        return created

    def read(self, key: str) -> bytes | None:
        """See `Storage.read`."""
        check_read_key(key)
        self._meet("read", key, after_effect=False)
        stored = self.objects.get(key)
        return None if stored is None else stored.content

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        """See `Storage.read_metadata`."""
        check_read_key(key)
        self._meet("read_metadata", key, after_effect=False)
        stored = self.objects.get(key)
        return None if stored is None else stored.metadata

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Storage.tag`. The new tags replace the object's tags."""
        check_read_key(key)
        self._meet("tag", key, after_effect=False)
        with self._lock:
            if key not in self.objects:
                raise UsageError(f"{self.url}/{key}: the object to tag does not exist.")
            self.tags[key] = dict(tags)
        self._meet("tag", key, after_effect=True)

    def list(self, prefix: str) -> Iterable[str]:
        """See `Storage.list`. The list has the keys that are visible at the time of the call."""
        check_read_key(prefix.rpartition("/")[0])
        self._meet("list", prefix, after_effect=False)
        with self._lock:
            return [key for key in self.objects if key.startswith(prefix)]

    def list_sizes(self, prefix: str) -> Iterable[tuple[str, int]]:
        """Return the keys of all objects whose key starts with `prefix`, each with its size in bytes."""
        return [(key, len(self.objects[key].content)) for key in self.list(prefix)]

    def written_at(self, key: str) -> datetime.datetime | None:
        """Return when an object was written; None if it doesn't exist, or the storage has no clock."""
        stored = self.objects.get(key)
        return None if stored is None else stored.written_at

    def read_tail(self, key: str, length: int) -> bytes | None:
        """Return the last `length` bytes of an object, at most all of it; None if the object doesn't exist."""
        content = self.read(key)
        return None if content is None else content[-length:]

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Open an object for reading.

        Raises:
            StorageUnavailableError: the object doesn't exist.
        """
        content = self.read(key)
        if content is None:
            raise StorageUnavailableError(f"{self.url}/{key} doesn't exist.")
        yield io.BytesIO(content)

    def delete(self, key: str) -> None:
        """Delete an object if it exists."""
        check_read_key(key)
        self._meet("delete", key, after_effect=False)
        with self._lock:
            self.objects.pop(key, None)
        self._meet("delete", key, after_effect=True)

    def _now(self) -> datetime.datetime | None:
        return None if self._clock is None else self._clock.now()

    def probe(self, prefix: str) -> None:
        """See `Storage.probe`. There is nothing to probe in memory."""
        self._meet("probe", prefix, after_effect=False)

    def table(self, key: str) -> pa.Table:
        """Return the object at `key`, parsed as a Parquet file."""
        return pq.read_table(pa.BufferReader(self.objects[key].content))

    def rows(self, key: str) -> Sequence[dict[str, Any]]:
        """Return the rows of the Parquet file at `key`."""
        rows: Sequence[dict[str, Any]] = self.table(key).to_pylist()
        return rows
