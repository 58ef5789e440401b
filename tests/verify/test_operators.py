"""Operators look into the service with keys of their own, and what they look at is written down."""

import json
import secrets

import pytest
from registry_office import ClockedStore, Office

from verify.audit import AuditEntry, verify_chain
from verify.auditing import AuditReport, audit
from verify.errors import Limited, VerifyError
from verify.jose import read_key_set
from verify.operators import OPERATORS_CHAIN, SESSION_SECONDS, WRONG_KEYS, Operator, Operators

HERE = "192.0.2.1"


@pytest.fixture
def operators(clocked_store: ClockedStore) -> Operators:
    return Operators(clocked_store, secrets.token_bytes)


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def entries(store: ClockedStore) -> tuple[AuditEntry, ...]:
    leaf = (await store.ledger.heads((OPERATORS_CHAIN,)))[OPERATORS_CHAIN]
    return verify_chain(await store.audit(OPERATORS_CHAIN), expected_head=leaf.head)


async def test_a_key_opens_a_session_for_an_hour(operators: Operators, clocked_store: ClockedStore) -> None:
    made, key = await operators.create("Li 1", role="viewer")
    secret = await operators.sign_in(key, address=HERE)
    session = await operators.session(secret)
    assert session is not None
    assert session.operator == made
    clocked_store.advance(SESSION_SECONDS - 1)
    assert await operators.session(secret) is not None
    clocked_store.advance(SESSION_SECONDS + 1)
    assert await operators.session(secret) is None


async def test_neither_keys_nor_session_secrets_are_stored(operators: Operators, clocked_store: ClockedStore) -> None:
    _, key = await operators.create("Li 1", role="viewer")
    secret = await operators.sign_in(key, address=HERE)
    names = [name async for name in clocked_store._connection.matching(f"{clocked_store._prefix}:*", page=100)]
    assert [name for name in names if key in name or secret in name] == []
    stored = [await clocked_store._connection.ask("DUMP", name) for name in names]
    assert [content for content in stored if key.encode() in content or secret.encode() in content] == []


async def test_signing_out_and_revoking_end_sessions_at_once(operators: Operators) -> None:
    made, key = await operators.create("Li 1", role="viewer")
    first, second = await operators.sign_in(key, address=HERE), await operators.sign_in(key, address=HERE)
    await operators.sign_out(first)
    assert await operators.session(first) is None
    assert await operators.session(second) is not None
    assert (await operators.revoke(made.id)).revoked
    assert await operators.session(second) is None
    assert await refusal(operators.sign_in(key, address=HERE)) == "operator_key_invalid"


async def test_what_is_wrong_with_a_key_is_not_said(operators: Operators) -> None:
    made, key = await operators.create("Li 1", role="viewer")
    await operators.revoke(made.id)
    said = set()
    for wrong in (key, "hk_operator_" + "A" * 43, "", "钥匙"):
        with pytest.raises(VerifyError) as caught:
            await operators.sign_in(wrong, address=HERE)
        said.add((caught.value.code, str(caught.value)))
    assert len(said) == 1


async def test_wrong_keys_are_limited_by_address_whatever_comes_next(operators: Operators) -> None:
    _, key = await operators.create("Li 1", role="viewer")
    for _ in range(WRONG_KEYS):
        assert await refusal(operators.sign_in("wrong", address=HERE)) == "operator_key_invalid"
    for tried in ("wrong", key):
        with pytest.raises(Limited) as caught:
            await operators.sign_in(tried, address=HERE)
        assert (caught.value.code, 0 < caught.value.retry_after <= 60) == ("keys_too_fast", True)
    assert await operators.sign_in(key, address="192.0.2.2")


async def test_a_good_key_clears_the_count(operators: Operators) -> None:
    _, key = await operators.create("Li 1", role="viewer")
    for _ in range(3):
        for _ in range(WRONG_KEYS - 1):
            await refusal(operators.sign_in("wrong", address=HERE))
        assert await operators.sign_in(key, address=HERE)


