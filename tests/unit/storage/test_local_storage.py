"""Files in a local folder."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

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
from kafka2parquet.testing.storage_contract import ReadObject, StorageContract, staged_parquet


class TestLocalStorageContract(StorageContract):
    """See `StorageContract`."""

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
    """What a killed process left in the middle of a write is no object."""
    (tmp_path / ".kafka2parquet-0123.tmp").write_bytes(b"half of a fi")

    assert [] == list(FsspecStorage(str(tmp_path)).list(""))


def test_readers_see_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    """While a file is being published, its key has either nothing or all bytes."""
    content = os.urandom(4 << 20)
    storage = FsspecStorage(str(tmp_path))
    sizes = set()
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
    """It can't be healed by waiting."""
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
        (errno.EACCES, StoragePermissionError),
        (errno.EPERM, StoragePermissionError),
        (errno.EROFS, StoragePermissionError),
        (errno.ENOENT, BucketNotFoundError),
        (errno.ENAMETOOLONG, ConfigurationError),
        (errno.ENOTDIR, ConfigurationError),
    ],
)
def test_maps_errors_of_the_operating_system(code: int, expected: type[Kafka2ParquetError]) -> None:
    """Full and broken disks are waited for; missing rights and impossible names are not."""
    error = map_error(OSError(code, os.strerror(code)), Path("/lake/a"))

    assert (expected, True) == (type(error), "/lake/a" in str(error))
