"""The local folder for files that are not yet published.

The folder for temporary files may be shared with other users and programs, so nothing in it is trusted. What a killed process
left behind is deleted only when it is provably a folder of this class: it has the name, it and all that lies in it belong to
the user of this process, its lock file is a regular file with our text in it that nobody has locked, and it holds nothing but
such staged files.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
from io import FileIO
from pathlib import Path

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError

_PREFIX = "kafka2parquet-"
_LOCK = ".lock"
_LOCK_TEXT = b"kafka2parquet: folder of staged files, in use as long as this file is locked\n"
_STAGED = re.compile(r"[0-9]+\.parquet")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
#: Neither follows a link nor waits for the other end of a named pipe.
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class StagingDirectory:
    """A folder of this process alone, deleted when closed. What a killed process left behind is deleted by the next one.

    Each folder holds a lock file that its process keeps locked; a folder whose lock is free belongs to nobody. Folder and files
    are readable by this user alone.
    """

    def __init__(self, parent: str | Path | None = None) -> None:
        """Make the folder under `parent`, by default the system's folder for temporary files.

        Raises:
            ConfigurationError: `parent` can't be written to.
            StorageUnavailableError: it is full.
        """
        base = Path(parent) if parent is not None else Path(tempfile.gettempdir())
        self._process = os.getpid()
        try:
            base.mkdir(parents=True, exist_ok=True)
            _delete_abandoned(base)
            self.path, self._lock = _make(base)
        except OSError as error:
            if error.errno in _FULL:
                raise StorageUnavailableError(f"The staging folder {base} is full: {error}. Free some space there.") from error
            raise ConfigurationError(f"The staging folder {base} can't be used: {error}. Choose another one.") from error
        self._count = 0

    def new_file(self) -> Path:
        """Make an empty file in the folder, readable and writable by this user alone. Called on one thread.

        Raises:
            OSError: the disk is full, or the folder is gone.
        """
        self._count += 1
        path = self.path / f"{self._count}.parquet"
        os.close(_create(path))
        return path

    def close(self) -> None:
        """Delete the folder. May be called twice; in a process that was forked from the one that made it, deletes nothing."""
        if self._process == os.getpid() and not self._lock.closed:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _create(path: Path) -> int:
    """Return the descriptor of a new file that only this user may read and write, whatever the umask."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _make(base: Path) -> tuple[Path, FileIO]:
    """Return a new folder and its locked lock file; nothing stays behind where that fails."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        folder.chmod(0o700)  # the umask may have taken rights away
        return folder, _lock(folder)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _lock(folder: Path) -> FileIO:
    """Return a locked lock file. It gets its name only then: before, whoever starts now would take the folder for abandoned."""
    unnamed = folder / f"{_LOCK}-unnamed"
    file = FileIO(_create(unnamed), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(_LOCK_TEXT)
        unnamed.rename(folder / _LOCK)
    except OSError:
        file.close()
        raise
    return file


def _delete_abandoned(base: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(base) as entries:  # it may be a folder that nobody may list
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                with contextlib.suppress(OSError):  # in use, another user's, none of ours, or gone meanwhile
                    _delete_if_abandoned(entry.path)


def _delete_if_abandoned(path: str) -> None:
    """Delete a folder of ours that nobody uses; one that isn't provably ours stays as it is.

    Raises:
        OSError: it is in use, or can't be looked at.
    """
    with contextlib.ExitStack() as stack:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
        stack.callback(os.close, folder)
        if not _is_own(os.fstat(folder), stat.S_IFDIR) or not _is_staged(_LOCK, folder):
            return
        lock = os.open(_LOCK, os.O_RDWR | _SAFE, dir_fd=folder)
        stack.callback(os.close, lock)
        if not _is_own(os.fstat(lock), stat.S_IFREG):
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        names = [entry.name for entry in os.scandir(folder)]
        if os.read(lock, len(_LOCK_TEXT) + 1) != _LOCK_TEXT or not all(_is_staged(name, folder) for name in names):
            return
        for name in sorted(names, key=_LOCK.__eq__):  # the lock goes last: a folder without it would stay for ever
            os.unlink(name, dir_fd=folder)
        os.rmdir(path)  # noqa: PTH106  # scandir gives texts


def _is_staged(name: str, folder: int) -> bool:
    of_ours = name == _LOCK or _STAGED.fullmatch(name) is not None
    return of_ours and _is_own(os.stat(name, dir_fd=folder, follow_symlinks=False), stat.S_IFREG)


def _is_own(status: os.stat_result, kind: int) -> bool:
    """Return whether it is of that kind, and belongs to the user of this process."""
    return stat.S_IFMT(status.st_mode) == kind and status.st_uid == os.geteuid()
