"""Stores the learned schema of a topic as a contract beside the data, so that all members of a group agree on it.

Each version is one small object, `<prefix><topic>/schema-<number>.json`, which is created but never overwritten. If two members
grow version 4, one of them creates version 5. The other reads version 5, merges its own columns into it, and creates version 6
if anything is left to add. If the two can't be merged, version 5 wins, because it was there first. Versions only grow, so
whatever was written under an older version still fits. A version is stored before any row with its columns is passed on.

Only the newest version is read. The first record of a topic looks it up with a listing. An outdated listing does no harm,
because creating the next version then fails. After that, a growth costs one request unless another member grew the schema too.
Versions made by other members or by people are found by asking for the next number from time to time.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pyarrow as pa

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.errors import ConfigurationError, StorageUnavailableError
from kafka2parquet.schema.column_rules import ColumnRules
from kafka2parquet.schema.contract import SchemaVersion
from kafka2parquet.schema.lattice import SchemaConflict, merge_schemas
from kafka2parquet.schema.learned import Known, LearnedSchema
from kafka2parquet.schema.schema_text import changes, shrinkage
from kafka2parquet.storage.base import Storage
from kafka2parquet.util.arguments import Name, Seconds, checked
from kafka2parquet.version import VERSION

#: Most characters of a version's list of changes: paths of deep fields are long, and a version is read as a whole.
_MOST_CHANGES_CHARACTERS = 64 << 10
DEFAULT_PREFIX = "topics/_kafka2parquet/"


@checked
class SchemaVersions:
    """The stored schema versions of all topics. Each call makes requests to the store, and raises what `Storage` raises."""

    def __init__(self, storage: Storage, *, prefix: str = DEFAULT_PREFIX, directory_delimiter: Name = "/") -> None:
        """Use the versions below a prefix. Makes no request.

        Args:
            storage: where the data is.
            prefix: the prefix of all schemas' keys. It has to be outside the folders of all topics, so that no reader of a
                table sees the schemas.
            directory_delimiter: separates the topic from the object's name.
        """
        self._storage = storage
        self._prefix = prefix
        self._delimiter = directory_delimiter

    def topics(self) -> list[str]:
        """List all topics that have a schema."""
        pattern = re.compile(rf"{re.escape(self._prefix)}(.+){re.escape(self._delimiter)}schema-[1-9][0-9]*\.json")
        return sorted({match[1] for key in self._storage.list(self._prefix) if (match := pattern.fullmatch(key))})

    def numbers(self, topic: str) -> list[int]:
        """List the numbers of all versions of a topic, in ascending order."""
        beginning = f"{self._prefix}{topic}{self._delimiter}schema-"
        pattern = re.compile(re.escape(beginning) + r"([1-9][0-9]*)\.json")
        return sorted(int(match[1]) for key in self._storage.list(beginning) if (match := pattern.fullmatch(key)))

    def read(self, topic: str, number: int) -> SchemaVersion | None:
        """Read one version; return None if it doesn't exist.

        Raises:
            ConfigurationError: the object is not a schema.
        """
        content = self._storage.read(self._key(topic, number))
        return (
            None if content is None else SchemaVersion.from_json(content, self.url(topic, number), topic=topic, number=number)
        )

    def newest(self, topic: str) -> SchemaVersion | None:
        """Read the newest version; return None if the topic has no version.

        Raises:
            ConfigurationError: the object is not a schema.
        """
        numbers = self.numbers(topic)
        if not numbers:
            return None
        version = self.read(topic, numbers[-1])
        if version is None:
            raise StorageUnavailableError(f"{self.url(topic, numbers[-1])} was listed but is gone; trying again.")
        return version

    def create(self, version: SchemaVersion) -> bool:
        """Store a version unless one with its number exists; return whether it was stored."""
        return self._storage.create(self._key(version.topic, version.number), version.to_json())

    def url(self, topic: str, number: int) -> str:
        """Return the URL of a version, for messages."""
        return f"{self._storage.url}/{self._key(topic, number)}"

    def _key(self, topic: str, number: int) -> str:
        return f"{self._prefix}{topic}{self._delimiter}schema-{number}.json"


def next_version(
    topic: str, before: SchemaVersion | None, schema: pa.Schema, *, clock: Clock, because_of: str, created_by: str = ""
) -> SchemaVersion:
    """Make the version that follows `before`, or the first version if `before` is None. Doesn't check that the schema grows."""
    return SchemaVersion(
        topic=topic,
        number=before.number + 1 if before is not None else 1,
        schema=schema,
        changes=_not_too_many(changes(list(before.schema) if before is not None else [], list(schema))),
        because_of=because_of,
        created_at=clock.now().isoformat(timespec="seconds"),
        created_by=created_by or f"kafka2parquet {VERSION}",
    )


