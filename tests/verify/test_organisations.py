import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from verify.errors import Invalid
from verify.organisations import CREDIT_CODE_CHARACTERS, check_credit_code, credit_code_check_character

characters = st.text(CREDIT_CODE_CHARACTERS, min_size=9, max_size=9)
codes = st.tuples(st.text(CREDIT_CODE_CHARACTERS, min_size=2, max_size=2), st.integers(0, 999_999), characters).map(
    lambda parts: f"{parts[0]}{parts[1]:06d}{parts[2]}"
)


def refusal(code: str) -> str:
    with pytest.raises(Invalid) as caught:
        check_credit_code(code)
    return caught.value.code


@pytest.mark.parametrize("code", ["91310000775785552L", "91110000802100433B", "91440300708461136T"])
def test_codes_of_companies_that_everybody_knows_are_taken(code: str) -> None:
    assert check_credit_code(code) == check_credit_code(f" {code.lower()} ") == code


@given(codes)
def test_a_code_with_its_check_character_is_taken(digits: str) -> None:
    assert check_credit_code(digits + credit_code_check_character(digits))


@given(codes, st.integers(0, 17), st.sampled_from(CREDIT_CODE_CHARACTERS))
def test_a_code_with_one_character_changed_is_refused(digits: str, place: int, other: str) -> None:
    code = digits + credit_code_check_character(digits)
    assume(code[place] != other)
    assert refusal(code[:place] + other + code[place + 1 :]) == "credit_code_invalid"


@given(codes, st.integers(0, 16))
def test_a_code_with_two_neighbours_swapped_is_refused(digits: str, place: int) -> None:
    code = digits + credit_code_check_character(digits)
    assume(code[place] != code[place + 1])
    assert refusal(code[:place] + code[place + 1] + code[place] + code[place + 2 :]) == "credit_code_invalid"


@pytest.mark.parametrize(
    "code", ["", "91310000775785552", "9131000077578555IL", "９１３１００００", "91310000775785552LL"]
)
def test_a_code_of_another_form_is_refused(code: str) -> None:
    assert refusal(code) == "credit_code_invalid"
