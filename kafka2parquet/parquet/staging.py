"""The local folder for files that are not yet published."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from kafka2parquet.errors import ConfigurationError

_PREFIX = "kafka2parquet-"
_LOCK = ".lock"


class StagingDirectory:
    """A folder of this process alone, deleted when closed. What a killed process left behind is deleted by the next one.

    Each folder holds a lock file that its process keeps locked; a folder whose lock is free belongs to nobody.
    """

    def __init__(self, parent: str | Path | None = None) -> None:
        """Make the folder under `parent`, by default the system's folder for temporary files.

        Raises:
            ConfigurationError: `parent` can't be written to.
        """
        base = Path(parent) if parent is not None else Path(tempfile.gettempdir())
        try:
            base.mkdir(parents=True, exist_ok=True)
            self._delete_abandoned(base)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
            self._lock = _lock(self.path)
        except OSError as error:
            raise ConfigurationError(f"The staging folder {base} can't be used: {error}. Choose another one.") from error
        self._count = 0

    @staticmethod
    def _delete_abandoned(base: Path) -> None:
        for lock in base.glob(f"{_PREFIX}*/{_LOCK}"):
            try:
                with lock.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)
            except OSError:
                continue  # in use, somebody else's, or gone meanwhile

    def new_file(self) -> Path:
        """A path in the folder that nothing else uses. Called on one thread."""
        self._count += 1
        return self.path / f"{self._count}.parquet"

    def close(self) -> None:
        """Delete the folder. May be called twice."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _lock(folder: Path) -> BinaryIO:
    """A locked lock file. It gets its name only then: before, whoever starts now would take the folder for abandoned."""
    unnamed = folder / f"{_LOCK}-unnamed"
    file = unnamed.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(folder / _LOCK)
    return file
