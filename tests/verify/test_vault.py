import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import Gone, Unavailable
from verify.shelf import Seeds, derived, without
from verify.vault import Vault


class ShelfInMemory:
    """For properties of the vault alone; the shelf has tests of its own."""

    def __init__(self) -> None:
        self.seeds: dict[str, Seeds] = {}

    def add(self, case_id: str, root: bytes) -> None:
        self.seeds[case_id] = {"": root}

    def secret(self, case_id: str, subject_id: str) -> bytes:
        return derived(self.seeds[case_id], subject_id)

    def erase(self, case_id: str, subject_id: str | None) -> None:
        self.seeds[case_id] = {} if subject_id is None else without(self.seeds[case_id], subject_id)


VAULT = Vault(b"w" * 32, b"p" * 32, secrets.token_bytes, ShelfInMemory())
OTHER_SHELF = replace(VAULT, shelf=ShelfInMemory())
OTHER_SHELF.new_case_key("case_a")
OTHER_KEY = VAULT.new_case_key("case_b")
KEY = VAULT.new_case_key("case_a")
BOUND = ("sub_a", "reference", "1")


@given(st.binary(max_size=200))
def test_what_was_sealed_can_be_opened(content: bytes) -> None:
    sealed = VAULT.seal(content, case_id="case_a", wrapped_key=KEY, bound_to=BOUND)
    assert VAULT.open(sealed, case_id="case_a", wrapped_key=KEY, bound_to=BOUND) == content


def opens(
    sealed: bytes, *, vault: Vault = VAULT, case: str = "case_a", key: bytes = KEY, bound: tuple[str, ...] = BOUND
) -> None:
    vault.open(sealed, case_id=case, wrapped_key=key, bound_to=bound)


@pytest.mark.parametrize(
    "changed",
    [
        {"case": "case_b"},
        {"key": OTHER_KEY},
        {"vault": OTHER_SHELF},
        {"key": b""},
        {"bound": ("sub_b", "reference", "1")},
        {"bound": ("sub_a", "reference", "2")},
        {"bound": ("sub_a", "reference1")},
        {"vault": replace(VAULT, wrapping_key=b"x" * 32)},
    ],
)
def test_moved_content_cannot_be_opened(changed: dict[str, object]) -> None:
    sealed = VAULT.seal(b"template", case_id="case_a", wrapped_key=KEY, bound_to=BOUND)
    with pytest.raises(Unavailable) as caught:
        opens(sealed, **changed)
    assert caught.value.code == "key_damaged"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_changed_content_cannot_be_opened(place: int, flip: int) -> None:
    sealed = bytearray(VAULT.seal(b"template", case_id="case_a", wrapped_key=KEY, bound_to=BOUND))
    sealed[place % len(sealed)] ^= flip
    with pytest.raises(Unavailable):
        opens(bytes(sealed))


def test_the_same_content_is_never_sealed_alike() -> None:
    sealed = {VAULT.seal(b"x", case_id="case_a", wrapped_key=KEY, bound_to=BOUND) for _ in range(50)}
    assert len(sealed) == 50


def test_a_person_is_recognised_by_a_keyed_hash_only() -> None:
    one = VAULT.person_hash("passport", "e12345678 ")
    assert one == VAULT.person_hash("passport", "E12345678")
    assert one != VAULT.person_hash("permit", "E12345678")
    assert one != replace(VAULT, person_key=b"q" * 32).person_hash("passport", "E12345678")


def test_an_erased_person_is_erased_and_nobody_else() -> None:
    key = VAULT.new_case_key("case_c")
    sealed = {
        subject: VAULT.seal(b"template", case_id="case_c", wrapped_key=key, bound_to=(subject, "reference"))
        for subject in ("sub_a", "sub_b", "sub_c")
    }
    VAULT.erase("case_c", "sub_b")
    assert [VAULT.is_erased("case_c", subject) for subject in sealed] == [False, True, False]
    with pytest.raises(Gone) as caught:
        VAULT.open(sealed["sub_b"], case_id="case_c", wrapped_key=key, bound_to=("sub_b", "reference"))
    assert caught.value.code == "content_erased"
    for other in ("sub_a", "sub_c"):
        assert VAULT.open(sealed[other], case_id="case_c", wrapped_key=key, bound_to=(other, "reference"))
    with pytest.raises(Gone):
        VAULT.seal(b"more", case_id="case_c", wrapped_key=key, bound_to=("sub_b", "name"))
