from dataclasses import replace

import pytest
from registry_office import VOTE, Office, person

from verify.actions import ACTIONS, MOST_ACTIONS, Action
from verify.errors import VerifyError


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


async def test_a_client_sees_the_statutory_actions_and_its_own(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    assert await office.cases.actions.list(office.client) == (*ACTIONS.values(), VOTE)
    other, _ = await office.clients.create("window 2", mode="live")
    assert await office.cases.actions.list(other) == tuple(ACTIONS.values())
    assert await refusal(office.cases.actions.find(other, VOTE.name)) == "action_unknown"


async def test_registering_again_is_no_error_and_changing_is(office: Office) -> None:
    actions = office.cases.actions
    assert await actions.register(office.client, VOTE) == await actions.register(office.client, VOTE)
    assert await refusal(actions.register(office.client, replace(VOTE, zh="别的事"))) == "action_exists"
    assert await actions.find(office.client, VOTE.name) == VOTE


@pytest.mark.parametrize(
    "name",
    [
        "company.establish",
        "company.dissolve",
        "vote",
        "client",
        "client.",
        "client.Vote",
        "client..x",
        "clients.x",
        "x" * 70,
    ],
)
async def test_an_action_cannot_pass_for_a_statutory_one(office: Office, name: str) -> None:
    assert await refusal(office.cases.actions.register(office.client, replace(VOTE, name=name))) == "action_invalid"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"zh": "同意\n并转让"}, "text_invalid"),
        ({"en": ""}, "text_invalid"),
        ({"en": "x" * 61}, "text_invalid"),
        ({"roles": {"shareholder": ("王", "king")}}, "action_invalid"),
        ({"roles": {"King": ("王", "king")}}, "action_invalid"),
        ({"roles": {"king": ("王", "king\u202e")}}, "text_invalid"),
        ({"roles": {f"role_{number}": ("王", "king") for number in range(21)}}, "action_invalid"),
        ({"required": {"king": 1}}, "action_invalid"),
        ({"required": {"shareholder": 0}}, "action_invalid"),
    ],
)
async def test_an_action_that_cannot_be_is_refused(office: Office, changes: dict[str, object], code: str) -> None:
    assert await refusal(office.cases.actions.register(office.client, replace(VOTE, **changes))) == code


async def test_a_client_cannot_fill_the_store_with_actions(office: Office) -> None:
    for number in range(MOST_ACTIONS):
        await office.cases.actions.register(office.client, Action(name=f"client.a{number}", zh="办理", en="do"))
    more = Action(name="client.more", zh="办理", en="do")
    assert await refusal(office.cases.actions.register(office.client, more)) == "actions_exhausted"
    again = Action(name="client.a0", zh="办理", en="do")
    assert await office.cases.actions.register(office.client, again) == again


async def test_a_case_needs_the_roles_that_its_action_requires(office: Office) -> None:
    await office.cases.actions.register(office.client, replace(VOTE, required={"observer": 1, "shareholder": 2}))
    people = (person(0), person(1))
    assert await refusal(office.case(action=VOTE.name, subjects=people)) == "required_role_missing"
    file, _ = await office.case(action=VOTE.name, subjects=(*people, person(2, role="observer")))
    assert [subject.role_words for subject in file.roster.values()] == [None, None, ("观察员", "observer")]


async def test_a_role_of_one_action_is_none_of_another(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    assert await refusal(office.case(subjects=(person(role="observer"),))) == "roster_invalid"
