"""StagingDirectory: the local folder for files that are not yet published.

Other users and programs may share the folder for temporary files, so its content is not trusted. A folder that a killed process
left behind is only deleted if it is provably a staging folder: it has the right name, this process's user owns the folder and
its content, its lock file is an unlocked regular file with the expected text, and it contains nothing but staged files.
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
#: Flags that refuse symbolic links, and don't wait for the other end of a named pipe.
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class StagingDirectory:
    """A private folder of this process, deleted by `close`. The next process deletes the folder of a killed process.

    Each folder has a lock file that its process keeps locked. A folder with an unlocked file is abandoned. Only this user can
    read the folder and its files.
    """

    def __init__(self, parent: str | Path | None = None) -> None:
        """Create the folder under `parent`, by default the system's folder for temporary files.

        Raises:
            ConfigurationError: `parent` is not writable.
            StorageUnavailableError: the disk is full.
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
        """Create an empty file in the folder, which only this user can read and write. Called on one thread.

        Raises:
            OSError: the disk is full, or the folder is gone.
        """
        self._count += 1
        path = self.path / f"{self._count}.parquet"
        os.close(_create(path))
        return path

    @property
    def used_bytes(self) -> int:
        """The size of the files in the folder. May be read on any thread; a file that vanishes meanwhile counts as 0 bytes."""
        used_bytes = 0
        with contextlib.suppress(OSError), os.scandir(self.path) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    used_bytes += entry.stat(follow_symlinks=False).st_size
        return used_bytes

    def close(self) -> None:
        """Delete the folder. May be called twice. Does nothing in a forked child of the process that created the folder."""
        if self._process == os.getpid() and not self._lock.closed:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _create(path: Path) -> int:
    """Create a file that only this user may read and write, whatever the umask, and return its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _make(base: Path) -> tuple[Path, FileIO]:
    """Create a folder and its locked lock file. Leaves nothing behind if that fails."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        folder.chmod(0o700)  # the umask may have removed rights
        return folder, _lock(folder)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _lock(folder: Path) -> FileIO:
    """Create a locked lock file.

    The file gets its final name only after it is locked. Otherwise a starting process could treat the folder as abandoned.
    """
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
    with contextlib.suppress(OSError), os.scandir(base) as entries:  # the folder may not be listable
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                with contextlib.suppress(OSError):  # in use, owned by another user, not a staging folder, or already gone
                    _delete_if_abandoned(entry.path)


def _delete_if_abandoned(path: str) -> None:
    """Delete an abandoned staging folder. Ignores a folder that is not provably a staging folder.

    Raises:
        OSError: the folder is in use, or can't be read.
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
        for name in sorted(names, key=_LOCK.__eq__):  # the lock goes last, because a folder without it stays forever
            os.unlink(name, dir_fd=folder)
        os.rmdir(path)  # noqa: PTH106  # scandir gives texts


def _is_staged(name: str, folder: int) -> bool:
    of_ours = name == _LOCK or _STAGED.fullmatch(name) is not None
    return of_ours and _is_own(os.stat(name, dir_fd=folder, follow_symlinks=False), stat.S_IFREG)


def _is_own(status: os.stat_result, kind: int) -> bool:
    """Return whether a file is of the given kind, and owned by this process's user."""
    return stat.S_IFMT(status.st_mode) == kind and status.st_uid == os.geteuid()
