import json
import secrets
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from verify.jose import key_set, sign
from verify.receipts import RECEIPT_KIND, ReceiptClaims
from verify.signing import Keys, load_keys


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return load_keys(tmp_path, entropy=secrets.token_bytes)


@pytest.fixture
def jwks(tmp_path: Path, keys: Keys) -> str:
    path = tmp_path / "jwks.json"
    rings = (keys.rings["live"], keys.rings["test"])
    path.write_text(json.dumps(key_set(key for ring in rings for key in ring.ring.published())))
    return str(path)


def receipt_of(keys: Keys, mode: str = "live", **changes: object) -> str:
    numbers = {field.name for field in fields(ReceiptClaims) if field.type is int}
    claims = {field.name: 1 if field.name in numbers else "x" for field in fields(ReceiptClaims)}
    claims["iss"] = "heyan" if mode == "live" else "heyan/test"
    claims |= changes
    return sign(claims, key=keys.rings[mode].ring.signer(now=0.0), kind=RECEIPT_KIND)


def verified(text: str | bytes, jwks: str, *options: str, folder: Path) -> Result:
    path = folder / "receipt.jws"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CliRunner().invoke(app, ["receipts", "verify", str(path), "--jwks", jwks, *options])


@pytest.mark.parametrize("wrap", [str, lambda text: f"{text}\n", lambda text: json.dumps({"id": "r", "receipt": text})])
def test_a_good_receipt_is_valid(keys: Keys, jwks: str, tmp_path: Path, wrap: object) -> None:
    result = verified(wrap(receipt_of(keys)), jwks, folder=tmp_path)
    assert (result.exit_code, "valid" in result.stdout) == (0, True)


def test_claims_are_shown_whole(keys: Keys, jwks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    head, root = (secrets.token_hex(64) for _ in range(2))
    shown = verified(receipt_of(keys, audit_head=head, checkpoint_root=root), jwks, folder=tmp_path).stdout
    assert {head, root} <= set(shown.split())


def test_machines_get_json(keys: Keys, jwks: str, tmp_path: Path) -> None:
    good = verified(receipt_of(keys), jwks, "--json", folder=tmp_path)
    assert (good.exit_code, json.loads(good.stdout)["claims"]["iss"]) == (0, "heyan")
    bad = verified(receipt_of(keys)[:-8] + "AAAAAAAA", jwks, "--json", folder=tmp_path)
    assert (bad.exit_code, json.loads(bad.stdout)["code"]) == (1, "receipt_invalid")


def test_test_mode_counts_only_where_that_is_wanted(keys: Keys, jwks: str, tmp_path: Path) -> None:
    text = receipt_of(keys, "test")
    refused = verified(text, jwks, folder=tmp_path)
    assert (refused.exit_code, "receipt_of_test_mode" in refused.stderr) == (1, True)
    assert verified(text, jwks, "--allow-test", folder=tmp_path).exit_code == 0


@pytest.mark.parametrize("content", [b"", b"hello", b"{}", b"{", b"\xff\xfe", b'{"receipt": 7}'])
def test_a_file_without_a_receipt_is_bad_input(jwks: str, tmp_path: Path, content: bytes) -> None:
    result = verified(content, jwks, folder=tmp_path)
    assert (result.exit_code, "file_invalid" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "code"), [(b"[]", "jwks_invalid"), (b"", "jwks_invalid"), (None, "file_unreadable")]
)
def test_a_file_without_keys_is_bad_input(keys: Keys, tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "other.json"
    if content is not None:
        path.write_bytes(content)
    result = verified(receipt_of(keys), str(path), folder=tmp_path)
    assert (result.exit_code, code in result.stderr) == (2, True)
    assert "Traceback" not in result.output
