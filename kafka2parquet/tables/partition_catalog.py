"""PartitionCatalog: a catalogue's table whose partitions are folders that can be moved to other folders."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Protocol

import attrs

#: The ways in which Hadoop's clients write S3's scheme.
_S3_SCHEMES = ("s3a://", "s3n://")


@attrs.frozen
class CatalogPartition:
    """A partition of a table.

    Attributes:
        location: URL of the folder that queries read, as the catalogue has it.
        moved_at: when `PartitionCatalog.move` has moved the partition there; None if it hasn't.
    """

    location: str
    moved_at: datetime.datetime | None = None

    def is_at(self, location: str) -> bool:
        """Return whether the partition is at a folder, however the folder's URL is written."""
        return _plain(self.location) == _plain(location)


class PartitionCatalog(Protocol):
    """A table with one partition for each folder of a topic. Calls block. Used by one thread.

    Raises:
        ConfigurationError: the table doesn't exist, or its partitions can't be moved.
        CatalogUnavailableError: the catalogue doesn't answer.
        CatalogAccessError: the catalogue refuses access.
    """

    @property
    def name(self) -> str:
        """The table's name, for messages."""

    def check(self) -> None:
        """Check that the table exists and that queries read what its partitions say."""

    def find(self, folders: Collection[str]) -> Mapping[str, CatalogPartition]:
        """Return the partitions of folders, by folder. A folder without a partition is left out.

        Args:
            folders: encoded partitions.
        """

    def move(self, folder: str, found: CatalogPartition, location: str, now: datetime.datetime) -> bool:
        """Move a partition to another folder, in one step. Returns False if it isn't where it was found any more.

        Args:
            folder: the encoded partition.
            found: the partition as the last call of `find` returned it.
            location: URL of the other folder.
            now: the time, which is kept as the partition's `moved_at`.
        """


def _plain(location: str) -> str:
    for scheme in _S3_SCHEMES:
        if location.startswith(scheme):
            location = f"s3://{location.removeprefix(scheme)}"
    return location.rstrip("/")
