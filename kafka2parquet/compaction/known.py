"""KnownFooters: a storage that doesn't read the footers of files that are merged, because plans have what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka2parquet.merged.reading import Cover
from kafka2parquet.storage.base import Storage


class KnownFooters:
    """A `Storage` that answers for the footers of merged files from their plans, and asks another storage for all else.

    A footer that is known this way has no siblings: they were checked before the file was merged.
    """

    def __init__(self, storage: Storage, known: Mapping[str, Cover]) -> None:
        self._storage = storage
        self._known = known

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        """See `Storage.read_metadata`."""
        cover = self._known.get(key)
        if cover is None:
            return self._storage.read_metadata(key)
        plan = cover.folder.plans[cover.number]
        return cover.file.footer(plan.cluster_id, plan.topic_id, plan.topic).to_metadata()
