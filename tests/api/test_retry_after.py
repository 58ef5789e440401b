import httpx
import pytest

from api.retry_after import retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("17", 17.0), ("0", 0.0), ("soon", None), ("-5", None), ("1.5", None), ("", None), ("Fri, 27 Nov 2026", None)],
)
def test_a_whole_number_of_seconds_is_understood_alone(value: str, seconds: float | None) -> None:
    assert retry_after(httpx.Response(503, headers={"retry-after": value})) == seconds


def test_digits_of_other_scripts_are_none() -> None:
    assert retry_after(httpx.Response(503, headers={"retry-after": "٣".encode()})) is None


def test_an_answer_may_say_nothing() -> None:
    assert retry_after(httpx.Response(503)) is None