def _not_too_many(lines: Iterator[str]) -> tuple[str, ...]:
    """Cut the list of changes to the size that a version stores, and add how many more there are."""
    kept: list[str] = []
    size, more = 0, 0
    for line in lines:
        size += len(line)
        if size > _MOST_CHANGES_CHARACTERS:
            more += 1
        else:
            kept.append(line)
    return (*kept, f"and {more} more") if more else tuple(kept)


def check_growth(before: SchemaVersion | None, after: SchemaVersion, where: str) -> None:
    """Check that a version keeps all columns of the previous version, with the same or wider types.

    Raises:
        ConfigurationError: the version drops or narrows columns; the error lists all problems.
    """
    if before is not None:
        problems = [
            f"{where} doesn't grow from version {before.number}: {problem}."
            for problem in shrinkage(list(before.schema), list(after.schema))
        ]
        if problems:
            raise ConfigurationError(problems)


@checked
class SchemaContract(LearnedSchema):
    """The learned schema of one topic as a contract in storage, for `JsonConverter(learned=...)`.

    The tasks of a process share one contract; members in other processes agree through the store. All methods may be called
    from any thread. They may block for a request to the store: at the first use, when the schema grows, and once per
    `refresh_interval_s`.

    Raises (each method):
        StorageUnavailableError: the store is down. Nothing has changed; the engine tries the batch again.
        AccessError: the store denies access.
        ConfigurationError: a stored version is not a schema, or doesn't grow from the version before.
    """

    def __init__(
        self,
        versions: SchemaVersions,
        topic: Name,
        *,
        rules: ColumnRules | None = None,
        refresh_interval_s: Seconds = 60.0,
        clock: Clock | None = None,
    ) -> None:
        """Make a contract. The store is not asked before the first use.

        Args:
            versions: the stored versions.
            topic: the topic.
            rules: which columns the schema may have.
            refresh_interval_s: how often to look for a newer version, in seconds.
            clock: for tests.
        """
        super().__init__(rules=rules)
        self._versions = versions
        self._topic = topic
        self._refresh_interval_s = refresh_interval_s
        self._clock = clock if clock is not None else SystemClock()
        self._current: SchemaVersion | None = None
        self._refresh_at_s: float | None = None

    @property
    def version(self) -> int:
        """The number of the newest version that is known; 0 if there is none."""
        self.known()
        return self._current.number if self._current is not None else 0

    def known(self) -> Known:
        """Return the columns that are known now. Looks for newer versions once per `refresh_interval_s`."""
        due_s = self._refresh_at_s
        if due_s is None or self._clock.monotonic() >= due_s:
            with self._lock:
                self._refresh()
        return self._known

    def _refresh(self) -> None:
        now_s = self._clock.monotonic()
        if self._refresh_at_s is None:
            newest = self._versions.newest(self._topic)
            if newest is not None:
                self._adopt(newest)
        elif now_s >= self._refresh_at_s:  # else another thread has just done it
            # The known version stays valid. Newer versions are found the next time, or at the latest when this one grows.
            with contextlib.suppress(StorageUnavailableError):
                while (newer := self._versions.read(self._topic, self._next_number())) is not None:
                    self._adopt(newer)
        self._refresh_at_s = now_s + self._refresh_interval_s

    def _keep(self, schema: pa.Schema, because_of: str) -> bool:
        version = next_version(self._topic, self._current, schema, clock=self._clock, because_of=because_of)
        if self._versions.create(version):
            self._current = version
            return True
        winner = self._versions.read(self._topic, version.number)
        if winner is None:
            url = self._versions.url(self._topic, version.number)
            raise StorageUnavailableError(f"{url}: an object was here and is gone; trying again.")
        self._adopt(winner)
        return False

    def _adopt(self, version: SchemaVersion) -> None:
        check_growth(self._current, version, self._versions.url(self._topic, version.number))
        try:
            seen = merge_schemas(version.schema, self._known.seen)
        except SchemaConflict:  # with a member that wasn't a column yet, such as one that has only been {}
            seen = version.schema
        self._current = version
        self._known = Known.of(seen)

    def _next_number(self) -> int:
        return self._current.number + 1 if self._current is not None else 1
