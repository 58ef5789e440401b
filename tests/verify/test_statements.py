from hashlib import sha256

import pytest
from registry_office import CREDIT_CODE, ESTABLISHMENT, VOTE, Office, holding, person

from verify.actions import ACTIONS, ROLES
from verify.casefile import Details, Language, Money
from verify.errors import VerifyError
from verify.statements import CONSENT, CONSENTS, confirmed_statement, intent_sha256, intent_statement

FULL = Details(
    company_name="上海示例科技有限公司",
    registered_capital=Money(amount="5000000", currency="CNY"),
    counterparty="Ada King",
)


async def statements(office: Office, **changes: object) -> list[tuple[str, str]]:
    file, people = await office.case(**changes)
    found = (intent_statement(file.case, file.subjects[key]) for key in people)
    return [(statement.zh, statement.en) for statement in found]


def said(text: str) -> str:
    """A statement without the line of the digest."""
    return text.partition("\n")[0]


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_statement_names_role_action_and_document_in_both_languages(office: Office, action: str) -> None:
    people = tuple(person(number, role=role) for number, role in enumerate(ROLES))
    file, subjects = await office.case(action=action, subjects=people)
    for key in subjects:
        statement, role = intent_statement(file.case, file.subjects[key]), ROLES[file.subjects[key].role]
        for text in (ACTIONS[action].zh, role[0], file.case.document_sha256):
            assert text in statement.zh
        for text in (ACTIONS[action].en, role[1], file.case.document_sha256):
            assert text in statement.en


@pytest.mark.parametrize("action", ACTIONS)
async def test_every_field_that_was_given_is_in_every_statement(office: Office, action: str) -> None:
    people = tuple(person(number, role=role) for number, role in enumerate(ROLES))
    people = (person(0, share_percent="33.333333"), *people[1:])
    found = await statements(office, action=action, subjects=people, details=FULL)
    for zh, en in found:
        for text in ("“上海示例科技有限公司”", "人民币5,000,000元", "“Ada King”"):
            assert text in zh
        for text in ("“上海示例科技有限公司”", "CNY 5,000,000", "“Ada King”"):
            assert text in en
    assert "33.333333%" in found[0][0]
    assert "33.333333 %" in found[0][1]


async def test_a_founder_agrees_to_become_a_shareholder_with_a_share(office: Office) -> None:
    people = tuple(person(number, role=role) for number, role in enumerate(ESTABLISHMENT))
    people = (person(0, share_percent="30"), *people[1:])
    details = Details(company_name="示例公司")
    found = await statements(office, action="company.establish", subjects=people, details=details)
    assert said(found[0][0]).endswith("本人同意成为“示例公司”的股东，持股比例为30%。")
    assert said(found[0][1]).endswith("I agree to become a shareholder of “示例公司” with 30 %.")
    assert said(found[1][1]).endswith("I agree to serve as legal representative of “示例公司”.")


async def test_who_signs_for_an_organisation_says_so(office: Office) -> None:
    ((zh, en),) = await statements(
        office, subjects=(person(signs_for=CREDIT_CODE),), organisations=(holding(),), details=FULL
    )
    assert zh.startswith(f"我代表股东“{holding().name}”（统一社会信用代码 {CREDIT_CODE}）")
    assert "该组织真实意愿" in zh
    assert en.startswith(f"On behalf of shareholder “{holding().name}” (unified social credit code {CREDIT_CODE}) I")


