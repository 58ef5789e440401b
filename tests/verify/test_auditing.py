"""Somebody with full access to the store, and in the last tests with the service's own keys, changes the past."""

import ast
import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from registry_office import Office, restate

from verify.audit import AuditEntry, heads
from verify.auditing import NO_ANCHORS, Anchors, AuditReport, audit, read_anchors
from verify.casefile import CaseFile, VerificationState, changed_fields
from verify.checkpoints import CHECKPOINT_KIND, CheckpointClaims
from verify.jose import read_key_set, sign
from verify.ledger import Leaf
from verify.redemption import SignedReceipt

ROOT = Path(__file__).parents[2]


Records = dict[str, dict[str, bytes]]


@pytest.fixture
def records() -> Records:
    """The records of cases as they were before their redemption, for whoever wants to put them back."""
    return {}


@pytest.fixture
async def redeemed(office: Office, records: Records) -> tuple[CaseFile, SignedReceipt]:
    """Two cases under two checkpoints, the first with a redemption after the first of them."""
    file, (subject,) = await office.case()
    other, (invited,) = await office.case()
    token = await office.verified_token(file, subject)
    await office.checkpoints.advance()
    records[file.case.id] = await office.store.ledger.record(file.case.id)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    await office.invite(other, invited)
    await office.checkpoints.advance()
    return await office.file(file.case.id), receipt


async def report_of(office: Office, anchors: Anchors = NO_ANCHORS) -> AuditReport:
    office.store._remembered.clear()
    keys = read_key_set(json.dumps(office.tokens.jwks()).encode())
    return await audit(office.store, expected_keys=keys, anchors=anchors)


async def found(office: Office, anchors: Anchors = NO_ANCHORS) -> set[str]:
    return {finding.code for finding in (await report_of(office, anchors)).findings}


def kept(office: Office, *texts: str) -> Anchors:
    keys = read_key_set(json.dumps(office.tokens.jwks()).encode())
    return read_anchors({f"kept/{place}": text for place, text in enumerate(texts)}, expected_keys=keys)


async def tell(office: Office, *command: str | bytes | int) -> object:
    """What somebody does to the store by hand."""
    return await office.store._connection.ask(*command)


def chain_key(office: Office, file: CaseFile) -> str:
    return office.store._audit(file.case.id)


async def rewrite(office: Office, file: CaseFile, contents: Sequence[bytes]) -> None:
    """The case with another chain, whose head fits: no key is needed for that."""
    await tell(office, "DEL", chain_key(office, file))
    await tell(office, "RPUSH", chain_key(office, file), *contents)
    head = list(heads(contents))[-1]
    await tell(office, "HSET", office.store._file(file.case.id), "head", head, "entries", len(contents))


async def test_an_honest_store_is_intact(office: Office, redeemed: object) -> None:
    report = await report_of(office)
    assert report.findings == []
    assert (report.cases, report.checkpoints, report.uncovered, report.proven_to) == (2, 2, 0, None)
    assert report.entries > 8


async def test_cases_that_no_checkpoint_covers_yet_are_counted(office: Office, redeemed: object) -> None:
    await office.case()
    report = await report_of(office)
    assert (report.intact, report.cases, report.uncovered) == (True, 3, 1)


