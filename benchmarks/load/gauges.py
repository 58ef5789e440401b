"""What a service under load says of itself, and what its processes have used."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

STAGE = "heyan_stage_seconds"
LIVE_FRAME = "live_frame"
FRAMES = "heyan_frames_total"

Buckets = Mapping[float, float]
"""Upper bound in seconds → how many values lie at or under it, as Prometheus counts them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters as of one moment."""

    at: float
    """Monotonic seconds."""
    analysed: float
    superseded: float
    buckets: Buckets
    """Of the time from a frame's arrival to its answer."""


async def read_metrics(http: httpx.AsyncClient, *, at: float) -> Reading:
    """The service's own counters. Raises httpx.HTTPError."""
    answer = await http.get("/metrics")
    answer.raise_for_status()
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    fates = {each.labels["fate"]: each.value for each in samples if each.name == FRAMES}
    return Reading(
        at=at,
        analysed=fates.get("analysed", 0.0),
        superseded=fates.get("superseded", 0.0),
        buckets={
            float(each.labels["le"]): each.value
            for each in samples
            if each.name == f"{STAGE}_bucket" and each.labels["stage"] == LIVE_FRAME
        },
    )


def since(before: Reading, after: Reading) -> Buckets:
    """What was counted between two readings."""
    return {bound: count - before.buckets.get(bound, 0.0) for bound, count in after.buckets.items()}


def bucket_quantile(buckets: Buckets, share: float) -> float | None:
    """The value that this share of the values stays under, linear within a bucket as Prometheus' `histogram_quantile`;
    None without values, the last finite bound for what lies above it."""
    ordered = sorted(buckets.items())
    total = ordered[-1][1] if ordered else 0.0
    if not total:
        return None
    for (low, below), (high, count) in pairwise([(0.0, 0.0), *ordered]):
        if count >= share * total:
            return low if high == inf else low + (high - low) * (share * total - below) / max(count - below, 1e-12)
    return ordered[-1][0]


def quantile(values: list[float], share: float) -> float | None:
    """The value that this share of the values stays at or under; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def tree_cpu_seconds(pid: int) -> float:
    """User and system time of a process and of those that it has started and that still run."""
    return sum(_cpu_seconds(each) for each in _tree(pid))


def rss_mb(pid: int) -> float:
    """Resident memory of a process alone, in MiB: what it has started, such as the store, keeps what it is told to."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0
