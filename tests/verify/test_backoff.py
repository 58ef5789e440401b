from hypothesis import given
from hypothesis import strategies as st

from verify.backoff import JITTER, LONGEST_RETRY_AFTER, next_wait

SCHEDULE = (5, 300, 1800)


def test_waits_follow_the_schedule_and_then_there_are_none() -> None:
    assert [next_wait(SCHEDULE, attempts, jitter=0.0) for attempts in (1, 2, 3, 4)] == [5, 300, 1800, None]


@given(
    st.integers(min_value=1, max_value=3),
    st.floats(min_value=0, max_value=1),
    st.none() | st.floats(min_value=0, max_value=1e9),
)
def test_a_wait_is_spread_and_as_long_as_is_asked_for_within_reason(
    attempts: int, jitter: float, asked: float | None
) -> None:
    wait = next_wait(SCHEDULE, attempts, jitter=jitter, asked=asked)
    planned = SCHEDULE[attempts - 1]
    assert wait is not None
    assert planned <= wait <= max(planned * (1 + JITTER), LONGEST_RETRY_AFTER)
    assert wait >= min(asked or 0.0, LONGEST_RETRY_AFTER)
