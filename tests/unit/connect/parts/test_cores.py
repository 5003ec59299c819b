"""Cores that a process may use, by its affinity and the quota of its container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kafka2parquet.connect.parts.cores import usable_cores

MANY = 96


@pytest.fixture(autouse=True)
def _many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with more cores than any quota of these tests."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(MANY)), raising=False)


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        # version 2: a container sees its own group as the root
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, MANY),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        # without a namespace of groups, a limit around the group holds too
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "100000 100000\n", "a/cpu.max": "300000 100000\n"}, 1),
        # version 1: the controller has a folder for itself, and the path may be the host's
        (
            "9:memory:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
            4,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, MANY),
        ("1:cpu:/k/p\n", {"cpu/k/p/cpu.cfs_quota_us": "150000\n", "cpu/k/p/cpu.cfs_period_us": "50000\n"}, 3),
        ("3:cpuset:/\n", {"cpu.max": "100000 100000\n"}, MANY),
        ("", {}, MANY),
    ],
)
def test_the_quota_limits_the_cores(tmp_path: Path, groups: str, files: dict[str, str], cores: int) -> None:
    """The least quota of the process's group and the groups around it counts, as the next whole number of cores."""
    _write(tmp_path / "proc/self/cgroup", groups)
    for name, text in files.items():
        _write(tmp_path / "sys/fs/cgroup" / name, text)
    assert cores == usable_cores(tmp_path)


def test_the_affinity_limits_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is bound to one core uses one, whatever the quota is, also without cgroups."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert 1 == usable_cores(tmp_path)
    _write(tmp_path / "proc/self/cgroup", "0::/\n")
    _write(tmp_path / "sys/fs/cgroup/cpu.max", "800000 100000\n")
    assert 1 == usable_cores(tmp_path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
