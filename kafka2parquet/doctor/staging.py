"""Checks of the local disk on which files are staged."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.util.display import size

_FOLDER = {"folder": "/var/lib/sink"}
_CURE = "Name a folder on a local disk."
_PASTE = "kafka2parquet.staging.dir=/var/tmp/kafka2parquet"

FOLDER = Check(
    "staging-folder",
    "Staging folder",
    "Sees whether the process may create files in `kafka2parquet.staging.dir`, by default the system's folder for temporary"
    " files.",
    (
        Cause(
            "not-writable",
            _FOLDER,
            "This user can't create files in {folder}.",
            f"{_CURE} Or give the user the right to write there.",
            paste=f"{_PASTE}\nchown $(id -u) {{folder}}",
        ),
        Cause("not-a-folder", _FOLDER, "{folder} is not a folder.", _CURE, paste=_PASTE),
    ),
)
SPACE = Check(
    "staging-space",
    "Space for staged files",
    "Compares the free space with the memory limit. Rows that leave the memory, and finished files that wait for the store,"
    " are on this disk: during an outage of the store all open files of all partitions.",
    (
        Cause(
            "too-little",
            {**_FOLDER, "free": "100 MiB", "wanted": "1.0 GiB"},
            "{folder} has {free} free, less than the sink may buffer in memory alone.",
            "Free some space, or name a folder on a larger disk: at least {wanted}.",
            paste=_PASTE,
        ),
        Cause(
            "little",
            {**_FOLDER, "free": "600 MiB", "wanted": "1.0 GiB"},
            "{folder} has {free} free, which is little for all open files.",
            "Provide at least {wanted}, and more if files are large.",
            Level.WARNING,
            paste=_PASTE,
        ),
        Cause(
            "no-inodes",
            {**_FOLDER, "free": "100"},
            "The file system of {folder} can take only {free} more files.",
            "Delete files there, or name a folder on another file system.",
            Level.WARNING,
            paste=_PASTE,
        ),
    ),
)
DISK = Check(
    "staging-disk",
    "Kind of disk",
    "Sees whether staged files are on a disk at all.",
    (
        Cause(
            "in-memory",
            {**_FOLDER, "kind": "tmpfs"},
            "{folder} is a {kind}: staged files take memory, beside kafka2parquet.memory.bytes.",
            f"{_CURE} In Kubernetes, use an emptyDir without `medium: Memory`.",
            Level.WARNING,
            paste=_PASTE,
        ),
    ),
)
STAGING_CHECKS = (FOLDER, SPACE, DISK)

_LITTLE = 4
_FEW_FILES = 1000
_IN_MEMORY = ("tmpfs", "ramfs")
_MOUNTS = Path("/proc/self/mounts")


def look_at_staging(facts: Facts) -> Iterator[Finding]:
    """Look at the staging folder without writing to it."""
    folder = Path(facts.config.text("kafka2parquet.staging.dir") or tempfile.gettempdir()).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        yield FOLDER.found("not-a-folder", folder=existing)
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        yield FOLDER.found("not-writable", folder=existing)
        return
    yield FOLDER.ok(text=str(folder))
    yield from _space(folder, existing, facts.config.number("kafka2parquet.memory.bytes"))
    kind = file_system(existing, _MOUNTS)
    if kind in _IN_MEMORY:
        yield DISK.found("in-memory", folder=folder, kind=kind)
    else:
        yield DISK.ok(text=kind)


def _space(folder: Path, existing: Path, memory_bytes: int) -> Iterator[Finding]:
    free_bytes = shutil.disk_usage(existing).free
    values: dict[str, Any] = {
        "folder": folder,
        "free": size(free_bytes),
        "wanted": size(_LITTLE * memory_bytes),
    }
    free_files = os.statvfs(existing)
    if free_bytes < memory_bytes:
        yield SPACE.found("too-little", **values)
    elif free_bytes < _LITTLE * memory_bytes:
        yield SPACE.found("little", **values)
    elif free_files.f_files > 0 and free_files.f_favail < _FEW_FILES:
        yield SPACE.found("no-inodes", folder=folder, free=free_files.f_favail)
    else:
        yield SPACE.ok(text=f"{size(free_bytes)} free")


def file_system(folder: Path, mounts: Path) -> str:
    """Return the kind of the file system that holds a folder, from a table of mounts; "" if it isn't known."""
    try:
        lines = [line.split(" ") for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    real = folder.resolve()
    found = {Path(line[1].replace("\\040", " ")): line[2] for line in lines if len(line) > 2}
    return next((found[path] for path in (real, *real.parents) if path in found), "")
