from dataclasses import replace
from importlib.resources import files

import pytest

from verify.calibration import load_calibration
from verify.policy import DEFAULTS, PolicyError, load_policy, named_or_default, names, parse_policy
from verify.policy_check import faults


def test_the_shipped_policies_load_and_say_what_they_were_calibrated_on() -> None:
    for name in names():
        policy = load_policy(name)
        assert policy.version == name
        assert policy.contract
        assert len(policy.calibrated_on) > 100


def test_similarity_and_contract_are_those_of_the_calibration() -> None:
    calibration = load_calibration(load_policy().calibration)
    assert (load_policy().similarity, load_policy().contract) == (calibration.similarity, calibration.contract)
    assert load_policy("open-5-unproven").similarity == calibration.strict.similarity > calibration.similarity


def test_every_shipped_policy_keeps_its_target_in_every_set_that_can_tell() -> None:
    """And what cannot be told is called unproven."""
    for name in names():
        policy = load_policy(name)
        threshold = load_calibration(policy.calibration).at(policy.level)
        assert all(each.fmr is not None and each.fmr <= threshold.target_fmr for each in threshold.groups.values())
        assert threshold.supported or name.endswith("-unproven")


def test_the_policy_is_not_the_threshold_of_press_photos() -> None:
    """The population that needs the highest threshold binds."""
    calibration = load_calibration(load_policy().calibration)
    alone = calibration.groups["lfw"].threshold_at_target
    assert alone is not None
    assert calibration.similarity > alone


def test_a_policy_that_extends_another_differs_in_its_own_lines_alone() -> None:
    text = 'version = "mine"\nextends = "open-5"\ncompared_frames = 9\n'
    assert parse_policy(text) == replace(load_policy(), version="mine", compared_frames=9)


@pytest.mark.parametrize(
    ("line", "message"),
    [('extends = "no-such-policy"', "no-such-policy"), ('extends = "open-5"\ncalibration = "none"', "no calibration")],
)
def test_a_policy_must_rest_on_what_exists(line: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as raised:
        parse_policy(f'version = "mine"\n{line}\n')
    assert raised.value.code == "policy_invalid"


def test_an_unknown_policy_names_those_that_exist() -> None:
    with pytest.raises(PolicyError, match="open-5") as raised:
        load_policy("no-such-policy")
    assert raised.value.code == "policy_unknown"


def test_a_policy_that_weighs_a_signal_that_is_not_measured_is_refused() -> None:
    text = files("verify").joinpath("policies", "open-5.toml").read_text("utf-8")
    with pytest.raises(PolicyError, match="pasive") as raised:
        parse_policy(text.replace("passive = 1.0", "pasive = 1.0"))
    assert raised.value.code == "policy_invalid"


def own_calibration(text: str) -> str:
    return f"version = 'mine'\nextends = 'open-5'\ncalibration = '''\n{text}\n'''\n"


def test_a_policy_may_hold_its_calibration() -> None:
    text = files("verify").joinpath("calibrations", "mobilefacenet-112-1.json").read_text("utf-8")
    policy, shipped = parse_policy(own_calibration(text)), load_policy("mobilefacenet-2")
    assert (policy.contract, policy.similarity) == (shipped.contract, shipped.similarity)
    assert policy.liveness == load_policy().liveness
    assert faults(own_calibration(text)) == ()
    changed = parse_policy(own_calibration(text.replace(f'"similarity": {shipped.similarity}', '"similarity": 0.2', 1)))
    assert changed.similarity == 0.2
    assert len({policy.calibration, changed.calibration, shipped.calibration}) == 3


def test_a_calibration_of_ones_own_that_cannot_be_read_is_refused() -> None:
    for text in ("{}", '{"similarity": 0.3}', "{"):
        with pytest.raises(PolicyError, match="calibration cannot be read") as raised:
            parse_policy(own_calibration(text))
        assert raised.value.code == "policy_invalid"


def test_without_a_name_the_policy_for_the_weights_in_use_is_taken() -> None:
    for name in DEFAULTS:
        assert named_or_default(None, contract=load_policy(name).contract).version == name
    assert named_or_default("open-5-unproven", contract="other/1").version == "open-5-unproven"
    with pytest.raises(PolicyError, match="heyan-bench calibrate") as raised:
        named_or_default(None, contract="other/1")
    assert raised.value.code == "policy_missing"


@pytest.mark.parametrize("text", ["", "version = 3", "not toml at all ="])
def test_an_incomplete_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse_policy(text)
    assert raised.value.code == "policy_invalid"
