"""A package is checked with the published keys alone; whatever was changed in it is found."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registry_office import Office, restate

from verify import archive as module
from verify.archive import ARCHIVE_KIND, CheckedArchive, check_archive
from verify.audit import heads
from verify.casefile import CaseFile
from verify.errors import Invalid, NotFound
from verify.jose import VerifyingKey, new_signing_key, read_key_set, sign
from verify.redemption import SignedReceipt


@pytest.fixture
async def redeemed(office: Office) -> tuple[CaseFile, SignedReceipt]:
    for _ in range(3):
        await office.case()
    file, (subject, _) = await office.case(2)
    token = await office.verified_token(file, subject)
    return file, await office.redemptions.redeem(office.client, token, restate(file, subject))


@pytest.fixture
async def package(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> bytes:
    return await office.archives.pack(office.client, redeemed[0].case.id)


def published(office: Office) -> tuple[VerifyingKey, ...]:
    return read_key_set(json.dumps(office.tokens.jwks()).encode())


def files_of(content: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(content)) as package:
        return {name: package.read(name) for name in package.namelist()}


def packed(files: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w") as package:
        for name, content in files.items():
            package.writestr(name, content)
    return buffer.getvalue()


def resigned(office: Office, content: bytes, mode: str = "live", **changes: bytes | None) -> bytes:
    """A package whose files were exchanged by somebody who has the service's key: the manifest fits again."""
    files = {name: text for name, text in {**files_of(content), **changes}.items() if text is not None}
    manifest = msgspec.json.decode(_payload(files.pop("manifest.jws")))
    manifest["files"] = {name: sha256(text).hexdigest() for name, text in files.items()}
    signed = sign(manifest, key=office.signer(mode), kind=ARCHIVE_KIND)
    return packed({"manifest.jws": signed.encode(), **files})


def _payload(jws: bytes) -> bytes:
    part = jws.split(b".")[1]
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def refusal(office: Office, content: bytes, **options: bool) -> str:
    with pytest.raises(Invalid) as caught:
        check_archive(content, expected_keys=published(office), **options)
    return caught.value.code


async def test_a_package_says_what_came_of_the_case_and_proves_it(
    office: Office, redeemed: tuple[CaseFile, SignedReceipt], package: bytes
) -> None:
    file, receipt = redeemed
    checked = check_archive(package, expected_keys=published(office))
    assert isinstance(checked, CheckedArchive)
    assert (checked.case, checked.mode) == (file.case.id, "live")
    assert [each.claims.jti for each in checked.receipts] == [receipt.id]
    assert checked.entries == checked.covered == (await office.file(file.case.id)).entries
    case = json.loads(files_of(package)["case.json"])
    assert {each["state"] for each in case["subjects"]} == {"redeemed", "pending"}
    assert case["subjects"][0]["role"] == "shareholder"


async def test_it_holds_nobodys_name_number_or_picture(office: Office, package: bytes) -> None:
    content = b"".join(files_of(package).values()).decode()
    assert "张" not in content
    assert "masked" not in content
    assert "31011519900101" not in content
    assert not any(name.endswith((".jpg", ".png")) for name in files_of(package))


async def test_it_is_still_good_after_everybody_was_erased_and_keys_were_rotated(
    office: Office, redeemed: tuple[CaseFile, SignedReceipt], package: bytes
) -> None:
    await office.erasures.erase_case(redeemed[0].case.id, actor="operator", reason="asked")
    for purpose in ("live", "checkpoint"):
        office.keys.rings[purpose].rotate(now=0.0, at_once=True)
    assert check_archive(package, expected_keys=published(office))
    assert check_archive(
        await office.archives.pack(office.client, redeemed[0].case.id), expected_keys=published(office)
    )


@pytest.mark.parametrize("name", ["case.json", "audit.jsonl", "proof.json", "checkpoint.jws", "manifest.jws"])
async def test_a_file_that_was_changed_or_removed_is_found(office: Office, package: bytes, name: str) -> None:
    files = files_of(package)
    changed = files[name][:-9] + b"A" * 9
    assert refusal(office, packed({**files, name: changed})) == "archive_invalid"
    del files[name]
    assert refusal(office, packed(files)) == "archive_invalid"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 100_000), flip=st.integers(1, 255))
