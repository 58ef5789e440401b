import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import admission as module
from api.admission import RETRY_SECONDS, Admission, Average, Bounds, Load, Measures, Why, refusal
from api.errors import OverloadedError
from api.metrics import Metrics

BOUNDS = Bounds(sessions=20, load=0.8, latency_seconds=0.5)
QUIET = Load(
    sessions=1,
    frame_cpu_seconds=0.01,
    frames_per_second=8.0,
    latency_seconds=0.02,
    session_seconds=25.0,
    workers=2,
)

SECONDS = st.floats(0.0001, 10)
LOADS = st.builds(
    Load,
    sessions=st.integers(0, 200),
    frame_cpu_seconds=SECONDS,
    frames_per_second=st.floats(1, 10),
    latency_seconds=SECONDS,
    session_seconds=SECONDS,
    workers=st.integers(1, 64),
)
ALL_BOUNDS = st.builds(Bounds, sessions=st.integers(1, 100), load=st.floats(0.01, 10), latency_seconds=SECONDS)


@pytest.mark.parametrize(
    ("load", "why"),
    [
        (QUIET, None),
        (replace(QUIET, sessions=19), None),
        (replace(QUIET, sessions=20), Why.PLACES),
        (replace(QUIET, sessions=9, frame_cpu_seconds=0.02), None),
        (replace(QUIET, sessions=10, frame_cpu_seconds=0.02), Why.LOAD),
        (replace(QUIET, latency_seconds=0.6), Why.LATENCY),
        (replace(QUIET, sessions=0, frame_cpu_seconds=5.0, latency_seconds=5.0), None),
    ],
)
def test_what_is_short_is_named(load: Load, why: Why | None) -> None:
    found = refusal(load, BOUNDS)
    assert (found.why if found else None) == why


def test_whoever_comes_again_is_told_when_a_place_will_be_free() -> None:
    found = refusal(replace(QUIET, sessions=20), BOUNDS)
    assert found is not None
    assert found.retry_after == pytest.approx(25 / 20)


@given(LOADS, ALL_BOUNDS)
def test_sessions_that_are_taken_never_need_more_than_the_bounds(load: Load, bounds: Bounds) -> None:
    found = refusal(load, bounds)
    if found is None:
        assert load.sessions < bounds.sessions
        assert load.sessions == 0 or (load.sessions + 1) * load.each <= bounds.load
    else:
        assert RETRY_SECONDS[0] <= found.retry_after <= RETRY_SECONDS[1]


@given(LOADS, ALL_BOUNDS, st.sampled_from(["frame_cpu_seconds", "latency_seconds", "sessions"]))
def test_less_load_never_turns_a_yes_into_a_no(load: Load, bounds: Bounds, name: str) -> None:
    if refusal(load, bounds) is None:
        half = getattr(load, name) / 2
        assert refusal(replace(load, **{name: int(half) if name == "sessions" else half}), bounds) is None


@given(st.lists(SECONDS, min_size=1, max_size=50))
def test_an_average_lies_among_its_values_and_the_guess(values: list[float]) -> None:
    average = Average(0.02)
    for value in values:
        average.note(value)
    assert min(0.02, *values) - 1e-9 <= average.value <= max(0.02, *values) + 1e-9


def test_the_guess_soon_counts_for_little() -> None:
    average = Average(1.0)
    for _ in range(100):
        average.note(0.01)
    assert average.value < 0.1


def test_a_phone_that_floods_says_little_of_what_others_send() -> None:
    measures = Measures()
    for _ in range(1000):
        measures.arrived(0.0001)
    assert measures.load(sessions=1, workers=1).frames_per_second == pytest.approx(10)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def admission(metrics: Metrics) -> Iterator[Admission]:
    bounds = Bounds(sessions=2, load=1.0, latency_seconds=1.0)
    yield Admission(bounds=bounds, workers=1, metrics=metrics)


async def test_a_promised_place_is_kept_for_its_session_also_while_the_process_drains(admission: Admission) -> None:
    admission.admit()
    admission.promise("ses_1")
    admission.admit()
    admission.draining = True
    with pytest.raises(OverloadedError):
        admission.enter("ses_2")
    admission.enter("ses_1")
    assert admission.taken == 2
    with pytest.raises(OverloadedError):
        admission.enter("ses_1")


async def test_a_promise_lapses(admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROMISE_SECONDS", 0.01)
    admission.admit()
    admission.promise("ses_1")
    await asyncio.sleep(0.03)
    assert admission.taken == 0
    admission.enter("ses_1")
    assert admission.taken == 1


async def test_what_was_promised_is_forgotten_at_the_end(admission: Admission) -> None:
    admission.admit()
    admission.promise("ses_1")
    admission.close()
    assert admission.taken == 0


async def test_refusals_are_counted_by_what_is_short(admission: Admission, metrics: Metrics) -> None:
    admission.admit()
    for _ in range(100):
        admission.measures.frame(cpu_seconds=0.2, latency_seconds=0.2)
    with pytest.raises(OverloadedError) as caught:
        admission.admit()
    assert caught.value.code == "overloaded"
    admission.draining = True
    with pytest.raises(OverloadedError):
        admission.admit()
    told = metrics.render().decode()
    assert 'heyan_live_refused_total{why="load"} 1.0' in told
    assert 'heyan_live_refused_total{why="draining"} 1.0' in told