async def test_a_clients_words_are_shown_as_the_clients(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    ((zh, en),) = await statements(office, action=VOTE.name, subjects=(person(role="observer"),))
    assert "我以观察员身份，就“表决章程修正案”（由window 1描述）事项" in zh
    assert "do what window 1 describes as “vote on the amendment”" in en


@pytest.mark.parametrize(
    "changes",
    [
        {"document_sha256": "0" * 64},
        {"details": Details(company_name="别的公司")},
        {"details": Details(registered_capital=Money(amount="1", currency="USD"))},
        {"details": Details(counterparty="别人")},
        {"subjects": (person(share_percent="1"),)},
        {"action": "share.transfer"},
        {"subjects": (person(signs_for=CREDIT_CODE),), "organisations": (holding(),)},
    ],
)
async def test_another_content_is_another_intent(office: Office, changes: dict[str, object]) -> None:
    one, (first, *_) = await office.case()
    other, (second, *_) = await office.case(**changes)
    assert intent_sha256(one.case, one.subjects[first]) != intent_sha256(other.case, other.subjects[second])


async def test_the_digest_is_the_last_line_and_chinese_has_chinese_marks(office: Office) -> None:
    people = (person(0, share_percent="30"), person(1, role="agent"))
    for zh, en in await statements(office, subjects=people, details=FULL):
        digest = zh[-64:]
        assert zh.endswith(f"。\n文件摘要（SHA-256）：{digest}")
        assert en.endswith(f".\nDocument digest (SHA-256): {digest}")
        assert not set(said(zh).replace("5,000,000", "")) & set(",:;()")


@pytest.mark.parametrize("version", ["2026-11", "2026-11.2"])
async def test_what_was_confirmed_before_is_read_as_it_was(office: Office, version: str) -> None:
    subject = person(signs_for=CREDIT_CODE, share_percent=None)
    file, (key, *_) = await office.case(subjects=(subject,), organisations=(holding(),), details=FULL)
    now = intent_statement(file.case, file.subjects[key])
    before = intent_statement(file.case, file.subjects[key], version=version)
    digest = file.case.document_sha256
    assert before.zh.startswith(f"我代表股东“{holding().name}”(统一社会信用代码 {CREDIT_CODE}),就“增加注册资本”")
    assert f"事项(文件摘要 {digest})确认该组织真实意愿,并同意提交登记。" in before.zh
    assert before.zh.endswith("所填事项:交易对方“Ada King”。")
    assert f"(document digest {digest}) and agree to its filing." in before.en
    hashes = [sha256(f"{each.zh}\n{each.en}".encode()).hexdigest() for each in (now, before)]
    found = [confirmed_statement(file.case, file.subjects[key], each) for each in (*hashes, None, "0" * 64)]
    assert [each.zh for each in found] == [now.zh, before.zh, now.zh, now.zh]


TEXTS_FOR_GOOD = {
    ("2026-11", "zh"): "5129c7ad6abc09e6edf43abf940493fbac6a704a36f8fee4bc9cb223f25c7ce2",
    ("2026-11", "en"): "797c277a4e9a03709d5cef8495e441233d5f3d20ab03a6e68751d13926385f93",
    ("2026-11.2", "zh"): "541752bf5497873f316274ddff60dbfef7f65ad348410bc588593cd164b4bf68",
    ("2026-11.2", "en"): "23e88bc080c487709833be660c8b9aaff27114f8e0291c69ceafde1841751bba",
    ("2026-11.3", "zh"): "29b7c19e409fb1aef97b1ae4d2e24f7c3e2f236822f916f998cffefea4f7f60d",
    ("2026-11.3", "en"): "23e88bc080c487709833be660c8b9aaff27114f8e0291c69ceafde1841751bba",
}


def test_texts_of_consent_are_never_changed_only_followed() -> None:
    languages: tuple[Language, ...] = ("zh", "en")
    assert {
        (each.version, side): each.sha256(side) for each in CONSENTS.values() for side in languages
    } == TEXTS_FOR_GOOD
    assert CONSENT.version == "2026-11.3"


@pytest.mark.parametrize(
    "details", [Details(company_name="公司”,并同意"), Details(counterparty="a\u202eb"), Details(company_name="")]
)
async def test_text_that_could_imitate_the_statement_is_refused(office: Office, details: Details) -> None:
    with pytest.raises(VerifyError) as caught:
        await office.case(details=details)
    assert caught.value.code == "text_invalid"
