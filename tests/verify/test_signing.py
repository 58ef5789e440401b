import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from verify.errors import Unavailable
from verify.signing import load_keys


def test_keys_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    made, read = (load_keys(tmp_path, entropy=secrets.token_bytes) for _ in range(2))
    assert made.signing["live"].kid == read.signing["live"].kid
    assert made.vault.wrapping_key == read.vault.wrapping_key
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_live_and_test_share_nothing(tmp_path: Path) -> None:
    keys = load_keys(tmp_path, entropy=secrets.token_bytes)
    assert keys.signing["live"].kid != keys.signing["test"].kid


def test_processes_that_start_together_end_with_the_same_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda _: load_keys(tmp_path, entropy=secrets.token_bytes), range(8)))
    assert len({keys.signing["live"].kid for keys in loaded}) == 1
    assert len({keys.vault.wrapping_key for keys in loaded}) == 1


@pytest.mark.parametrize("name", ["signing-live.jwk", "signing-test.jwk", "wrapping.key", "person.key"])
@pytest.mark.parametrize("content", [b"", b"short", b'{"kty":"OKP"}'])
def test_a_damaged_key_is_named_and_never_replaced(tmp_path: Path, name: str, content: bytes) -> None:
    load_keys(tmp_path, entropy=secrets.token_bytes)
    damaged = tmp_path / "keys" / name
    damaged.write_bytes(content)
    with pytest.raises(Unavailable, match=name) as caught:
        load_keys(tmp_path, entropy=secrets.token_bytes)
    assert caught.value.code == "key_damaged"
    assert damaged.read_bytes() == content
