"""Which workers and threads are tried, and which are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.engine import Engine
from models.tuning import Choice, Tried, best, choices, measure

one_try = st.builds(Tried, frames_per_s=st.floats(1, 1000), frame_p95_ms=st.floats(1, 1000))


@given(st.integers(1, 256))
def test_choices_use_about_the_cores_and_hold_both_plain_ways(cores: int) -> None:
    tried = choices(cores)
    assert len(set(tried)) == len(tried)
    assert {Choice(cores, 1), Choice(1, cores)} <= set(tried)
    assert all(cores / 2 <= choice.workers * choice.threads <= 2 * cores for choice in tried)


@given(st.dictionaries(st.builds(Choice, st.integers(1, 8), st.integers(1, 8)), one_try, min_size=1))
def test_the_best_is_about_as_fast_as_any_and_answers_soonest_among_those(found: dict[Choice, Tried]) -> None:
    chosen = found[best(found)]
    most = max(each.frames_per_s for each in found.values())
    assert chosen.frames_per_s >= 0.97 * most
    assert all(each.frame_p95_ms >= chosen.frame_p95_ms for each in found.values() if each.frames_per_s == most)


def test_every_choice_runs_the_networks_in_every_round(engine: Engine) -> None:
    opened: list[int] = []
    steps: list[int] = []

    def opening(threads: int) -> Engine:
        opened.append(threads)
        return engine

    tried = (Choice(1, 1), Choice(2, 1), Choice(1, 2))
    found = measure(tried, opened=opening, seconds=0.05, rounds=2, advance=lambda: steps.append(1))
    assert sorted(opened) == [1, 2]
    assert len(steps) == 6
    assert set(found) == set(tried)
    assert all(each.frames_per_s > 0 and each.frame_p95_ms > 0 for each in found.values())


def test_an_engine_that_cannot_be_opened_is_told() -> None:
    def opening(_threads: int) -> Engine:
        raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        measure((Choice(1, 1),), opened=opening, seconds=0.1, rounds=1, advance=lambda: None)
