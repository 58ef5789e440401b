"""Names, numbers, ids and statements: what people and machines read."""

import secrets
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.identifiers import case_of, link_code, new_part, new_secret, parse_code, secret_matches
from verify.masking import mask_id, mask_name
from verify.statements import CONSENT


@pytest.mark.parametrize(
    ("name", "masked"), [("张三丰", "张**"), ("欧阳娜娜", "欧***"), ("Ada King", "A** K***"), ("李", "李"), ("", "")]
)
def test_of_a_name_its_first_character_is_shown(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@given(st.text(st.characters(categories=["Lo", "Nd"]), max_size=30))
def test_at_most_four_characters_of_a_number_are_shown(number: str) -> None:
    masked = mask_id(number)
    assert len(masked) == len(number.strip())
    assert len(masked.replace("*", "")) <= 4


def test_codes_are_read_back() -> None:
    part, secret = new_part(secrets.token_bytes), new_secret(secrets.token_bytes)
    case_id = f"case_{new_part(secrets.token_bytes)}"
    assert parse_code(link_code(case_id, part, secret)) == (case_id, part, secret)


@given(st.text(max_size=80))
def test_any_text_is_a_code_or_none(text: str) -> None:
    parsed = parse_code(text)
    assert parsed is None or link_code(*parsed) == text


@given(st.text(max_size=40))
def test_any_text_belongs_to_a_case_or_none(text: str) -> None:
    case_id = case_of(text)
    assert case_id is None or text.split("_")[1] == case_id.removeprefix("case_")


def test_a_missing_hash_matches_nothing() -> None:
    assert not secret_matches("", None)
    assert not secret_matches("x", sha256(b"y").hexdigest())


def test_the_two_languages_have_hashes_of_their_own() -> None:
    assert CONSENT.sha256("zh") == sha256(CONSENT.zh.encode()).hexdigest() != CONSENT.sha256("en")
