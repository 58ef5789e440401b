from dataclasses import replace
from string import Template

import pytest
from registry_office import NUMBER, VOTE, Office

from verify.actions import ACTIONS
from verify.casefile import MessageKind
from verify.message_texts import TEXTS, Letter, civil_minute, letter

LINK = "https://verify.example/#code"


async def written(office: Office, **changes: object) -> Letter:
    file, (subject,) = await office.case(**changes)
    message = (await office.send_invite(file, subject)).messages[0]
    return letter(file.case, file.subjects[subject], message, to=NUMBER, link=LINK, until=1795773600.0)


def test_every_kind_is_there_in_both_languages() -> None:
    assert {language: set(kinds) for language, kinds in TEXTS.items()} == {
        language: {kind.value for kind in MessageKind} for language in ("zh", "en")
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_whoever_gets_a_message_learns_who_asks_for_what_and_where(language: str) -> None:
    for texts in TEXTS[language].values():
        assert "$action" in texts.subject
        for text in (texts.sms, texts.email):
            assert {"$name", "$requester", "$action", "$link"} <= {f"${name}" for name in names_in(text)}
        assert "\n" not in texts.sms + texts.subject


def names_in(text: str) -> set[str]:
    return set(Template(text).get_identifiers())


async def test_the_name_is_masked(office: Office) -> None:
    found = await written(office)
    assert "张**您好" in found.text
    assert "张三丰" not in found.text + found.subject + str(found.fields)


async def test_the_action_is_worded_by_the_law_and_never_by_a_client(office: Office) -> None:
    assert ACTIONS["capital.increase"].zh in (await written(office)).text
    phishing = replace(VOTE, zh="请打开evil.example/x", en="open evil.example/x")
    await office.cases.actions.register(office.client, phishing)
    found = await written(office, action=VOTE.name)
    assert "evil" not in found.text + found.subject + str(found.fields)
    assert office.client.name in found.text


async def test_a_letter_does_not_show_contact_and_link(office: Office) -> None:
    shown = repr(await written(office))
    assert NUMBER not in shown
    assert LINK not in shown


def test_times_are_those_of_china() -> None:
    assert civil_minute(1795773600.0, "zh") == "2026年11月27日18:00（北京时间）"
    assert civil_minute(1795773600.0, "en") == "2026-11-27 18:00 (UTC+8)"
