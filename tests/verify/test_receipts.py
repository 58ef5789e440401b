"""A receipt is checked by whoever holds the published keys, and by nothing else."""

import json
import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from re import DOTALL, findall
from typing import Any

import pytest
from registry_office import Office, restate

from verify.errors import Invalid
from verify.jose import VerifyingKey, key_set, new_signing_key, read_key_set, sign
from verify.receipts import RECEIPT_KIND, ReceiptClaims, check_receipt
from verify.redemption import SignedReceipt
from verify.tokens import TOKEN_KIND

GUIDE = Path(__file__).parents[2] / "docs" / "receipts.md"


@pytest.fixture
async def receipt(office: Office) -> SignedReceipt:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    return await office.redemptions.redeem(office.client, token, restate(file, subject))


def published(office: Office, mode: str = "live") -> tuple[VerifyingKey, ...]:
    """The keys by way of the JWKS, as an archive has them."""
    content = office.tokens.jwks() if mode == "live" else office.tokens.test_jwks()
    return read_key_set(json.dumps(content).encode())


def refusal(text: str, keys: tuple[VerifyingKey, ...], **options: Any) -> str:
    with pytest.raises(Invalid) as caught:
        check_receipt(text, expected_keys=keys, **options)
    return caught.value.code


def resigned(
    office: Office, receipt: SignedReceipt, *, mode: str = "live", kind: str = RECEIPT_KIND, **changes: Any
) -> str:
    claims = {name: value for name, value in {**receipt.claims, **changes}.items() if value is not None}
    return sign(claims, key=office.signer(mode), kind=kind)


async def test_a_receipt_says_all_that_receipts_say(office: Office, receipt: SignedReceipt) -> None:
    checked = check_receipt(receipt.receipt, expected_keys=published(office))
    assert (checked.mode, checked.claims.jti, checked.claims.aud) == ("live", receipt.id, office.client.id)
    assert set(receipt.claims) >= {field.name for field in fields(ReceiptClaims)}


async def test_a_receipt_is_the_same_text_for_ever_and_verifies_after_rotations(
    office: Office, receipt: SignedReceipt
) -> None:
    for _ in range(2):
        office.keys.rings["live"].rotate(now=0.0, at_once=True)
    again = await office.redemptions.receipt(office.client, receipt.id)
    assert again == receipt
    assert check_receipt(again.receipt, expected_keys=published(office))


@pytest.mark.parametrize("claim", [field.name for field in fields(ReceiptClaims) if field.name != "iss"])
async def test_every_claim_is_needed(office: Office, receipt: SignedReceipt, claim: str) -> None:
    assert refusal(resigned(office, receipt, **{claim: None}), published(office)) == "receipt_incomplete"


async def test_what_was_changed_or_signed_by_others_is_no_receipt(office: Office, receipt: SignedReceipt) -> None:
    header, payload, signature = receipt.receipt.split(".")
    keys = published(office)
    stranger = sign(receipt.claims, key=new_signing_key(), kind=RECEIPT_KIND)
    changed = resigned(office, receipt, role="director").split(".")[1]
    for text in (f"{header}.{changed}.{signature}", f"{header}.{payload}.", stranger, "", "a.b.c"):
        assert refusal(text, keys) == "receipt_invalid"


async def test_a_token_and_what_the_checkpoint_key_signed_are_no_receipts(
    office: Office, receipt: SignedReceipt
) -> None:
    keys = published(office)
    assert refusal(resigned(office, receipt, kind=TOKEN_KIND), keys) == "receipt_invalid"
    assert refusal(resigned(office, receipt, mode="checkpoint"), keys) == "receipt_invalid"


async def test_a_receipt_of_test_mode_counts_only_where_that_is_wanted(office: Office, receipt: SignedReceipt) -> None:
    text = resigned(office, receipt, mode="test", iss="heyan/test")
    keys = published(office, "test")
    assert refusal(text, published(office), allow_test=True) == "receipt_invalid"
    assert refusal(text, keys) == "receipt_of_test_mode"
    assert check_receipt(text, expected_keys=keys, allow_test=True).mode == "test"


@pytest.mark.parametrize(("mode", "issuer"), [("test", "heyan"), ("live", "heyan/test")])
async def test_key_and_issuer_must_be_of_one_mode(
    office: Office, receipt: SignedReceipt, mode: str, issuer: str
) -> None:
    text = resigned(office, receipt, mode=mode, iss=issuer)
    assert refusal(text, published(office, mode), allow_test=True) == "receipt_invalid"


async def test_the_older_name_of_the_algorithm_is_the_same_signature(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    older = replace(office.redemptions, algorithm="EdDSA")
    receipt = await older.redeem(office.client, token, restate(file, subject))
    assert check_receipt(receipt.receipt, expected_keys=published(office))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[{"kty":"OKP"}]}', b'{"keys":[7]}'])
def test_a_key_set_without_our_keys_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match="JWKS"):
        read_key_set(content)


def test_a_key_set_holds_no_private_half() -> None:
    key = new_signing_key()
    content = json.dumps({"keys": [{**key.to_jwk(), "heyan_for": "live"}]}).encode()
    assert "d" not in key_set(read_key_set(content))["keys"][0]


def snippet(language: str) -> str:
    (found,) = findall(rf"```{language}\n(.*?)```", GUIDE.read_text("utf-8"), DOTALL)
    return str(found)


@pytest.mark.parametrize(
    ("language", "program", "name"), [("js", "node", "verify.mjs"), ("java", "java", "Verify.java")]
)
async def test_the_guide_verifies_in_other_languages(
    office: Office, tmp_path: Path, language: str, program: str, name: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    older = sign(receipt.claims, key=office.signer(), kind=RECEIPT_KIND, algorithm="EdDSA")
    for where, text in {
        name: snippet(language),
        "jwks.json": json.dumps(office.tokens.jwks()),
        "good.jws": receipt.receipt,
        "older.jws": older,
        "changed.jws": receipt.receipt[:-20] + "A" * 20,
        "token.jws": token,
        "stranger.jws": sign(receipt.claims, key=new_signing_key(), kind=RECEIPT_KIND),
    }.items():
        (tmp_path / where).write_text(text, "utf-8")

    def run(receipt_file: str) -> "subprocess.CompletedProcess[str]":
        command = [program, name, receipt_file, "jwks.json"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    for name_of_algorithm in ("good", "older"):
        good = run(f"{name_of_algorithm}.jws")
        assert good.returncode == 0, good.stderr
        assert receipt.id in good.stdout
    assert [run(f"{bad}.jws").returncode for bad in ("changed", "token", "stranger")] == [1, 1, 1]
