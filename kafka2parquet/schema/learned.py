"""LearnedSchema: the schema of a topic that nobody has written down, as far as it is known."""

from __future__ import annotations

import threading

import pyarrow as pa

from kafka2parquet.schema.lattice import merge_schemas, without_unknown


class LearnedSchema:
    """A schema that only grows, shared by all that read the topic in this process. Thread-safe.

    Fields of which only nulls were seen are remembered, but not part of what is written.
    """

    def __init__(self, schema: pa.Schema | None = None) -> None:
        """Begin with `schema`, by default with nothing."""
        self._lock = threading.Lock()
        self._known = schema if schema is not None else pa.schema([])
        self._written = without_unknown(self._known)

    @property
    def written(self) -> pa.Schema:
        """The columns of files that are written now."""
        return self._written

    def merged(self, seen: pa.Schema) -> pa.Schema:
        """What the written schema would be after `seen`; nothing is learned yet.

        Raises:
            SchemaConflict: `seen` can't be merged.
        """
        return without_unknown(merge_schemas(self._known, seen))

    def learn(self, seen: pa.Schema) -> pa.Schema:
        """Grow by what was seen; the columns that are written from now on.

        Raises:
            SchemaConflict: `seen` can't be merged; nothing is learned.
        """
        with self._lock:
            self._known = merge_schemas(self._known, seen)
            self._written = without_unknown(self._known)
            return self._written
