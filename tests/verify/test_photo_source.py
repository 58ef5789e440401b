from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import pytest
from registry_office import FACELESS, Office, agreement, filing, person, photo, resident

from verify.casefile import ReferenceState
from verify.cases import NewCase
from verify.clients import Client
from verify.connection import Command, unwatched
from verify.errors import Invalid, Unavailable, VerifyError
from verify.invites import Invites
from verify.photo_source import NoPhotoError, PhotoDelayedError, Sought

NAME = "张三丰"
HELD = {"photo": None, "provenance": None, "from_authority": True}
PICTURE = photo((1, 100, 200))


@dataclass
class Register:
    """An authority: photos by number and name. `down` while it does not answer."""

    photos: Mapping[tuple[str, str], bytes]
    down: bool = False
    asked: list[Sought] = field(default_factory=list)

    async def fetch(self, sought: Sought) -> bytes:
        self.asked.append(sought)
        if self.down:
            raise PhotoDelayedError("no answer", retry_after=7.0)
        try:
            return self.photos[sought.id_number, sought.name]
        except KeyError:
            raise NoPhotoError from None


@pytest.fixture
def register() -> Register:
    return Register({(resident(0).number, NAME): PICTURE, (resident(1).number, NAME): photo((2, 100, 200))})


@pytest.fixture
def served(office: Office, register: Register) -> Office:
    """The office with an authority."""
    return replace(
        office,
        cases=replace(office.cases, authority=True),
        amendments=replace(office.amendments, cases=replace(office.cases, authority=True)),
        invites=replace(office.invites, photos=register),
    )


def held(number: int = 0, **changes: object) -> NewCase:
    return filing(subjects=(person(number, **{**HELD, **changes}),))


async def opened(office: Office, new: NewCase) -> tuple[str, str]:
    """Ids of a case and of its first subject."""
    file = (await office.cases.open(office.client, new)).file
    return file.case.id, next(iter(file.subjects))


@contextmanager
def noting(office: Office, trips: list[list[str]]) -> Iterator[None]:
    """Note the commands of each round trip to the store."""

    def watch(commands: Sequence[Command]) -> AbstractContextManager[None]:
        trips.append([str(command[0]) for command in commands])
        return nullcontext()

    office.store._connection.watch = watch
    try:
        yield
    finally:
        office.store._connection.watch = unwatched


async def code_of(office: Office, case: str, subject: str) -> str:
    return (await office.invites.issue(office.client, case, subject)).code


async def refusal(work: object) -> VerifyError:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value


async def events(office: Office, case: str) -> list[str]:
    return [notice.type for notice in await office.store.notices(case)]


async def test_the_photo_is_fetched_after_consent_and_only_the_template_stays(
    served: Office, register: Register
) -> None:
    case, subject = await opened(served, held())
    before = (await served.file(case)).subjects[subject]
    assert before.reference_state is ReferenceState.AWAITED
    assert resident(0).number.encode() not in before.id_sealed
    code = await code_of(served, case, subject)
    await served.invites.inspect(code)
    assert register.asked == []
    await served.agree(code)
    after = (await served.file(case)).subjects[subject]
    assert register.asked == [Sought(id_type="cn_resident_id", id_number=resident(0).number, name=NAME)]
    assert (after.reference_state, after.id_sealed, after.provenance) == (ReferenceState.TEMPLATE, b"", "authority")
    sealed = await served.store.blob(case, f"reference:{subject}")
    assert sealed is not None
    assert PICTURE not in sealed
    entries = b"".join(await served.store.audit(case))
    assert entries.index(b"consent.given") < entries.index(b"reference.fetched")


async def test_whoever_is_on_such_a_photo_verifies(served: Office) -> None:
    case, subject = await opened(served, held())
    await served.verify(await served.file(case), subject)
    assert (await served.cases.get(served.client, case)).standings[subject].value == "verified"


async def test_who_declines_is_not_looked_up(served: Office, register: Register) -> None:
    case, subject = await opened(served, held())
    code = await code_of(served, case, subject)
    await served.invites.consent(code, agreement(await served.invites.inspect(code), agreed=False))
    assert register.asked == []
    assert (await served.file(case)).subjects[subject].id_sealed == b""


@pytest.mark.parametrize("new", [held(5), held(0, name="张三")], ids=["no such number", "another name"])
async def test_an_unknown_number_and_another_name_cannot_be_told_apart(served: Office, new: NewCase) -> None:
    case, subject = await opened(served, new)
    code = await code_of(served, case, subject)
    found = await refusal(served.agree(code))
    assert (found.code, "not_on_record" in str(found)) == ("reference_unusable", True)
    after = (await served.file(case)).subjects[subject]
    assert (after.reference_state, after.reference_reason) == (ReferenceState.UNUSABLE, "not_on_record")
    assert after.id_sealed == b""
    assert (await events(served, case))[-1] == "reference.unusable"


