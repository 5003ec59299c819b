"""SchemaContract: the learned schema of a topic, kept beside the data so that all members agree on it.

Each version is one small object, `<prefix><topic>/schema-<number>.json`, made create-only: of two members that grow version 4,
one makes version 5, and the other reads it, joins what it has learned itself to it, and makes version 6 if there is anything
left to add. Where the two can't be joined, version 5 decides, because it was there first. Versions only grow, so whatever was
written under an older one still fits. A version is kept before any row with its columns is handed on.

Nothing but the newest version is read, and it is looked for once, when the topic's first record comes: by a listing, whose
answer is a hint only, since creating the next version fails where it was wrong. After that, growing costs one request where
nobody else grew the schema, and versions that others or people make are picked up by asking for the next number now and then.
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

#: Paths of deep fields are long, and the text of a version is read as a whole.
_MOST_CHANGES_CHARACTERS = 64 << 10
DEFAULT_PREFIX = "topics/_kafka2parquet/"


@checked
class SchemaVersions:
    """The stored versions of topics' schemas. Each call makes requests to the store, and raises what `Storage` raises."""

    def __init__(self, storage: Storage, *, prefix: str = DEFAULT_PREFIX, directory_delimiter: Name = "/") -> None:
        """Look below a prefix.

        Args:
            storage: where the data is.
            prefix: of all schemas' keys: outside the folders of all topics, so that no reader of a table sees them.
            directory_delimiter: between topic and name.
        """
        self._storage = storage
        self._prefix = prefix
        self._delimiter = directory_delimiter

    def topics(self) -> list[str]:
        """All topics that have a schema."""
        pattern = re.compile(rf"{re.escape(self._prefix)}(.+){re.escape(self._delimiter)}schema-[1-9][0-9]*\.json")
        return sorted({match[1] for key in self._storage.list(self._prefix) if (match := pattern.fullmatch(key))})

    def numbers(self, topic: str) -> list[int]:
        """The numbers of all versions, rising."""
        beginning = f"{self._prefix}{topic}{self._delimiter}schema-"
        pattern = re.compile(re.escape(beginning) + r"([1-9][0-9]*)\.json")
        return sorted(int(match[1]) for key in self._storage.list(beginning) if (match := pattern.fullmatch(key)))

    def read(self, topic: str, number: int) -> SchemaVersion | None:
        """One version; None where there is none.

        Raises:
            ConfigurationError: what lies there is no schema.
        """
        content = self._storage.read(self._key(topic, number))
        return (
            None if content is None else SchemaVersion.from_json(content, self.url(topic, number), topic=topic, number=number)
        )

    def newest(self, topic: str) -> SchemaVersion | None:
        """The newest version; None where nothing is known of the topic.

        Raises:
            ConfigurationError: what lies there is no schema.
        """
        numbers = self.numbers(topic)
        if not numbers:
            return None
        version = self.read(topic, numbers[-1])
        if version is None:
            raise StorageUnavailableError(f"{self.url(topic, numbers[-1])} was listed and is gone; trying once more.")
        return version

    def create(self, version: SchemaVersion) -> bool:
        """Store a version, if there is none of its number; False, and nothing changed, if there is."""
        return self._storage.create(self._key(version.topic, version.number), version.to_json())

    def url(self, topic: str, number: int) -> str:
        """Where a version lies, for people."""
        return f"{self._storage.url}/{self._key(topic, number)}"

    def _key(self, topic: str, number: int) -> str:
        return f"{self._prefix}{topic}{self._delimiter}schema-{number}.json"


def next_version(
    topic: str, before: SchemaVersion | None, schema: pa.Schema, *, clock: Clock, because_of: str, created_by: str = ""
) -> SchemaVersion:
    """The version that follows `before`, or the first one; whether it is a growth isn't checked."""
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
    """As many of the changes as a version says, and how many more there are."""
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
    """Check that a version has all columns of the one before, of the same or a wider type.

    Raises:
        ConfigurationError: it hasn't; with all problems.
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

    Shared by the tasks of a process; members of other processes agree through the store. All methods may be called from any
    thread. They may block for a request to the store: at the first use, when the schema grows, and once in
    `refresh_interval_s`.

    Raises (each method):
        StorageUnavailableError: the store is down. Nothing has changed; the engine tries the batch again.
        AccessError: the store refuses us.
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
        """Nothing is asked of the store before the first use.

        Args:
            versions: where the versions are.
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
        """Number of the version that is known; 0 where there is none."""
        self.known()
        return self._current.number if self._current is not None else 0

    def known(self) -> Known:
        """What is known now; looks for newer versions when it is time."""
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
            # What is known holds. Newer versions will be found the next time, or at the latest when this one is to grow.
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
            raise StorageUnavailableError(f"{url}: an object stood here and is gone again; trying once more.")
        self._adopt(winner)
        return False

    def _adopt(self, version: SchemaVersion) -> None:
        check_growth(self._current, version, self._versions.url(self._topic, version.number))
        try:
            seen = merge_schemas(version.schema, self._known.seen)
        except SchemaConflict:  # with a column that was no column yet, such as one that has only been {}
            seen = version.schema
        self._current = version
        self._known = Known.of(seen)

    def _next_number(self) -> int:
        return self._current.number + 1 if self._current is not None else 1
