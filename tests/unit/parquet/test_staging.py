"""The folder for staged files: nobody deletes one that is in use, and nothing stays behind."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import threading
from pathlib import Path

from kafka2parquet.parquet.staging import StagingDirectory

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
    """With what is in it."""
    folder = StagingDirectory(tmp_path)
    folder.new_file().write_bytes(b"staged")
    folder.close()
    assert [] == list(tmp_path.iterdir())


def test_what_a_killed_process_left_behind_is_deleted(tmp_path: Path) -> None:
    """By the next one that needs a folder there."""
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
