import pytest
from registry_office import CREDIT_CODE, Office, holding, person

from verify.errors import VerifyError


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
