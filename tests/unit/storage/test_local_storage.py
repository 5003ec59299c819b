"""Files in a local folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.errors import (
    BucketNotFoundError,
    ConfigurationError,
    Kafka2ParquetError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.local import map_error
from kafka2parquet.storage.temporary_files import TemporaryFile
from kafka2parquet.testing.contracts.storage import ReadObject, StorageContract, staged_parquet


class TestLocalStorageContract(StorageContract):
    """Runs `StorageContract` on a local folder."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> FsspecStorage:
        return FsspecStorage(str(tmp_path / "lake"))

    @pytest.fixture
    def read_object(self, tmp_path: Path) -> ReadObject:
        return lambda key: (tmp_path / "lake" / key).read_bytes()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_takes_paths_and_urls(tmp_path: Path, scheme: str) -> None:
    """A plain path means the same as a file URL."""
    FsspecStorage(f"{scheme}{tmp_path}/lake/").publish("a/b.parquet", staged_parquet({}))

    assert ["lake/a/b.parquet"] == files(tmp_path)


def test_leaves_no_temporary_file(tmp_path: Path) -> None:
    """Neither after success, nor where the key is taken, nor when the staged file can't be read."""
    storage = FsspecStorage(str(tmp_path / "lake"))
    storage.publish("a.parquet", staged_parquet({}))
    storage.publish("a.parquet", staged_parquet({}))
    with pytest.raises(Kafka2ParquetError):
        storage.publish("b.parquet", StagedFile(tmp_path / "gone", 1, 1, {}))

    assert ["a.parquet"] == files(tmp_path / "lake")


def test_temporary_files_of_a_crash_are_not_listed(tmp_path: Path) -> None:
    """A file that a killed process was writing is not an object."""
    (tmp_path / ".kafka2parquet-0123.tmp").write_bytes(b"half of a fi")

    assert [] == list(FsspecStorage(str(tmp_path)).list(""))


def test_readers_see_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    """While a file is being published, its key has either nothing or all bytes."""
    content = os.urandom(4 << 20)
    storage = FsspecStorage(str(tmp_path))
    sizes: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            sizes.update(path.stat().st_size for path in tmp_path.glob("*.parquet"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(10):
        storage.publish(f"{number}.parquet", StagedFile(content, len(content), 1, {}))
    done.set()
    watcher.join()

    assert {len(content)} >= sizes


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/etc/passwd", "a//b", "./a", "a\0b"])
def test_no_key_leads_out_of_the_root(tmp_path: Path, key: str) -> None:
    """A value of a record may become part of a key, so it must not name another folder."""
    with pytest.raises(ConfigurationError):
        FsspecStorage(str(tmp_path / "lake")).publish(key, staged_parquet({}))


def test_published_files_have_ordinary_rights(tmp_path: Path) -> None:
    """Other users may read them if the umask says so."""
    umask = os.umask(0o022)
    try:
        FsspecStorage(str(tmp_path)).publish("a", staged_parquet({}))
    finally:
        os.umask(umask)

    assert 0o644 == (tmp_path / "a").stat().st_mode & 0o777


def test_a_file_in_the_way_of_a_folder_is_an_error_in_the_settings(tmp_path: Path) -> None:
    """A file where a folder is needed is an error in the settings, because waiting doesn't help."""
    (tmp_path / "lake").write_text("a file")

    with pytest.raises(ConfigurationError):
        FsspecStorage(str(tmp_path / "lake")).publish("a/b", staged_parquet({}))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.ENOSPC, StorageUnavailableError),
        (errno.EDQUOT, StorageUnavailableError),
        (errno.EIO, StorageUnavailableError),
        (errno.ESTALE, StorageUnavailableError),
        (errno.ETIMEDOUT, StorageUnavailableError),
        (errno.EMFILE, StorageUnavailableError),
        (errno.ENOBUFS, StorageUnavailableError),
        (errno.ECONNRESET, StorageUnavailableError),
        (errno.ENETUNREACH, StorageUnavailableError),
        (errno.ENOLCK, StorageUnavailableError),
        (errno.ETXTBSY, StorageUnavailableError),
        (errno.EPROTO, StorageUnavailableError),
        (None, StorageUnavailableError),
        (errno.EACCES, StoragePermissionError),
        (errno.EPERM, StoragePermissionError),
        (errno.EROFS, StoragePermissionError),
        *([(errno.EKEYEXPIRED, StoragePermissionError)] if hasattr(errno, "EKEYEXPIRED") else []),
        (errno.ENOENT, BucketNotFoundError),
        (errno.ENAMETOOLONG, ConfigurationError),
        (errno.ENOTDIR, ConfigurationError),
        (errno.EXDEV, ConfigurationError),
        (errno.EINVAL, ConfigurationError),
        (errno.EFBIG, ConfigurationError),
        (errno.ELOOP, ConfigurationError),
        (errno.EOPNOTSUPP, ConfigurationError),
    ],
)
def test_maps_errors_of_the_operating_system(code: int | None, expected: type[Kafka2ParquetError]) -> None:
    """Full and broken disks and what isn't known are waited for; missing rights and impossible names are not."""
    error = map_error(OSError(code, os.strerror(code)) if code else OSError("odd"), Path("/lake/a"))

    assert (expected, True) == (type(error), "/lake/a" in str(error))