@pytest.mark.parametrize(
    ("name", "role", "code"),
    [
        ("", "viewer", "operator_name_invalid"),
        ("a" * 65, "viewer", "operator_name_invalid"),
        ("<b>", "viewer", "operator_name_invalid"),
        ("Li 1", "root", "operator_role_unknown"),
    ],
)
async def test_names_and_roles_are_checked(operators: Operators, name: str, role: str, code: str) -> None:
    assert await refusal(operators.create(name, role=role)) == code
    assert await operators.list() == ()


async def test_an_unknown_operator_cannot_be_revoked(operators: Operators) -> None:
    assert await refusal(operators.revoke("opr_none")) == "operator_unknown"


async def test_operators_are_listed_oldest_first(operators: Operators, clocked_store: ClockedStore) -> None:
    first, _ = await operators.create("Li 1", role="viewer")
    clocked_store.advance(1)
    second, _ = await operators.create("Li 2", role="auditor")
    assert await operators.list() == (first, second)


async def test_what_an_operator_does_is_a_chain_of_its_own(operators: Operators, clocked_store: ClockedStore) -> None:
    made, key = await operators.create("Li 1", role="auditor")
    secret = await operators.sign_in(key, address=HERE)
    await operators.record(made, "operator.looked", {"case": "case_aaaaaaaaaaaaaaaa"})
    await operators.sign_out(secret)
    await operators.sign_out(secret)
    found = await entries(clocked_store)
    assert [(each.event, each.actor, each.details) for each in found] == [
        ("operator.signed_in", f"operator:{made.id}", {"role": "auditor"}),
        ("operator.looked", f"operator:{made.id}", {"case": "case_aaaaaaaaaaaaaaaa"}),
        ("operator.signed_out", f"operator:{made.id}", {}),
    ]


async def looked(office: Office) -> Operator:
    operators = Operators(office.store, secrets.token_bytes)
    made, key = await operators.create("Li 1", role="auditor")
    await operators.sign_in(key, address=HERE)
    for _ in range(3):
        await operators.record(made, "operator.looked", {"case": "case_aaaaaaaaaaaaaaaa"})
    return made


async def audited(office: Office) -> AuditReport:
    keys = read_key_set(json.dumps(office.tokens.jwks()).encode())
    return await audit(office.store, expected_keys=keys)


async def test_checkpoints_cover_what_operators_did(office: Office) -> None:
    await office.case()
    await looked(office)
    await office.erasures.keep_clock(await office.store.ledger.marked(limit=10))
    await office.checkpoints.advance()
    leaf = (await office.store.ledger.latest((OPERATORS_CHAIN,)))[OPERATORS_CHAIN].leaf
    assert leaf.entries == 4
    report = await audited(office)
    assert (report.findings, report.cases) == ([], 1)


@pytest.mark.parametrize(
    ("command", "code"),
    [(("LSET", 1, "{}"), "entry_changed"), (("LTRIM", 0, 1), "entry_changed"), (("DEL",), "entry_changed")],
)
async def test_a_look_cannot_be_taken_back(office: Office, command: tuple[str | int, ...], code: str) -> None:
    await looked(office)
    await office.checkpoints.advance()
    name, *arguments = command
    await office.store._connection.ask(name, office.store._audit(OPERATORS_CHAIN), *arguments)
    assert {finding.code for finding in (await audited(office)).findings} == {code}


async def test_a_chain_that_was_deleted_with_its_head_is_missed(office: Office) -> None:
    await looked(office)
    await office.checkpoints.advance()
    for key in (office.store._audit(OPERATORS_CHAIN), office.store._file(OPERATORS_CHAIN)):
        await office.store._connection.ask("DEL", key)
    assert {finding.code for finding in (await audited(office)).findings} == {"entries_truncated"}
