"""One case as a package for an archive: what came of it, the receipts, the whole chain, and the proof of its place.

Everything in it can be checked offline, with the published keys. It holds no name, no number and no picture: portraits
are erased when their person consents, and nothing of a face ever leaves.

    manifest.jws      SHA-256 of every other file, signed
    case.json         result, times, action, roles
    receipts/*.jws    as `verify.receipts` describes them
    audit.jsonl       the audit entries, one a line, byte for byte
    proof.json        the case's leaf, and its path to the root of
    checkpoint.jws    the checkpoint
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import msgspec

from verify.audit import AuditEntry, heads
from verify.auditing import REDEEMED
from verify.casefile import CaseFile, Verification
from verify.cases import CaseView, case_view, check_owner, known_case
from verify.checkpoints import Checkpoint, Checkpoints, Inclusion, check_checkpoint, leaf_hash_of
from verify.clients import Client
from verify.errors import Invalid, Unavailable
from verify.jose import BOTH_NAMES, SignatureInvalidError, VerifyingKey, sign, verify
from verify.ledger import Leaf
from verify.merkle import is_included
from verify.receipts import CheckedReceipt, check_receipt
from verify.store import Store
from verify.tokens import Tokens

ARCHIVE_KIND = "heyan-archive+jwt"

LARGEST_BYTES = 256 * 1024 * 1024
"""Of all files of a package together, unpacked. A case of 500 people has some 10 MB."""

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""Equal cases give equal files: the time is in the manifest."""

ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the package holds."""

    iss: str
    iat: int
    case: str
    client: str
    files: dict[str, str]
    """SHA-256 (hexadecimal) by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Where the case stands in the tree of the checkpoint."""

    leaf: Leaf
    index: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedArchive:
    """A package that is whole and genuine."""

    case: str
    mode: str
    made_at: datetime
    receipts: Sequence[CheckedReceipt]
    entries: int
    covered: int
    """How many of the entries the checkpoint covers."""
    checkpoint: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """Packs cases."""

    store: Store
    checkpoints: Checkpoints
    tokens: Tokens

    async def pack(self, client: Client, case_id: str) -> bytes:
        """A case of this client as a ZIP file. Signs a checkpoint first if none covers the case as it is.

        Raises:
            NotFound: `case_unknown`. Unavailable: repeat it.
        """
        file, now = await self.store.load(known_case(case_id))
        check_owner(file, client)
        proof = await self._covering(file)
        files = {
            "case.json": _json(_summary(case_view(file, now=now, epoch=await self.store.epoch()))),
            "audit.jsonl": b"".join(line + b"\n" for line in (await self.store.audit(file.case.id))[: file.entries]),
            "proof.json": msgspec.json.encode(Proof(leaf=proof.placed.leaf, index=proof.placed.index, path=proof.path)),
            "checkpoint.jws": proof.checkpoint.text.encode(),
            **{f"receipts/{receipt.id}.jws": receipt.text.encode() for receipt in file.receipts.values()},
        }
        manifest = Manifest(
            iss=self.tokens.issuer_of(client.mode),
            iat=int(now),
            case=file.case.id,
            client=client.id,
            files={name: sha256(content).hexdigest() for name, content in files.items()},
        )
        key = self.tokens.rings[client.mode].ring.signer(now=now)
        signed = sign(msgspec.to_builtins(manifest), key=key, kind=ARCHIVE_KIND, algorithm=self.checkpoints.algorithm)
        return _zipped({"manifest.jws": signed.encode(), **files})

    async def _covering(self, file: CaseFile) -> Inclusion:
        """A proof that covers the case as far as this file goes, from a checkpoint that is signed now if need be."""
        for _ in range(ATTEMPTS):
            found = await self.checkpoints.inclusion(file.case.id)
            if found is not None and found.placed.leaf.entries >= file.entries:
                return found
            await self.checkpoints.advance()
        raise Unavailable("store_busy", "others keep signing checkpoints; repeat the request", retry_after=1.0)


def check_archive(content: bytes, *, expected_keys: Sequence[VerifyingKey], allow_test: bool = False) -> CheckedArchive:
    """Check a package with published keys alone: no service, no network, no clock.

    Raises:
        ValueError: it is no ZIP file, or is larger than a case can be.
        Invalid: `archive_invalid`, and as `verify.receipts.check_receipt` and `verify.checkpoints.check_checkpoint`.
    """
    files = _unzipped(content)
    manifest, mode = _manifest(files, expected_keys, allow_test=allow_test)
    lines = _file(files, "audit.jsonl").splitlines()
    made = tuple(heads(lines))
    proof, checkpoint = _check_proof(files, manifest, made, expected_keys)
    receipts = [
        check_receipt(text.decode("utf-8", "replace"), expected_keys=expected_keys, allow_test=allow_test)
        for name, text in files.items()
        if name.startswith("receipts/")
    ]
    _check_receipts(files, manifest, receipts, lines, made)
    return CheckedArchive(
        case=manifest.case,
        mode=mode,
        made_at=datetime.fromtimestamp(manifest.iat, UTC),
        receipts=receipts,
        entries=len(lines),
        covered=proof.leaf.entries,
        checkpoint=checkpoint.claims.n,
    )


def _manifest(files: Mapping[str, bytes], keys: Iterable[VerifyingKey], *, allow_test: bool) -> tuple[Manifest, str]:
    """The manifest, and the mode of its key, once every file is the one that it names."""
    text = _file(files, "manifest.jws").decode("utf-8", "replace")
    signers = [key for key in keys if key.purpose in {"live", "test"}]
    try:
        content, key = verify(text, expected_keys=signers, expected_kind=ARCHIVE_KIND, algorithms=BOTH_NAMES)
        manifest = msgspec.convert(content, Manifest, strict=True)
    except (SignatureInvalidError, msgspec.ValidationError):
        raise _invalid("no key of this set has signed its manifest") from None
    if key.purpose == "test" and not allow_test:
        raise Invalid("receipt_of_test_mode", "this package is of test mode and proves nothing about a real filing")
    found = {name: sha256(content).hexdigest() for name, content in files.items() if name != "manifest.jws"}
    if found != manifest.files:
        differing = sorted(name for name, _ in found.items() ^ manifest.files.items())
        raise _invalid(f"{', '.join(dict.fromkeys(differing))}: not what the manifest says")
    return manifest, key.purpose


def _check_proof(
    files: Mapping[str, bytes], manifest: Manifest, made: Sequence[str], keys: Sequence[VerifyingKey]
) -> tuple[Proof, Checkpoint]:
    """The chain must have the leaf's head, and the checkpoint must cover the leaf."""
    checkpoint = check_checkpoint(_file(files, "checkpoint.jws").decode("utf-8", "replace"), expected_keys=keys)
    try:
        proof = msgspec.json.decode(_file(files, "proof.json"), type=Proof)
        path = [bytes.fromhex(each) for each in proof.path]
    except ValueError:
        raise _invalid("proof.json is no proof") from None
    leaf = proof.leaf
    if leaf.case != manifest.case or leaf.entries >= len(made) or made[leaf.entries] != leaf.head:
        raise _invalid("the audit chain is not the one that the proof is about")
    claims = checkpoint.claims
    root = bytes.fromhex(claims.root)
    if not is_included(leaf=leaf_hash_of(leaf), index=proof.index, size=claims.size, path=path, root=root):
        raise _invalid("the checkpoint does not cover the case")
    return proof, checkpoint


