from observations import observed

from liveness.regularity import RUN, even_paced


def even(times: list[float]) -> list[bool]:
    return even_paced([observed(at) for at in times])


def test_a_pace_must_have_lasted_for_some_frames() -> None:
    assert even([0.125 * place for place in range(6)]) == [place >= RUN for place in range(6)]


def test_a_stall_and_the_burst_after_it_are_left_out() -> None:
    times = [0.0, 0.12, 0.25, 0.37, 2.4, 2.401, 2.402, 2.5, 2.62, 2.75, 2.87]
    assert even(times) == [False] * 3 + [True] + [False] * 5 + [True, True]
