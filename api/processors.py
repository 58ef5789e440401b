"""How many processors this process may use, which in a container or under `taskset` is less than the machine has."""

import os
from math import ceil
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_processors(*, cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Those that the process may run on, and no more than its control groups let it use at once; at least 1.

    `cgroups`: where control groups (version 2) are mounted; `membership`: names the one of this process.
    """
    quotas = _quotas(cgroups, membership)
    return max(1, min([_allowed(), *quotas]))


def _allowed() -> int:
    """By affinity where the system knows one (Linux), else all of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(cgroups: Path, membership: Path) -> list[int]:
    """Of the process's group and of all above it, rounded up: each of them binds. None where there are no groups."""
    group = _group(membership)
    return [] if group is None else [quota for each in (group, *group.parents) for quota in _quota(cgroups / each)]


def _group(membership: Path) -> PurePosixPath | None:
    """The group's path below the mount, from a line such as `0::/system.slice/heyan.service`."""
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:
        return None
    found = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return PurePosixPath(found[0]) if found else None


def _quota(folder: Path) -> list[int]:
    """Of `cpu.max`: microseconds of processor time, or `max`, in each period of so many microseconds."""
    try:
        quota, period = (folder / "cpu.max").read_text("utf-8").split()
        return [ceil(int(quota) / int(period))]
    except (OSError, ValueError, ZeroDivisionError):
        return []
