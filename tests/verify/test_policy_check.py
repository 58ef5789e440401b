"""What is wrong with a policy is named, all at once, and nothing is passed over in silence."""

import pytest

from verify.policy import DEFAULT, PolicyError, load_policy, names, shipped_text
from verify.policy_check import MOST_BYTES, checked_policy, faults, flattened, read_policy

MINE = f'version = "mine"\nextends = "{DEFAULT}"\n'


def changed(line: str, to: str) -> str:
    """The shipped file, whole, with one line changed."""
    text = shipped_text(DEFAULT)
    found = next(each for each in text.splitlines() if each.startswith(f"{line} = "))
    return text.replace(found, f"{line} = {to}")


@pytest.mark.parametrize("name", names())
def test_nothing_is_wrong_with_what_is_shipped(name: str) -> None:
    assert faults(shipped_text(name)) == ()


def test_an_own_policy_is_read_as_it_stands() -> None:
    policy = checked_policy(f"{MINE}compared_frames = 9\n")
    assert (policy.version, policy.compared_frames) == ("mine", 9)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version = ", "TOML"),
        (f"{MINE}compared_frame = 9", "`compared_frame`"),
        (f"{MINE}similarity = 0.1", "`similarity` comes from the calibration"),
        (f'{MINE}contract = "other/1"', "`contract` comes from the calibration"),
        (f'{MINE}compared_frames = "9"', "compared_frames"),
        (f"{MINE}compared_frames = 0", "`compared_frames`"),
        (f"{MINE}least_similarity = 1.5", "`least_similarity` is 1.5"),
        (f"{MINE}no_face_share = 35", "`no_face_share` is 35"),
        (f"{MINE}sharpness = nan", "`sharpness` must be finite"),
        (MINE.replace("mine", "Mine!"), "`version`"),
        (MINE.replace("mine", "window"), "`version`"),
        (f'{MINE}calibrated_on = " "', "`calibrated_on`"),
        (f'{MINE}calibration = "none"', "no calibration"),
        (changed("trust", "1.5"), "`liveness.fusion.trust`"),
        (changed("closer_ratio", "0.9"), "`liveness.cues.closer_ratio`"),
        (changed("passive", "{ passing = 0.1, failing = 0.2 }"), "`liveness.signals.passive`"),
        (changed("fresh", "{ passing = 0.1, failing = 0.1 }"), "`liveness.signals.fresh`"),
        (changed("pace", '{ does = "refer", at_least = 0 }'), "`fraud.pace.at_least`"),
        (changed("pace", '{ do = "refer", does = "refer", at_least = 9 }'), "`fraud.pace.do`"),
        (changed("all", "[]"), "`liveness.fusion.required`"),
        (changed("all", '["relief", "light or glitter"]'), "glitter"),
        (changed("more_cues", "-1.0"), "`liveness.fusion.weights`"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str) -> None:
    assert [fault for fault in faults(text) if named in fault]
    with pytest.raises(PolicyError) as raised:
        checked_policy(text)
    assert (raised.value.code, named in str(raised.value)) == ("policy_invalid", True)


def test_all_faults_are_told_at_once() -> None:
    found = faults(f"{MINE}compared_frame = 9\nleast_similarity = 2\nno_face_share = -1\n")
    assert len(found) == 3


@pytest.mark.parametrize("content", [b"\xff\xfe", b" " * (MOST_BYTES + 1)])
def test_what_is_no_text_or_too_large_is_refused(content: bytes) -> None:
    with pytest.raises(PolicyError) as raised:
        read_policy(content)
    assert raised.value.code == "policy_invalid"


def test_every_value_has_a_name() -> None:
    values = flattened(load_policy())
    assert values["liveness.signals.nose.passing"] == load_policy().liveness.signals.nose.passing
    assert values["fraud.pace.does"] == load_policy().fraud.pace.does
