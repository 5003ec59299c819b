"""The folder for staged files: nobody deletes one that is in use, and nothing stays behind."""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError
from kafka2parquet.parquet.staging import StagingDirectory
from kafka2parquet.parquet.writer import ParquetWriter

TASKS = 12


def test_folders_that_are_made_at_the_same_time_all_stay(tmp_path: Path) -> None:
    """A new folder is never taken for an abandoned one, however many tasks start together."""
    together = threading.Barrier(TASKS)

    def make(_: int) -> StagingDirectory:
        together.wait()
        return StagingDirectory(tmp_path)

    with concurrent.futures.ThreadPoolExecutor(TASKS) as pool:
        for _ in range(50):
            made = list(pool.map(make, range(TASKS)))
            assert [True] * TASKS == [folder.path.is_dir() for folder in made]
            for folder in made:
                folder.close()


def test_a_closed_folder_is_gone(tmp_path: Path) -> None:
    """Closing deletes the folder with its files."""
    folder = StagingDirectory(tmp_path)
    folder.new_file().write_bytes(b"staged")
    folder.close()
    assert [] == list(tmp_path.iterdir())


def test_what_a_killed_process_left_behind_is_deleted(tmp_path: Path) -> None:
    """The next process that needs a folder deletes the folder of a killed process."""
    program = (
        "import os, sys; from kafka2parquet.parquet.staging import StagingDirectory\n"
        "StagingDirectory(sys.argv[1]).new_file().write_bytes(b'staged'); os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    (abandoned,) = tmp_path.iterdir()
    folder = StagingDirectory(tmp_path)
    assert [folder.path] == list(tmp_path.iterdir())
    assert abandoned != folder.path
    folder.close()


def text_of_a_lock(tmp_path: Path) -> bytes:
    """What the lock file of a staging folder holds."""
    folder = StagingDirectory(tmp_path / "other")
    text = (folder.path / ".lock").read_bytes()
    folder.close()
    return text


def imitation(tmp_path: Path, lock: bytes = b"", name: str = "kafka2parquet-settings") -> Path:
    """A folder that looks like an abandoned one, in the folder `shared`."""
    folder = tmp_path / "shared" / name
    folder.mkdir(parents=True)
    (folder / ".lock").write_bytes(lock)
    (folder / "1.parquet").write_bytes(b"x")
    return folder


def start(tmp_path: Path) -> None:
    """Begin and end to use the folder `shared`; a call that blocks fails the test and doesn't hold it up."""
    done = threading.Event()

    def use() -> None:
        StagingDirectory(tmp_path / "shared").close()
        done.set()

    threading.Thread(target=use, daemon=True).start()
    assert done.wait(20)


@pytest.mark.parametrize("kind", ["fifo", "link", "dangling link", "folder", "socket", "unreadable", "missing", "text"])
def test_a_folder_whose_lock_file_is_not_ours_stays(tmp_path: Path, kind: str) -> None:
    """Neither blocks the start nor is deleted."""
    folder = imitation(tmp_path)
    lock = folder / ".lock"
    lock.unlink()
    text = text_of_a_lock(tmp_path)
    (tmp_path / "target").write_bytes(text)
    with contextlib.ExitStack() as stack:
        if kind == "fifo":
            os.mkfifo(lock)
        elif kind == "folder":
            lock.mkdir()
        elif kind == "socket":
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            descriptor = os.open(folder, os.O_RDONLY)  # the path of a socket has to be short
            stack.callback(os.close, descriptor)
            listening.bind(f"/proc/self/fd/{descriptor}/.lock")
        elif kind.endswith("link"):
            lock.symlink_to(tmp_path / ("target" if kind == "link" else "nothing"))
        elif kind == "unreadable":
            lock.write_bytes(b"")
            lock.chmod(0)
        elif kind == "text":
            lock.write_bytes(text + b"and more")
        start(tmp_path)

    assert b"x" == (folder / "1.parquet").read_bytes()
    assert text == (tmp_path / "target").read_bytes()


@pytest.mark.parametrize("what", ["text", "folder", "link", "fifo", "name"])
def test_a_folder_with_anything_else_in_it_stays(tmp_path: Path, what: str) -> None:
    """A folder with other files stays as a whole, including its staged files."""
    folder = imitation(tmp_path, text_of_a_lock(tmp_path))
    (tmp_path / "target.parquet").write_bytes(b"precious")
    if what == "text":
        (folder / "notes.txt").write_text("precious")
    elif what == "folder":
        (folder / "2.parquet").mkdir()
    elif what == "link":
        (folder / "2.parquet").symlink_to(tmp_path / "target.parquet")
    elif what == "fifo":
        os.mkfifo(folder / "2.parquet")
    else:
        (folder / "orders.parquet").write_bytes(b"precious")
    start(tmp_path)

    assert (b"x", b"precious") == ((folder / "1.parquet").read_bytes(), (tmp_path / "target.parquet").read_bytes())
    assert 3 == len(list(folder.iterdir()))


def test_a_link_to_a_folder_stays(tmp_path: Path) -> None:
    """A symbolic link and its target stay."""
    folder = imitation(tmp_path, text_of_a_lock(tmp_path), name="elsewhere")
    (tmp_path / "shared" / "kafka2parquet-0123abcd").symlink_to(folder)
    start(tmp_path)

    assert b"x" == (folder / "1.parquet").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["", ".lock", "1.parquet"])
