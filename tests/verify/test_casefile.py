from registry_office import CONVINCING, Office, restate

from verify.casefile import changed_fields, decode_file


async def test_a_case_file_comes_back_from_its_fields(office: Office) -> None:
    file, (subject,) = await office.case()
    token = await office.verified_token(file, subject)
    await office.redemptions.redeem(office.client, token, restate(file, subject))
    full = await office.file(file.case.id)
    fields = {**changed_fields(None, full), "head": full.head.encode(), "entries": str(full.entries).encode()}
    assert decode_file(fields) == full


async def test_only_what_changed_is_written(office: Office) -> None:
    file, people = await office.case(3)
    await office.sessions.finish(await office.claim(file, people[1]), CONVINCING)
    after = await office.file(file.case.id)
    changed = changed_fields(file, after)
    assert f"subject:{people[1]}" in changed
    assert f"subject:{people[0]}" not in changed
    assert changed_fields(after, after) == {}
