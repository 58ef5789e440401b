from math import exp
from random import Random

import pytest

from api.latency import BOUNDS, STEP, Latencies, quantile


def buckets_of(*seconds: float) -> tuple[int, ...]:
    latencies = Latencies()
    for each in seconds:
        latencies.note("stage", each, now=0.0)
    return latencies.last_hour(now=0.0)[0].buckets


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_an_estimate_is_off_by_a_quarter_at_most(share: float) -> None:
    rng = Random(5)
    seconds = sorted(exp(rng.gauss(-3, 0.8)) for _ in range(2000))
    true = seconds[int(share * len(seconds)) - 1]
    assert 1 / STEP < quantile(buckets_of(*seconds), share) / true < STEP


def test_what_took_too_long_counts_as_the_last_bound_and_what_took_nothing_as_the_first() -> None:
    assert quantile(buckets_of(1000.0), 0.5) == BOUNDS[-1]
    assert quantile(buckets_of(0.0), 0.99) == BOUNDS[0]


def test_only_the_last_hour_counts_and_memory_is_bounded() -> None:
    latencies = Latencies()
    for minute in range(600):
        latencies.note("decide", 0.1, now=minute * 60.0)
    latencies.note("claim", 0.1, now=0.0)
    (stage,) = latencies.last_hour(now=599 * 60.0)
    assert (stage.stage, stage.count) == ("decide", 60)
    assert latencies.last_hour(now=599 * 60.0 + 3600) == ()
    assert len(latencies._minutes["decide"]) == 60


def test_stages_are_apart() -> None:
    latencies = Latencies()
    latencies.note("decide", 0.1, now=1.0)
    latencies.note("claim", 0.01, now=2.0)
    assert [(each.stage, each.count) for each in latencies.last_hour(now=3.0)] == [("claim", 1), ("decide", 1)]