def _check_receipts(
    files: Mapping[str, bytes],
    manifest: Manifest,
    receipts: Sequence[CheckedReceipt],
    lines: Sequence[bytes],
    made: Sequence[str],
) -> None:
    """Each receipt is of this case and stands at its place in the chain, and none is missing."""
    try:
        case = json.loads(_file(files, "case.json"))
        entries = [msgspec.json.decode(line, type=AuditEntry) for line in lines]
        said = (case["id"], case["action"], case["document_sha256"])
    except (ValueError, KeyError, TypeError):
        raise _invalid("case.json or audit.jsonl cannot be read") from None
    redeemed = {receipt for entry in entries if entry.event == REDEEMED for receipt in entry.details["receipts"]}
    if redeemed != {receipt.claims.jti for receipt in receipts}:
        raise _invalid("its receipts are not those of the redemptions in the chain")
    for receipt in receipts:
        claims = receipt.claims
        if claims.case != manifest.case or claims.document_sha256 != said[2] or claims.action != said[1]:
            raise _invalid(f"{claims.jti} is of another case, action or document")
        at = claims.audit_entries
        if at >= len(lines) or made[at] != claims.audit_head or claims.jti not in entries[at].details["receipts"]:
            raise _invalid(f"{claims.jti} stands elsewhere in the chain than it says")
    if said[0] != manifest.case:
        raise _invalid("case.json is of another case")


def _summary(view: CaseView) -> dict[str, Any]:
    """What came of the case, readable. Ids, codes and times only."""
    case = view.file.case
    return {
        "id": case.id,
        "mode": case.mode,
        "client": case.client,
        "state": view.state.value,
        "action": case.action,
        "document_sha256": case.document_sha256,
        "external_id": case.external_id,
        "roster_version": case.roster_version,
        "rule": msgspec.to_builtins(case.rule),
        "opened_at": _time(case.opened_at),
        "deadline": _time(case.deadline),
        "subjects": [
            {
                "id": subject.id,
                "role": subject.role,
                "state": view.standings[subject.id].value,
                "verifications": [_verification(each) for each in _of(view.file, subject.id)],
            }
            for subject in view.file.subjects.values()
            if subject.id in view.standings
        ],
    }


def _of(file: CaseFile, subject_id: str) -> Iterable[Verification]:
    return (each for each in file.verifications.values() if each.subject_id == subject_id)


def _verification(verification: Verification) -> dict[str, str]:
    return {
        "id": verification.id,
        "state": verification.state.value,
        "method": verification.method,
        "policy": verification.policy,
        "verified_at": _time(verification.verified_at),
        "valid_until": _time(verification.valid_until),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(ZipInfo(name, FIRST_DAY), content, ZIP_DEFLATED)
    return buffer.getvalue()


def _unzipped(content: bytes) -> dict[str, bytes]:
    """Every file by name. What it says about its sizes is not believed: no more is read than is allowed."""
    files, left = dict[str, bytes](), LARGEST_BYTES
    try:
        with ZipFile(BytesIO(content)) as package:
            for entry in package.infolist():
                if entry.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
                    raise ValueError(f"{entry.filename!r} is packed by a method that no package of ours uses")
                with package.open(entry) as file:
                    files[entry.filename] = file.read(left + 1)
                left -= len(files[entry.filename])
                if left < 0:
                    raise ValueError(f"more than {LARGEST_BYTES} bytes unpacked")
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"no ZIP file: {error}") from error
    return files


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise _invalid(f"{name} is missing")
    return files[name]


def _invalid(what: str) -> Invalid:
    return Invalid("archive_invalid", f"the package is not whole or not genuine: {what}")
