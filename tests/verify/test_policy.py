from importlib.resources import files

import pytest

from verify.policy import PolicyError, load_policy, names, parse_policy


def test_the_shipped_policies_load_and_say_what_they_were_calibrated_on() -> None:
    for name in names():
        policy = load_policy(name)
        assert policy.version == name
        assert policy.contract
        assert len(policy.calibrated_on) > 100


def test_the_first_policy_is_not_the_threshold_of_lfw() -> None:
    assert load_policy().similarity == 0.46


def test_an_unknown_policy_names_those_that_exist() -> None:
    with pytest.raises(PolicyError, match="open-1") as raised:
        load_policy("no-such-policy")
    assert raised.value.code == "policy_unknown"


def test_a_policy_that_weighs_a_signal_that_is_not_measured_is_refused() -> None:
    text = files("verify").joinpath("policies", "open-1.toml").read_text("utf-8")
    with pytest.raises(PolicyError, match="pasive") as raised:
        parse_policy(text.replace("passive = 1.0", "pasive = 1.0"))
    assert raised.value.code == "policy_invalid"


@pytest.mark.parametrize("text", ["", "version = 3", "not toml at all ="])
def test_an_incomplete_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse_policy(text)
    assert raised.value.code == "policy_invalid"
