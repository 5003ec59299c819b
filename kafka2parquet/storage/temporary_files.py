"""Temporary files in the storage, which a later process finds and deletes if their own process has died.

A temporary file is created in the folder of the final file, so that it gets that folder's group and access list. It is moved at
once to one folder of this library, where a single listing finds all of them. Its process keeps it locked. A starting process
deletes unlocked files:

- files of the same machine at once, because the kernel releases a lock exactly when its process ends;
- files of other machines after a day without a write, because a network file system may not show their locks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import platform
import re
import stat
import time
import uuid
from io import FileIO
from pathlib import Path

_PREFIX = ".kafka2parquet-"
_SUFFIX = ".tmp"
_NAME = re.compile(rf"{re.escape(_PREFIX)}(?P<machine>[0-9a-f]{{12}})-[0-9a-f]{{32}}{re.escape(_SUFFIX)}")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FOREIGN_AGE_S = 24 * 3600


def is_temporary(name: str) -> bool:
    """Return whether a name belongs to a temporary file of this or an older version of this library."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


class TemporaryFile:
    """A new file that is locked while it is open, and deleted when the context ends."""

    def __init__(self, folder: Path, own_folder: Path | None) -> None:
        """Create the file.

        Args:
            folder: the folder of the final file.
            own_folder: the library's folder for temporary files; None to stay in `folder`. The file also stays in `folder` if
                it can't be moved, for instance to another file system.

        Raises:
            OSError: the file can't be created.
        """
        self.path = folder / f"{_PREFIX}{_machine()}-{uuid.uuid4().hex}{_SUFFIX}"
        self.file = FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "r+")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if own_folder is not None:
            with contextlib.suppress(OSError):
                self.path = self.path.rename(own_folder / self.path.name)

    def link_to(self, target: Path) -> None:
        """Hard-link the file to `target`, which is in `folder`.

        Raises:
            FileExistsError: `target` exists.
            OSError: the file can't be linked.
        """
        try:
            target.hardlink_to(self.path)
        except OSError as error:
            if error.errno != errno.EXDEV or self.path.parent == target.parent:
                raise
            # Some file systems can move a file between folders but link it only within a folder.
            self.path = self.path.rename(target.with_name(self.path.name))
            target.hardlink_to(self.path)

    def __enter__(self) -> TemporaryFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)
        self.file.close()


def delete_abandoned(folder: Path) -> None:
    """Delete the temporary files of dead processes in the folder, with one listing. Ignores files that can't be deleted."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            with contextlib.suppress(OSError):  # in use, owned by another user, or already gone
                if name is not None and entry.is_file(follow_symlinks=False):
                    _delete_if_abandoned(Path(entry.path), name["machine"])


def _delete_if_abandoned(path: Path, machine: str) -> None:
    with FileIO(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "r+") as file:
        status = os.fstat(file.fileno())
        is_foreign = machine != _machine()
        if not stat.S_ISREG(status.st_mode) or (is_foreign and status.st_mtime > time.time() - _FOREIGN_AGE_S):
            return
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


@functools.cache
def _machine() -> str:
    """Return a name for the running kernel. All its processes see the same locks, even in different containers."""
    try:
        kernel = _BOOT_ID.read_text(encoding="ascii")
    except OSError:
        kernel = platform.node()
    return hashlib.sha256(kernel.encode()).hexdigest()[:12]
