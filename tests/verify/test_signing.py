import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.errors import Unavailable
from verify.jose import new_signing_key
from verify.signing import OVERLAP_SECONDS, PUBLISH_SECONDS, PURPOSES, Keys, Ring, RingKey, load_keys

NOW = 1_800_000_000.0


def loaded(folder: Path) -> Keys:
    return load_keys(folder, entropy=secrets.token_bytes)


def signer_id(keys: Keys, purpose: str = "live", now: float = NOW) -> str:
    return keys.rings[purpose].ring.signer(now=now).kid


def verifier_ids(keys: Keys, now: float) -> set[str]:
    return {key.kid for key in keys.rings["live"].ring.verifiers(now=now)}


def test_keys_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    made, read = loaded(tmp_path), loaded(tmp_path)
    assert signer_id(made) == signer_id(read)
    assert made.vault.wrapping_key == read.vault.wrapping_key
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_live_test_and_checkpoints_share_nothing(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    assert len({signer_id(keys, purpose) for purpose in PURPOSES}) == 3


def test_processes_that_start_together_end_with_the_same_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: loaded(tmp_path), range(8)))
    assert len({signer_id(keys) for keys in together}) == 1
    assert len({keys.vault.wrapping_key for keys in together}) == 1


@pytest.mark.parametrize("name", ["live.ring", "test.ring", "checkpoint.ring", "wrapping.key", "person.key"])
@pytest.mark.parametrize("content", [b"", b"short", b"[]", b'{"kty":"OKP"}', b'[{"jwk":{},"signs_from":0}]'])
def test_a_damaged_key_is_named_and_never_replaced(tmp_path: Path, name: str, content: bytes) -> None:
    loaded(tmp_path)
    damaged = tmp_path / "keys" / name
    damaged.write_bytes(content)
    with pytest.raises(Unavailable) as caught:
        loaded(tmp_path)
    assert (caught.value.code, str(damaged) in caught.value.for_operators) == ("key_damaged", True)
    assert "keys/" not in str(caught.value)
    assert damaged.read_bytes() == content


def test_a_ring_that_disappears_stops_signing(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    (tmp_path / "keys" / "live.ring").unlink()
    with pytest.raises(Unavailable) as caught:
        signer_id(keys)
    assert "live.ring" in caught.value.for_operators


def test_a_new_key_is_published_before_it_signs_and_the_old_one_verifies_after_it_has_signed(tmp_path: Path) -> None:
    service, operator = loaded(tmp_path), loaded(tmp_path)
    old = signer_id(service)
    operator.rings["live"].rotate(now=NOW)
    new = signer_id(service, now=NOW + PUBLISH_SECONDS)
    assert new != old
    assert signer_id(service, now=NOW + PUBLISH_SECONDS - 0.001) == old
    assert verifier_ids(service, NOW) == {old, new}
    end = NOW + PUBLISH_SECONDS + OVERLAP_SECONDS
    assert verifier_ids(service, end - 0.001) == {old, new}
    assert verifier_ids(service, end) == {new}
    assert {key.kid for key in service.rings["live"].ring.published()} == {old, new}


def test_a_key_that_is_not_to_be_trusted_is_replaced_at_once(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    old = signer_id(keys)
    keys.rings["live"].rotate(now=NOW, at_once=True)
    assert signer_id(keys) != old


def test_retired_keys_keep_their_public_half_alone(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    for round_ in range(3):
        keys.rings["live"].rotate(now=NOW + round_ * 2 * PUBLISH_SECONDS)
    stored = json.loads((tmp_path / "keys" / "live.ring").read_bytes())
    assert ["d" in key["jwk"] for key in stored] == [False, False, True, True]
    assert (tmp_path / "keys" / "live.ring").stat().st_mode & 0o777 == 0o600


def test_rotations_at_the_same_time_lose_no_key(tmp_path: Path) -> None:
    loaded(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: loaded(tmp_path).rings["live"].rotate(now=NOW), range(4)))
    assert len(loaded(tmp_path).rings["live"].ring.keys) == 5


def test_rotating_one_purpose_leaves_the_others(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    before = signer_id(keys, "test"), signer_id(keys, "checkpoint")
    keys.rings["live"].rotate(now=NOW, at_once=True)
    assert (signer_id(keys, "test"), signer_id(keys, "checkpoint")) == before


KEYS = [new_signing_key() for _ in range(6)]


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=5), st.floats(0, 6000), st.floats(0, 600))
def test_what_a_key_signed_verifies_for_as_long_as_a_token_lives(
    rotations: list[float], signed_at: float, age: float
) -> None:
    ring = Ring((RingKey(public=KEYS[0].verifying("live"), signing=KEYS[0], signs_from=0.0),))
    for key, at in zip(KEYS[1:], sorted(rotations), strict=False):
        if at <= signed_at:
            ring = ring.rotated(key, now=at, signs_from=at + PUBLISH_SECONDS, purpose="live")
    signer = ring.signer(now=signed_at)
    assert signer.kid in {key.kid for key in ring.verifiers(now=signed_at + age)}