OWN = "topics/_kafka2parquet/"
TEMPORARY = re.compile(r"\.kafka2parquet-[0-9a-f]{12}-[0-9a-f]{32}\.tmp")
PROGRAM = """
import os, signal, sys
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.fsspec_storage import FsspecStorage
storage = FsspecStorage(sys.argv[1])
storage.probe("topics/_kafka2parquet/")
os.makedirs(sys.argv[1] + "/topics/t/year=2026")
os.fsync = lambda _: (print("writing", flush=True), sys.stdin.read(), os.kill(os.getpid(), signal.SIGKILL))
storage.publish("topics/t/year=2026/a", StagedFile(b"half of a file", 14, 1, {}))
"""


@contextlib.contextmanager
def publishing_process(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the middle of publishing, which is killed when its input ends, at the end of the context at the latest."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"writing\n" == process.stdout.readline()
        yield process


def test_what_a_killed_process_left_is_deleted_by_the_next_start(tmp_path: Path) -> None:
    """The file of one that still runs stays. Both lie in one folder, outside the table."""
    with publishing_process(tmp_path) as process:
        (temporary,) = files(tmp_path)
        FsspecStorage(str(tmp_path)).probe(OWN)
        left = files(tmp_path)
        process.kill()
        process.wait()
    after_its_death = files(tmp_path)
    FsspecStorage(str(tmp_path)).probe(OWN)

    assert TEMPORARY.fullmatch(temporary.removeprefix(OWN))
    assert ([temporary], [temporary], []) == (left, after_its_death, files(tmp_path))


def test_a_temporary_file_of_another_thread_stays(tmp_path: Path) -> None:
    """A new task in the same process doesn't delete files of its other threads."""
    storage = FsspecStorage(str(tmp_path))
    storage.probe(OWN)
    with TemporaryFile(tmp_path, tmp_path / OWN) as temporary:
        storage.probe(OWN)
        assert temporary.path.exists()
    assert [] == files(tmp_path)


@pytest.mark.parametrize(("age_s", "stays"), [(23 * 3600, True), (25 * 3600, False)])
def test_a_temporary_file_of_another_machine_stays_for_a_day(tmp_path: Path, age_s: int, stays: bool) -> None:
    """A network file system may not say that it is locked there."""
    path = tmp_path / OWN / f".kafka2parquet-{'0' * 12}-{'1' * 32}.tmp"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of a file")
    os.utime(path, (time.time() - age_s,) * 2)
    FsspecStorage(str(tmp_path)).probe(OWN)

    assert stays == path.exists()


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "name"])
def test_only_temporary_files_are_deleted(tmp_path: Path, kind: str) -> None:
    """Other files with the name of a temporary file, or a similar one, stay and don't prevent the start."""
    with TemporaryFile(tmp_path, None) as temporary:
        name = temporary.path.name
    path = tmp_path / OWN / name
    path.parent.mkdir(parents=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "precious").write_bytes(b"precious")
        path.symlink_to(tmp_path / "precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path = path.with_name(".kafka2parquet-mine.tmp")
        path.write_bytes(b"precious")
    FsspecStorage(str(tmp_path)).probe(OWN)

    assert path.exists()


def test_files_get_the_group_of_the_folder_that_they_are_published_in(tmp_path: Path) -> None:
    """Temporary files lie elsewhere, and are made as if they didn't."""
    storage = FsspecStorage(str(tmp_path))
    storage.probe(OWN)
    folder = tmp_path / "topics" / "t"
    folder.mkdir()
    groups = {*os.getgroups(), os.getgid()}
    group = 12345 if os.geteuid() == 0 else max(groups)
    os.chown(folder, -1, group)
    folder.chmod(0o2775)
    storage.publish("topics/t/a", staged_parquet({}))

    assert group == (folder / "a").stat().st_gid


@pytest.mark.parametrize("call", ["rename", "hardlink_to"])
def test_folders_without_shared_links_are_not_an_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A file that can't be moved to the temporary folder, or linked from it, is created beside the final file."""
    storage = FsspecStorage(str(tmp_path))
    storage.probe(OWN)
    original = getattr(Path, call)

    def within_one_folder(path: Path, other: Path) -> Any:
        if path.parent != other.parent and (tmp_path / OWN) in (
            (path.parent, other.parent)[call == "hardlink_to"],
            other.parent,
        ):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return original(path, other)

    monkeypatch.setattr(Path, call, within_one_folder)
    storage.publish("topics/t/a", staged_parquet({}))

    assert ["topics/t/a"] == files(tmp_path)


def test_a_file_system_without_locks_is_not_an_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are published, and nothing is deleted that might be in use."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    storage = FsspecStorage(str(tmp_path))
    storage.probe(OWN)
    with TemporaryFile(tmp_path, tmp_path / OWN) as temporary:
        storage.probe(OWN)
        assert temporary.path.exists()
    storage.publish("a", staged_parquet({}))

    assert ["a"] == files(tmp_path)


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is repeated, so that removing empty folders doesn't end the task."""
    storage = FsspecStorage(str(tmp_path))
    original = os.fsync

    def remove(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", original)
        shutil.rmtree(tmp_path / "t")

    (tmp_path / "t").mkdir()
    monkeypatch.setattr(os, "fsync", remove)
    with pytest.raises(StorageUnavailableError, match="removed in the meantime"):
        storage.publish("t/a", staged_parquet({}))
    storage.publish("t/a", staged_parquet({}))

    assert ["t/a"] == files(tmp_path)


def test_a_full_disk_is_reported_with_the_file_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is reported for the file in the storage, not for the staged file on another disk."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(StorageUnavailableError, match=re.escape(f"{tmp_path}/lake/a: No space left")):
        FsspecStorage(str(tmp_path / "lake")).publish("a", staged_parquet({}, folder=tmp_path))

    assert [] == files(tmp_path / "lake")
