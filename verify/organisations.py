"""Organisations on a roster: legal persons, for whom a natural person signs."""

from re import fullmatch

from verify.errors import Invalid

CREDIT_CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""The 31 characters of GB 32100-2015, without I, O, S, V and Z; a character's value is its place."""


def check_credit_code(code: str) -> str:
    """A unified social credit code in upper case, without spaces (GB 32100-2015).

    Raises:
        Invalid: `credit_code_invalid`.
    """
    normal = "".join(code.split()).upper()
    if not fullmatch(rf"[{CREDIT_CODE_CHARACTERS}]{{2}}[0-9]{{6}}[{CREDIT_CODE_CHARACTERS}]{{10}}", normal):
        raise Invalid(
            "credit_code_invalid",
            "a unified social credit code has 18 digits and letters without I, O, S, V, Z, the third to eighth digits",
        )
    if normal[17] != credit_code_check_character(normal[:17]):
        raise Invalid("credit_code_invalid", "the credit code's check character does not fit the characters before it")
    return normal


def credit_code_check_character(characters: str) -> str:
    """Check character of the first 17 characters: weights 3^(i−1) mod 31 (GB 32100-2015, 5.2)."""
    values = (CREDIT_CODE_CHARACTERS.index(character) for character in characters)
    total = sum(value * pow(3, place, 31) for place, value in enumerate(values))
    return CREDIT_CODE_CHARACTERS[-total % 31]