async def test_a_changed_entry(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, _ = redeemed
    contents = await office.store.audit(file.case.id)
    await tell(office, "LSET", chain_key(office, file), 1, contents[1].replace(b"invite.issued", b"invite.denied"))
    assert await found(office) == {"entry_changed"}


async def test_a_changed_entry_with_all_hashes_made_anew(
    office: Office, redeemed: tuple[CaseFile, SignedReceipt]
) -> None:
    file, _ = redeemed
    contents = list(await office.store.audit(file.case.id))
    contents[1] = contents[1].replace(b"invite.issued", b"invite.denied")
    await rewrite(office, file, contents)
    assert await found(office) == {"entry_changed"}


async def test_a_removed_entry(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, _ = redeemed
    contents = list(await office.store.audit(file.case.id))
    await tell(office, "LREM", chain_key(office, file), 1, contents[2])
    assert await found(office) == {"entry_changed"}


async def test_a_removed_entry_with_numbers_and_hashes_made_anew(
    office: Office, redeemed: tuple[CaseFile, SignedReceipt]
) -> None:
    file, _ = redeemed
    contents = list(await office.store.audit(file.case.id))
    del contents[2]
    entries = [msgspec.json.decode(content, type=AuditEntry) for content in contents]
    renumbered = [replace(entry, seq=seq) for seq, entry in enumerate(entries)]
    await rewrite(office, file, [msgspec.json.encode(entry, order="sorted") for entry in renumbered])
    assert await found(office) & {"entry_changed", "entries_truncated"}


async def test_reordered_entries(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, _ = redeemed
    contents = list(await office.store.audit(file.case.id))
    contents[1], contents[2] = contents[2], contents[1]
    await rewrite(office, file, contents)
    assert await found(office) == {"entry_changed"}


async def test_an_entry_that_no_change_made(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, _ = redeemed
    await tell(office, "RPUSH", chain_key(office, file), b'{"event":"made.up"}')
    assert await found(office) == {"entry_changed"}


async def test_a_deleted_case(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, _ = redeemed
    await tell(office, "DEL", office.store._file(file.case.id), chain_key(office, file))
    assert await found(office) == {"case_deleted"}


async def test_a_case_that_cannot_be_read(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, _ = redeemed
    await tell(office, "HSET", office.store._file(file.case.id), "case", "{}")
    assert await found(office) == {"case_changed"}


async def test_the_end_of_a_case_cut_off(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, _ = redeemed
    await rewrite(office, file, (await office.store.audit(file.case.id))[:-1])
    assert await found(office) == {"entries_truncated", "receipt_unrecorded", "record_changed"}


async def test_a_receipt_that_no_redemption_made(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, receipt = redeemed
    forged = replace(file.receipts[receipt.id], id="rcp_forged")
    field = changed_fields(file, file.with_(forged))
    await tell(office, "HSET", office.store._file(file.case.id), *(part for pair in field.items() for part in pair))
    assert await found(office) == {"receipt_unrecorded", "record_changed"}


async def test_a_changed_record(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    """A verification that was used is made good again, behind the chain's back."""
    file, _ = redeemed
    (used,) = file.verifications.values()
    again = changed_fields(file, file.with_(replace(used, state=VerificationState.ACTIVE)))
    await tell(office, "HSET", office.store._file(file.case.id), *(part for pair in again.items() for part in pair))
    (finding,) = (await report_of(office)).findings
    assert (finding.code, used.id in finding.detail) == ("record_changed", True)


@pytest.mark.parametrize("field", ["subject:sub_more", "nonsense"])
async def test_a_record_that_was_added_to(office: Office, redeemed: tuple[CaseFile, SignedReceipt], field: str) -> None:
    file, _ = redeemed
    await tell(office, "HSET", office.store._file(file.case.id), field, b"{}")
    assert await found(office) & {"record_changed", "case_changed"}


@pytest.mark.parametrize("content", [b"another template", None])
async def test_a_template_that_was_exchanged_or_removed(
    office: Office, redeemed: tuple[CaseFile, SignedReceipt], content: bytes | None
) -> None:
    file, _ = redeemed
    (subject,) = file.subjects
    key = office.store._blob(file.case.id, f"reference:{subject}")
    await (tell(office, "DEL", key) if content is None else tell(office, "SET", key, content))
    assert await found(office) == {"record_changed"}


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_changed_leaf(office: Office, redeemed: object, place: int) -> None:
    leaf = Leaf(case="case_aaaaaaaaaaaaaaaa", entries=1, head="0" * 64)
    await tell(office, "LSET", office.store.ledger._key("leaves"), place, leaf.content())
    assert "leaf_changed" in await found(office)


async def test_a_leaf_that_is_none_and_leaves_that_are_gone(office: Office, redeemed: object) -> None:
    leaves = office.store.ledger._key("leaves")
    await tell(office, "LSET", leaves, 0, b"nothing")
    assert "leaf_changed" in await found(office)
    await tell(office, "DEL", leaves)
    assert "leaves_missing" in await found(office)


async def test_a_checkpoint_of_another_key(office: Office, redeemed: object) -> None:
    second = (await office.checkpoints.get(2)).claims
    forged = sign(msgspec.to_builtins(second), key=office.signer("live"), kind=CHECKPOINT_KIND)
    await tell(office, "LSET", office.store.ledger._key("checkpoints"), 1, forged)
    assert "checkpoint_invalid" in await found(office)


@pytest.mark.parametrize("changes", [{"n": 3}, {"previous": "0" * 64}, {"previous": ""}, {"size": 1}])
async def test_a_checkpoint_out_of_line_even_under_the_right_key(
    office: Office, redeemed: object, changes: dict[str, object]
) -> None:
    await resign(office, 1, replace((await office.checkpoints.get(2)).claims, **changes))
    assert "checkpoint_out_of_line" in await found(office)


async def resign(office: Office, place: int, claims: CheckpointClaims) -> None:
    text = sign(msgspec.to_builtins(claims), key=office.signer("checkpoint"), kind=CHECKPOINT_KIND)
    await tell(office, "LSET", office.store.ledger._key("checkpoints"), place, text)


async def test_honest_anchors_prove_the_tail(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    _, receipt = redeemed
    newest = await office.checkpoints.newest()
    assert newest is not None
    by_receipt = await report_of(office, kept(office, receipt.receipt))
    by_both = await report_of(office, kept(office, receipt.receipt, newest.text))
    assert (by_receipt.findings, by_receipt.proven_to) == ([], 1)
    assert (by_both.findings, by_both.proven_to, by_both.anchors) == ([], 2, 2)


async def test_an_anchor_that_was_changed_is_told(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    _, receipt = redeemed
    assert await found(office, kept(office, receipt.receipt[:-8] + "AAAAAAAA")) == {"anchor_invalid"}


async def sign_everything_anew(office: Office) -> None:
    """With the service's own keys: a new log over the cases as they now are."""
    ledger = office.store.ledger
    await tell(office, "DEL", *(ledger._key(name) for name in ("leaves", "latest", "nodes", "checkpoints")))
    office.store._remembered.clear()
    while await office.checkpoints.advance() is not None:
        pass


async def cut_off_the_redemption(office: Office, file: CaseFile, before: dict[str, bytes]) -> None:
    """The case as it was before the redemption, with everything that fits together."""
    record = office.store._file(file.case.id)
    await tell(office, "DEL", record)
    await tell(office, "HSET", record, *(part for pair in before.items() for part in pair))
    await rewrite(office, file, (await office.store.audit(file.case.id))[:-1])
    await sign_everything_anew(office)


async def test_a_tail_cut_off_and_signed_anew_shows_only_to_those_who_kept_anchors(
    office: Office, redeemed: tuple[CaseFile, SignedReceipt], records: Records
) -> None:
    file, receipt = redeemed
    newest = await office.checkpoints.newest()
    assert newest is not None
    await cut_off_the_redemption(office, file, records[file.case.id])
    without = await report_of(office)
    assert (without.findings, without.proven_to) == ([], None)
    assert await found(office, kept(office, receipt.receipt)) == {"tail_truncated", "forked"}
    assert await found(office, kept(office, newest.text)) == {"tail_truncated"}


async def test_another_past_signed_anew_is_a_fork(office: Office, redeemed: tuple[CaseFile, SignedReceipt]) -> None:
    file, receipt = redeemed
    newest = await office.checkpoints.newest()
    assert newest is not None
    contents = list(await office.store.audit(file.case.id))
    contents[1] = contents[1].replace(b"invite.issued", b"invite.denied")
    await rewrite(office, file, contents)
    await sign_everything_anew(office)
    await office.case()
    await office.checkpoints.advance()
    assert await found(office) == set()
    assert await found(office, kept(office, newest.text)) == {"forked"}
    assert await found(office, kept(office, receipt.receipt)) == {"forked"}


async def test_a_redemption_that_no_checkpoint_covered_yet_is_anchored_by_its_own_receipt(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    before = await office.store.ledger.record(file.case.id)
    receipt = await office.redemptions.redeem(office.client, token, restate(file, subject))
    assert receipt.claims["checkpoint"] == 0
    assert await found(office, kept(office, receipt.receipt)) == set()
    await cut_off_the_redemption(office, await office.file(file.case.id), before)
    assert await found(office) == set()
    assert await found(office, kept(office, receipt.receipt)) == {"tail_truncated"}


async def test_two_logs_of_one_key_are_told_apart(office: Office, redeemed: object) -> None:
    """A service that shows one history to some and another to others."""
    shown = (await office.checkpoints.get(2)).claims
    other = replace(shown, root="0" * 64)
    text = sign(msgspec.to_builtins(other), key=office.signer("checkpoint"), kind=CHECKPOINT_KIND)
    assert await found(office, kept(office, text)) == {"forked"}


async def test_progress_is_told(office: Office, redeemed: object) -> None:
    told = set[str]()
    keys = read_key_set(json.dumps(office.tokens.jwks()).encode())
    await audit(office.store, expected_keys=keys, progress=lambda what, _: told.add(what))
    assert {"checkpoints", "cases"} <= told


async def test_a_service_that_works_meanwhile_is_no_finding(office: Office, redeemed: object) -> None:
    file, (subject,) = await office.case()

    async def work() -> None:
        for _ in range(10):
            await office.invite(file, subject)
            await office.checkpoints.advance()

    working = asyncio.create_task(work())
    reports = []
    while not working.done():
        reports.append(await report_of(office))
    await working
    assert [report.findings for report in reports if not report.intact] == []
    assert len(reports) > 1


def test_every_finding_is_documented() -> None:
    tree = ast.parse((ROOT / "verify" / "auditing.py").read_text("utf-8"))
    codes = {
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
        for keyword in node.keywords
        if keyword.arg == "code"
    }
    text = (ROOT / "docs" / "audit.md").read_text("utf-8")
    assert len(codes) > 8
    assert sorted(code for code in codes if f"`{code}`" not in text) == []
