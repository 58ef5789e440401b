from math import radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.relief import Relief
from liveness.turns import Turn, split_turns, typical_turn

LEAST = 12.0
DEGREES, RATIOS = st.floats(LEAST, 80.0), st.floats(0.0, 1.0)
TURNS = st.builds(lambda degrees, ratio, views: turn(ratio, degrees, views), DEGREES, RATIOS, st.integers(1, 40))


def relief(ratio: float, degrees: float) -> Relief:
    return Relief(residual=ratio * sin(radians(degrees)), foreshortening=degrees)


def turn(ratio: float, degrees: float, views: int = 3) -> Turn:
    return Turn(ratio=ratio, foreshortening=degrees, views=views)


def test_a_turn_ends_where_the_face_is_back_or_lost() -> None:
    turned, back = relief(0.1, 20.0), relief(0.1, 11.9)
    turns = split_turns([back, turned, turned, back, turned, None, turned], least_degrees=LEAST)
    assert [each.views for each in turns] == [2, 1, 1]


def test_nothing_turned_is_no_turn() -> None:
    assert split_turns([None, relief(0.9, 3.0)], least_degrees=LEAST) == ()
    assert split_turns([], least_degrees=LEAST) == ()


def test_a_turn_tells_its_relief_where_it_is_furthest() -> None:
    way_there, there = [relief(0.01, degrees) for degrees in (13.0, 18.0, 23.0)], [relief(0.1, 30.0), relief(0.1, 25.0)]
    (found,) = split_turns([*way_there, *there, *reversed(way_there)], least_degrees=LEAST)
    assert (found.ratio, found.foreshortening, found.views) == (pytest.approx(0.1), 30.0, 8)


@given(st.lists(st.tuples(DEGREES, RATIOS), min_size=1), st.integers(1, 50))
def test_however_long_a_turn_is_held_it_counts_the_same(views: list[tuple[float, float]], times: int) -> None:
    held = [relief(ratio, degrees) for degrees, ratio in views for _ in range(times)]
    once = split_turns([relief(ratio, degrees) for degrees, ratio in views], least_degrees=LEAST)
    (longer,) = split_turns(held, least_degrees=LEAST)
    assert (longer.ratio, longer.foreshortening) == (pytest.approx(once[0].ratio), once[0].foreshortening)


@given(st.lists(TURNS, min_size=1))
def test_the_typical_turn_is_that_of_one_of_the_turns(turns: list[Turn]) -> None:
    assert typical_turn(turns, most_views=3) in turns


def test_far_turns_outweigh_as_many_small_ones() -> None:
    assert typical_turn([turn(0.02, 50.0), turn(0.08, 13.0), turn(0.08, 13.0)], most_views=3).ratio == 0.02
    assert typical_turn([turn(0.05, 16.0, views=40), turn(0.1, 25.0)], most_views=3).ratio == 0.1
    assert typical_turn([turn(0.05, 16.0, views=1), turn(0.1, 16.0, views=2)], most_views=3).ratio == 0.1
