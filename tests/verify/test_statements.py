import pytest
from registry_office import CREDIT_CODE, ESTABLISHMENT, VOTE, Office, holding, person

from verify.actions import ACTIONS, ROLES
from verify.casefile import Details, Money
from verify.errors import VerifyError
from verify.statements import intent_sha256, intent_statement

FULL = Details(
    company_name="上海示例科技有限公司",
    registered_capital=Money(amount="5000000", currency="CNY"),
    counterparty="Ada King",
)


async def statements(office: Office, **changes: object) -> list[tuple[str, str]]:
    file, people = await office.case(**changes)
    found = (intent_statement(file.case, file.subjects[key]) for key in people)
    return [(statement.zh, statement.en) for statement in found]


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
    assert found[0][0].endswith("本人同意成为“示例公司”的股东,持股比例为30%。")
    assert found[0][1].endswith("I agree to become a shareholder of “示例公司” with 30 %.")
    assert found[1][1].endswith("I agree to serve as legal representative of “示例公司”.")


async def test_who_signs_for_an_organisation_says_so(office: Office) -> None:
    ((zh, en),) = await statements(
        office, subjects=(person(signs_for=CREDIT_CODE),), organisations=(holding(),), details=FULL
    )
    assert zh.startswith(f"我代表股东“{holding().name}”(统一社会信用代码 {CREDIT_CODE})")
    assert "该组织真实意愿" in zh
    assert en.startswith(f"On behalf of shareholder “{holding().name}” (unified social credit code {CREDIT_CODE}) I")


async def test_a_clients_words_are_shown_as_the_clients(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    ((zh, en),) = await statements(office, action=VOTE.name, subjects=(person(role="observer"),))
    assert "我以观察员身份,就“表决章程修正案”(由window 1描述)事项" in zh
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


@pytest.mark.parametrize(
    "details", [Details(company_name="公司”,并同意"), Details(counterparty="a\u202eb"), Details(company_name="")]
)
async def test_text_that_could_imitate_the_statement_is_refused(office: Office, details: Details) -> None:
    with pytest.raises(VerifyError) as caught:
        await office.case(details=details)
    assert caught.value.code == "text_invalid"
