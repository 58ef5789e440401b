import pytest
from registry_office import CREDIT_CODE, VOTE, Office, holding, person, photo

from verify.casefile import Rule
from verify.enrolment import NewSubject
from verify.errors import VerifyError
from verify.identity_documents import IdentityDocument


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


SIGNER = person(1, signs_for=CREDIT_CODE)


async def test_an_organisation_is_on_the_roster_and_a_person_signs_for_it(office: Office) -> None:
    owner = holding(share_percent="60.50")
    file, (own, signing) = await office.case(subjects=(person(0, share_percent="39.5"), SIGNER), organisations=(owner,))
    (organisation,) = file.organisations.values()
    assert (organisation.name, organisation.share_percent) == (owner.name, "60.5")
    assert file.subjects[own].on_behalf_of is None
    assert file.subjects[signing].on_behalf_of.id == CREDIT_CODE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subjects": (person(share_percent="60"), person(1, share_percent="40.000001"))}, "share_invalid"),
        ({"subjects": (person(share_percent="0"),)}, "share_invalid"),
        ({"subjects": (person(), person(1, role="director", share_percent="5"))}, "share_invalid"),
        ({"subjects": (person(), SIGNER)}, "roster_invalid"),
        ({"subjects": (person(), person(1, signs_for="x")), "organisations": (holding(),)}, "credit_code_invalid"),
        (
            {"subjects": (person(0, signs_for=CREDIT_CODE, share_percent="5"),), "organisations": (holding(),)},
            "roster_invalid",
        ),
        (
            {"subjects": (person(), person(1, role="director", signs_for=CREDIT_CODE)), "organisations": (holding(),)},
            "roster_invalid",
        ),
        ({"subjects": (SIGNER,), "organisations": (holding(), holding())}, "roster_invalid"),
        ({"subjects": (SIGNER,), "organisations": (holding(credit_code="91310000775785552M"),)}, "credit_code_invalid"),
        ({"subjects": (SIGNER,), "organisations": (holding(name="公司\u202e"),)}, "text_invalid"),
        ({"subjects": (SIGNER,), "organisations": (holding(role="king"),)}, "roster_invalid"),
        ({"subjects": (person(), person())}, "roster_invalid"),
        ({"subjects": (person(name="张三\n李四"),)}, "text_invalid"),
        ({"subjects": (person(photo=None),)}, "reference_missing"),
        ({"subjects": (person(),), "organisations": (holding(),)}, "roster_invalid"),
    ],
)
async def test_a_roster_that_cannot_be_is_refused(office: Office, changes: dict[str, object], code: str) -> None:
    assert await refusal(office.case(**changes)) == code


async def test_one_person_may_stand_in_several_roles_and_for_others(office: Office) -> None:
    people = (person(), person(role="legal_representative"), person(signs_for=CREDIT_CODE))
    file, _ = await office.case(subjects=people, organisations=(holding(),))
    assert len({subject.id_hash for subject in file.roster.values()}) == 1
    assert len(file.roster) == 3


def traveller(state: str | None = None, number: str = "E12345678", **changes: object) -> NewSubject:
    return person(document=IdentityDocument(type="passport", number=number, issuing_state=state), **changes)


@pytest.mark.parametrize(("first", "second", "bare"), [(None, "CHN", 2), ("CHN", None, 3)])
@pytest.mark.parametrize("role", ["shareholder", "director"])
async def test_one_passport_is_not_two_people(
    office: Office, first: str | None, second: str | None, bare: int, role: str
) -> None:
    """Test of the number: with the state and without it one person would count as two of `k`, or stand twice."""
    await office.cases.actions.register(office.client, VOTE)
    people = (person(), traveller(first), traveller(second, "e 1234 5678", role=role))
    with pytest.raises(VerifyError, match=f"person {bare} .* without .*, and person {5 - bare} ") as refused:
        await office.case(subjects=people, action=VOTE.name, rule=Rule(kind="k_of_n", k=3))
    assert refused.value.code == "passport_state_missing"
    assert "12345678" not in str(refused.value)


@pytest.mark.parametrize(("here", "new"), [(None, "CHN"), ("CHN", None)])
async def test_nobody_comes_on_a_roster_with_or_without_the_state_of_somebody_there(
    office: Office, here: str | None, new: str | None
) -> None:
    file, (_, other) = await office.case(subjects=(traveller(here), person(1)))
    ambiguous = traveller(new, role="director", photo=photo((7, 7, 7)))
    assert await refusal(office.amendments.add(office.client, file.case.id, ambiguous)) == "passport_state_missing"
    replaced = office.amendments.replace(office.client, file.case.id, other, ambiguous)
    assert await refusal(replaced) == "passport_state_missing"
    assert await office.file(file.case.id) == file


async def test_with_their_states_passports_of_one_number_are_told_apart(office: Office) -> None:
    file, _ = await office.case(subjects=(traveller("CHN"), traveller("UTO")))
    assert len({subject.person for subject in file.roster.values()}) == 2
    one = (traveller("CHN"), traveller("CHN", role="director"), traveller("UTO"))
    file, _ = await office.case(subjects=one)
    assert len({subject.person for subject in file.roster.values()}) == 2
    file, _ = await office.case(subjects=(traveller(), traveller(role="director")))
    assert len({subject.person for subject in file.roster.values()}) == 1
    assert await refusal(office.case(subjects=(traveller("CHN"), traveller("CHN")))) == "roster_invalid"


async def test_a_roster_is_mended_by_naming_the_state_first(office: Office) -> None:
    file, (place,) = await office.case(subjects=(traveller(),))
    newcomer = traveller("UTO", role="director")
    assert await refusal(office.amendments.add(office.client, file.case.id, newcomer)) == "passport_state_missing"
    await office.amendments.replace(office.client, file.case.id, place, traveller("CHN"))
    view = await office.amendments.add(office.client, file.case.id, newcomer)
    assert len(view.file.roster) == 2


async def test_a_passport_that_is_sent_again_as_it_was_touches_nobody(office: Office) -> None:
    """Test of records from before: they lack the hash by which a state that is missing elsewhere is found."""
    file, (place,) = await office.case(subjects=(traveller("CHN"),))
    key = office.store._file(file.case.id)
    stored = await office.store._connection.ask("HGET", key, f"subject:{place}")
    hashed = f',"stateless_hash":"{file.subjects[place].stateless_hash}"'.encode()
    assert hashed in stored
    await office.store._connection.ask("HSET", key, f"subject:{place}", stored.replace(hashed, b""))
    office.store._remembered.clear()
    same = traveller("CHN", photo=None, provenance=None)
    view = await office.amendments.replace(office.client, file.case.id, place, same)
    assert view.file.case.roster_version == 1