async def test_one_byte_changed_is_found_or_means_nothing(
    office: Office, package: bytes, place: int, flip: int
) -> None:
    """ZIP has bytes that nobody reads, such as times; every other one is caught, and nothing crashes."""
    changed = bytearray(package)
    changed[place % len(changed)] ^= flip
    try:
        found = check_archive(bytes(changed), expected_keys=published(office))
    except (Invalid, ValueError):
        return
    assert found == check_archive(package, expected_keys=published(office))


async def test_a_file_that_was_added_is_found(office: Office, package: bytes) -> None:
    assert refusal(office, packed({**files_of(package), "more.txt": b"more"})) == "archive_invalid"


async def test_the_key_alone_makes_no_other_chain(office: Office, package: bytes) -> None:
    """With a manifest that fits again: the chain must still be the one under the checkpoint."""
    lines = files_of(package)["audit.jsonl"].splitlines()
    lines[1] = lines[1].replace(b"invite.issued", b"invite.denied")
    changed = b"".join(line + b"\n" for line in lines)
    assert refusal(office, resigned(office, package, **{"audit.jsonl": changed})) == "archive_invalid"
    proof = json.loads(files_of(package)["proof.json"])
    proof["leaf"]["head"] = list(heads(lines))[-1]
    exchanged = {"audit.jsonl": changed, "proof.json": json.dumps(proof).encode()}
    assert refusal(office, resigned(office, package, **exchanged)) == "archive_invalid"


async def test_the_key_alone_makes_no_other_case(
    office: Office, redeemed: tuple[CaseFile, SignedReceipt], package: bytes
) -> None:
    receipt = f"receipts/{redeemed[1].id}.jws"
    case = json.loads(files_of(package)["case.json"])
    without: dict[str, bytes | None] = {receipt: None}
    assert refusal(office, resigned(office, package, **without)) == "archive_invalid"
    for field, value in (("action", "company.cancel"), ("document_sha256", "0" * 64), ("id", "case_other")):
        other = json.dumps({**case, field: value}).encode()
        assert refusal(office, resigned(office, package, **{"case.json": other})) == "archive_invalid"
    moved = sign({**redeemed[1].claims, "audit_entries": 1}, key=office.signer(), kind="heyan-receipt+jwt").encode()
    assert refusal(office, resigned(office, package, **{receipt: moved})) == "archive_invalid"


@pytest.mark.parametrize("name", ["case.json", "proof.json", "audit.jsonl"])
async def test_files_that_cannot_be_read_are_no_crash(office: Office, package: bytes, name: str) -> None:
    for content in (b"", b"[]", b"\xff", b"{}"):
        assert refusal(office, resigned(office, package, **{name: content})) == "archive_invalid"


async def test_a_manifest_of_another_key_is_none(office: Office, package: bytes) -> None:
    files = files_of(package)
    files["manifest.jws"] = sign(
        json.loads(_payload(files["manifest.jws"])), key=new_signing_key(), kind=ARCHIVE_KIND
    ).encode()
    assert refusal(office, packed(files)) == "archive_invalid"


async def test_a_package_of_test_mode_counts_only_where_that_is_wanted(office: Office) -> None:
    tester, _ = await office.clients.create("tester", mode="test")
    file, _ = await replace(office, client=tester).case()
    content = await office.archives.pack(tester, file.case.id)
    keys = read_key_set(json.dumps(office.tokens.test_jwks()).encode())
    with pytest.raises(Invalid) as caught:
        check_archive(content, expected_keys=keys)
    assert caught.value.code == "receipt_of_test_mode"
    assert check_archive(content, expected_keys=keys, allow_test=True).mode == "test"
    assert refusal(office, content, allow_test=True) == "archive_invalid"


@pytest.mark.parametrize("content", [b"", b"PK", b"hello" * 100])
def test_what_is_no_zip_file_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match="ZIP"):
        check_archive(content, expected_keys=())


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BYTES", 100_000)
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as package:
        package.writestr("manifest.jws", b"0" * 1_000_000)
    with pytest.raises(ValueError, match="unpacked"):
        check_archive(buffer.getvalue(), expected_keys=())


async def test_a_case_of_somebody_else_is_unknown(office: Office) -> None:
    file, _ = await office.case()
    other, _ = await office.clients.create("window 2", mode="live")
    with pytest.raises(NotFound):
        await office.archives.pack(other, file.case.id)