async def test_what_is_not_on_record_takes_the_same_steps_whatever_the_reason(
    served: Office, register: Register
) -> None:
    """Equal work, told by what the store and the authority are asked: no time tells which numbers exist."""
    steps = []
    for new in (held(6), held(5), held(0, name="张三")):  # the first one loads the store's scripts
        case, subject = await opened(served, new)
        code = await code_of(served, case, subject)
        asked: list[list[str]] = []
        register.asked.clear()
        with noting(served, asked):
            await refusal(served.agree(code))
        steps.append((asked, len(register.asked)))
    assert steps[1] == steps[2]
    assert steps[1][0]
    assert steps[1][1] == 1


async def test_a_photo_without_a_face_is_unusable(served: Office, register: Register) -> None:
    register.photos = {(resident(0).number, NAME): photo(FACELESS)}
    case, subject = await opened(served, held())
    found = await refusal(served.agree(await code_of(served, case, subject)))
    assert found.code == "reference_unusable"
    assert (await served.file(case)).subjects[subject].reference_reason == "face_none"


async def test_while_the_authority_is_down_the_link_waits_and_the_client_hears_of_it_once(
    served: Office, register: Register
) -> None:
    case, subject = await opened(served, held())
    code = await code_of(served, case, subject)
    register.down = True
    assert (await served.agree(code)).state.value == "consented"
    for _ in range(2):
        found = await refusal(served.invites.exchange(code))
        assert isinstance(found, Unavailable)
        assert (found.code, found.retry_after) == ("reference_delayed", 7.0)
    assert (await events(served, case)).count("reference.delayed") == 1
    waiting = (await served.file(case)).subjects[subject]
    assert (waiting.reference_state, waiting.reference_reason) == (ReferenceState.AWAITED, "authority_delayed")
    register.down = False
    assert (await served.invites.exchange(code)).attempts_left == 3
    ready = (await served.file(case)).subjects[subject]
    assert (ready.reference_state, ready.reference_reason) == (ReferenceState.TEMPLATE, None)


async def test_a_person_who_is_replaced_is_looked_up_anew(served: Office, register: Register) -> None:
    case, subject = await opened(served, held())
    await served.agree(await code_of(served, case, subject))
    await served.amendments.replace(served.client, case, subject, person(1, **HELD))
    replaced = (await served.file(case)).subjects[subject]
    assert (replaced.reference_state, replaced.reference_version) == (ReferenceState.AWAITED, 2)
    assert await served.store.blob(case, f"reference:{subject}") is None
    await served.agree(await code_of(served, case, subject))
    assert [sought.id_number for sought in register.asked] == [resident(0).number, resident(1).number]


async def test_an_answer_for_somebody_who_was_replaced_meanwhile_is_dropped(served: Office, register: Register) -> None:
    case, subject = await opened(served, held())
    code = await code_of(served, case, subject)

    class Slow(Register):
        async def fetch(self, _: Sought) -> bytes:
            await served.amendments.replace(served.client, case, subject, person(1, **HELD))
            return PICTURE

    slow: Invites = replace(served.invites, photos=Slow({}))
    await slow.consent(code, agreement(await slow.inspect(code)))
    after = (await served.file(case)).subjects[subject]
    assert (after.reference_state, after.reference_version) == (ReferenceState.AWAITED, 2)
    assert (await refusal(slow.exchange(code))).code == "invite_revoked"


async def test_an_erased_person_has_no_number_left(served: Office) -> None:
    case, subject = await opened(served, held())
    await served.erasures.erase_subject(case, subject, actor="operator")
    assert (await served.file(case)).subjects[subject].id_sealed == b""


async def test_without_an_authority_the_client_must_send_the_photo(office: Office) -> None:
    with pytest.raises(Invalid) as caught:
        await office.cases.open(office.client, held())
    assert caught.value.code == "authority_not_configured"


async def test_no_register_is_asked_for_cases_of_test_mode(served: Office, register: Register) -> None:
    client: Client = (await served.clients.create("trial", mode="test"))[0]
    file = (await served.cases.open(client, held())).file
    code = (await served.invites.issue(client, file.case.id, next(iter(file.subjects)))).code
    assert (await refusal(served.agree(code))).code == "reference_unusable"
    assert register.asked == []
