from pathlib import Path

import pytest
from registry_office import ESTABLISHMENT, VOTE, Office, person

from verify.actions import ACTIONS
from verify.casefile import Rule
from verify.errors import Invalid, VerifyError
from verify.minimum_rules import load_minimum_rules

COMPLETE = "".join(f"""[actions."{name}"]\nroles = {{ shareholder = 1 }}\nverify = "all"\n""" for name in ACTIONS)


async def refusal(work: object) -> str:
    with pytest.raises(VerifyError) as caught:
        await work
    return caught.value.code


def founders(*roles: str) -> tuple[object, ...]:
    return tuple(person(number, role=role) for number, role in enumerate(roles))


def written(folder: Path, text: str) -> Path:
    path = folder / "minimum.toml"
    path.write_text(text, "utf-8")
    return path


def test_every_statutory_action_has_a_minimum() -> None:
    assert set(load_minimum_rules().actions) == set(ACTIONS)


def test_the_operators_file_counts(tmp_path: Path) -> None:
    rules = load_minimum_rules(written(tmp_path, f'version = "ours-3"\n{COMPLETE}'))
    assert (rules.version, rules.actions["company.change"].verify) == ("ours-3", "all")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no toml at all =",
        'version = "1"',
        COMPLETE,
        f'version = "1"\n{COMPLETE}[actions."client.own"]\nverify = "all"',
        'version = "1"\n' + COMPLETE.replace("shareholder", "king"),
        'version = "1"\n' + COMPLETE.replace("= 1 }", "= 0 }"),
        'version = "1"\n' + COMPLETE.replace('"all"', "{ agent = 0 }"),
        'version = "1"\n' + COMPLETE.replace('"all"', "{ king = 1 }"),
        'version = "1"\n' + COMPLETE.replace('"all"', "{}"),
        'version = "1"\n' + COMPLETE.replace('"all"', '"some"'),
        'version = "1"\n' + COMPLETE.replace("{ shareholder = 1 }", "{}"),
    ],
)
def test_a_file_that_asks_for_too_little_stops_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid, match="HEYAN_MINIMUM_RULES") as caught:
        load_minimum_rules(written(tmp_path, text))
    assert caught.value.code == "minimum_rules_invalid"


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        load_minimum_rules(tmp_path / "nowhere.toml")
    assert caught.value.code == "minimum_rules_invalid"


@pytest.mark.parametrize("missing", range(3))
async def test_an_establishment_needs_all_its_roles(office: Office, missing: int) -> None:
    roles = [role for place, role in enumerate(ESTABLISHMENT) if place != missing]
    work = office.case(action="company.establish", subjects=founders(*roles))
    assert await refusal(work) == "required_role_missing"


async def test_an_establishment_is_verified_by_everybody_also_the_agent(office: Office) -> None:
    people = founders(*ESTABLISHMENT, "agent")
    without_agent = Rule(kind="per_role", roles=dict.fromkeys(ESTABLISHMENT, "all"))
    for weaker in (Rule(kind="k_of_n", k=3), without_agent):
        work = office.case(action="company.establish", subjects=people, rule=weaker)
        assert await refusal(work) == "rule_too_weak"
    everybody = Rule(kind="per_role", roles=dict.fromkeys((*ESTABLISHMENT, "agent"), "all"))
    for strict in (Rule(), Rule(kind="k_of_n", k=4), everybody):
        await office.case(action="company.establish", subjects=people, rule=strict)


async def test_a_change_is_verified_by_its_signers(office: Office) -> None:
    people = founders("legal_representative", "director", "director")
    signers = Rule(kind="per_role", roles={"legal_representative": "all"})
    await office.case(action="company.change", subjects=people, rule=signers)
    others = Rule(kind="per_role", roles={"director": "all"})
    assert await refusal(office.case(action="company.change", subjects=people, rule=others)) == "rule_too_weak"


async def test_a_clients_own_action_is_bound_by_its_own_roles_alone(office: Office) -> None:
    await office.cases.actions.register(office.client, VOTE)
    await office.case(3, action=VOTE.name, rule=Rule(kind="k_of_n", k=1))