def test_what_belongs_to_another_user_stays(tmp_path: Path, what: str) -> None:
    """A folder, its lock file or a file in it."""
    folder = imitation(tmp_path, text_of_a_lock(tmp_path))
    os.chown(folder / what, 12345, 12345)
    start(tmp_path)

    assert b"x" == (folder / "1.parquet").read_bytes()


def test_an_imitation_that_is_complete_is_deleted(tmp_path: Path) -> None:
    """A complete imitation of a folder is deleted, which shows that the other tests fail for the right reason."""
    folder = imitation(tmp_path, text_of_a_lock(tmp_path))
    start(tmp_path)

    assert not folder.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277, 0o777])
def test_only_this_user_may_read_staged_files(tmp_path: Path, umask: int) -> None:
    """Only this user may read staged files, whatever the umask is."""
    before = os.umask(umask)
    try:
        folder = StagingDirectory(tmp_path)
        path = folder.new_file()
    finally:
        os.umask(before)

    assert (0o700, 0o600) == (folder.path.stat().st_mode & 0o777, path.stat().st_mode & 0o777)
    folder.close()


def test_a_writer_stages_files_that_only_this_user_may_read(tmp_path: Path) -> None:
    """Files stay private when rows are written to them."""
    writer = ParquetWriter(in_memory_bytes=0, staging_directory=tmp_path)
    file = writer.open()
    file.append(pa.table({"number": [1, 2, 3]}))
    staged = file.finish({})

    assert isinstance(staged.content, Path)
    assert 0o600 == staged.content.stat().st_mode & 0o777
    writer.close()


def test_a_forked_child_deletes_nothing_of_its_parent(tmp_path: Path) -> None:
    """A forked child doesn't delete its parent's folder, even if it closes it."""
    folder = StagingDirectory(tmp_path)
    path = folder.new_file()
    child = os.fork()
    if child == 0:
        folder.close()
        os._exit(0)
    os.waitpid(child, 0)
    other = StagingDirectory(tmp_path)  # finds the lock still held

    assert path.exists()
    other.close()
    folder.close()
    assert [] == list(tmp_path.iterdir())


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is a temporary error, and the attempt leaves nothing behind."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(StorageUnavailableError):
        StagingDirectory(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_may_not_be_listed_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared folder that users may not list can be used."""

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", refused)
    folder = StagingDirectory(tmp_path)
    monkeypatch.undo()
    folder.close()


@pytest.mark.parametrize("what", ["file", "folder", "bytes"])
def test_a_staged_file_that_something_tidied_up_is_an_error(tmp_path: Path, what: str) -> None:
    """A removed or truncated staged file is an error, because it would be published incomplete."""
    writer = ParquetWriter(in_memory_bytes=0, row_group_bytes=1, staging_directory=tmp_path)
    file = writer.open()
    file.append(pa.table({"number": [1, 2, 3]}))
    (path,) = tmp_path.glob("*/*.parquet")
    if what == "file":
        path.unlink()
    elif what == "folder":
        shutil.rmtree(path.parent)
    else:
        path.write_bytes(b"PAR1")

    with pytest.raises(ConfigurationError, match="removed or truncated"):
        file.append(pa.table({"number": [4, 5, 6]}))
    file.discard()
    writer.close()


def test_columns_of_large_values_have_no_statistics() -> None:
    """Parquet's writer would hold such values for each open file, and writes none of them down. All other columns have some."""
    table = pa.table(
        {
            "large": ["x" * 100_000, "y"],
            "nested": [{"text": "a", "list": [1]}, {"text": "b", "list": [2]}],
            "number": [1, 2],
        }
    )
    file = ParquetWriter().open()
    file.append(table)
    staged = file.finish({})
    parquet = pq.ParquetFile(pa.BufferReader(staged.content))
    columns = [parquet.metadata.row_group(0).column(i) for i in range(4)]

    assert [("large", False), ("nested.text", True), ("nested.list.list.element", True), ("number", True)] == [
        (column.path_in_schema, column.is_stats_set) for column in columns
    ]
    assert table.equals(parquet.read())
