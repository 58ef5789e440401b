"""How long the stages of the work took lately, in this process: the last hour by minutes, in fine buckets.

Prometheus' histograms count from the start and are for whoever scrapes every replica; this is for whoever looks now.
"""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

MINUTES = 60
MINUTE_SECONDS = 60.0

STEP = 1.25
BOUNDS = tuple(0.001 * STEP**power for power in range(48))
"""Upper bounds in seconds, from 1 ms to 36 s: an estimate is off by a quarter at most, and by less as a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLatency:
    """One stage over the last hour. Seconds, estimated from buckets."""

    stage: str
    count: int
    p50: float
    p95: float
    p99: float
    buckets: tuple[int, ...]
    """How many fell at or under each of `BOUNDS`, and above the one before; then how many above all."""


@dataclass(slots=True)
class _Minute:
    number: int
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))


class Latencies:
    """Takes what was measured. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._minutes: dict[str, deque[_Minute]] = defaultdict(lambda: deque(maxlen=MINUTES))

    def note(self, stage: str, seconds: float, *, now: float) -> None:
        """One run of a stage."""
        minutes, number = self._minutes[stage], int(now // MINUTE_SECONDS)
        if not minutes or minutes[-1].number != number:
            minutes.append(_Minute(number))
        minutes[-1].buckets[bisect_left(BOUNDS, seconds)] += 1

    def last_hour(self, *, now: float) -> tuple[StageLatency, ...]:
        """Every stage that ran in the last hour, by name."""
        since = int(now // MINUTE_SECONDS) - MINUTES
        recent = {
            stage: [minute.buckets for minute in minutes if minute.number > since]
            for stage, minutes in sorted(self._minutes.items())
        }
        return tuple(
            _summary(stage, [sum(each) for each in zip(*parts, strict=True)])
            for stage, parts in recent.items()
            if parts
        )


def _summary(stage: str, buckets: Sequence[int]) -> StageLatency:
    return StageLatency(
        stage=stage,
        count=sum(buckets),
        p50=quantile(buckets, 0.5),
        p95=quantile(buckets, 0.95),
        p99=quantile(buckets, 0.99),
        buckets=tuple(buckets),
    )


def quantile(buckets: Sequence[int], share: float) -> float:
    """The value in seconds that this share of a histogram over `BOUNDS` stays under; within a bucket on a log scale.

    At least one value must have been counted. What lies above all bounds counts as the last.
    """
    rank, below = share * sum(buckets), 0
    for place, (bound, count) in enumerate(zip(BOUNDS, buckets, strict=False)):
        if count and below + count >= rank:
            return float(bound if place == 0 else bound / STEP ** (1 - (rank - below) / count))
        below += count
    return BOUNDS[-1]
