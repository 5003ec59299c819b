"""Counts the processor cores that this process may use, in a container too."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process may keep busy: the fewest of its affinity and its cgroups' quotas.

    A quota counts as the next whole number of cores, and at least as one.

    Args:
        root: the folder that holds `proc` and `sys`, for tests.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas, in cores, of the process's cgroup and of the groups around it, for either version of cgroups."""
    groups = ""
    with contextlib.suppress(OSError):
        groups = (root / "proc/self/cgroup").read_text()
    for line in groups.splitlines():
        number, controllers, path = line.split(":", 2)
        mount = root / "sys/fs/cgroup"
        if number != "0":
            if "cpu" not in controllers.split(","):
                continue
            mount = next((mount / name for name in (controllers, "cpu") if (mount / name).is_dir()), mount / "cpu")
        # in a container, the path may be the host's, and the mount the container's group
        relative = PurePosixPath(path.removeprefix("/"))
        for folder in dict.fromkeys((relative, *relative.parents)):
            quota = _quota_v2(mount / folder) if number == "0" else _quota_v1(mount / folder)
            if quota is not None:
                yield quota


def _quota_v2(folder: Path) -> float | None:
    """Return the quota of a group of cgroups version 2; None if it has none."""
    with contextlib.suppress(OSError, ValueError):
        quota_us, period_us = (folder / "cpu.max").read_text().split()
        return int(quota_us) / int(period_us)  # `max` is not a number
    return None


def _quota_v1(folder: Path) -> float | None:
    """Return the quota of a group of cgroups version 1; None if it has none."""
    with contextlib.suppress(OSError, ValueError):
        quota_us, period_us = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota_us / period_us if quota_us > 0 else None
    return None
