"""What is wrong with a policy that somebody has written: all of it at once, by the name of the line.

Reading a policy (`verify.policy.parse_policy`) finds what is missing or of the wrong type. This also finds what would
be passed over in silence (a misspelled line) or would judge nonsense (a line whose two values are exchanged).
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from re import fullmatch
from tomllib import TOMLDecodeError, loads
from typing import Any, get_type_hints

import msgspec

from liveness.challenge import Repertoire
from liveness.thresholds import Line
from verify.officers import AT_THE_WINDOW
from verify.policy import Policy, PolicyError, load_policy, parse_policy

MOST_BYTES = 65536
"""Of a policy's file. The shipped ones have some 6,000."""

VERSION = r"[a-z0-9][a-z0-9._-]{0,63}"
"""It stands in tokens, receipts and audit entries."""

EXTENDS = "extends"
CALIBRATED = ("contract", "similarity")
"""Lines that no file has: they come from the calibration."""

SHARES = (
    "brightness",
    "no_face_share",
    "several_faces_share",
    "liveness.signals.echo_share",
    "liveness.signals.light_chance",
    "liveness.fusion.trust",
    "fraud.similar_frames.at_least",
)
COSINES = ("least_similarity", "fraud.face_in_case.at_least", "fraud.face_across_cases.at_least")
POSITIVE = (
    "compared_frames",
    "eye_distance_px",
    "liveness.cues.turn_degrees",
    "liveness.cues.look_degrees",
    "liveness.cues.neutral_degrees",
    "liveness.cues.still_degrees",
    "liveness.cues.still_scale",
    "liveness.signals.relief_views",
    "liveness.signals.nose_views",
    "liveness.signals.perspective_views",
    "fraud.same_frames.at_least",
    "fraud.pace.at_least",
    "fraud.device_pace.at_least",
    "fraud.faces_days",
    "fraud.faces_most",
    "fraud.frames_hours",
    "fraud.frames_most",
    "fraud.frames_least",
    "fraud.pace_hours",
)
ABOVE_ONE = ("liveness.cues.closer_ratio", "liveness.cues.wrong_margin", "liveness.signals.perspective_growth")


def checked_policy(text: str) -> Policy:
    """A policy that nothing is wrong with. Raises PolicyError `policy_invalid`, which names all that is."""
    found = faults(text)
    if found:
        raise PolicyError("policy_invalid", f"the policy cannot be used: {'; '.join(found)}")
    return parse_policy(text)


def read_policy(content: bytes) -> str:
    """The text of a policy's file. Raises PolicyError `policy_invalid`."""
    if len(content) > MOST_BYTES:
        raise PolicyError("policy_invalid", f"the policy has {len(content)} bytes, and {MOST_BYTES} are the most")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError("policy_invalid", f"the policy is no UTF-8 text: byte {error.start}") from None


def faults(text: str) -> tuple[str, ...]:
    """What is wrong, each fault in one sentence that names the line; none if the policy can be used."""
    try:
        content = loads(text)
    except TOMLDecodeError as error:
        return (f"it is no TOML: {error}",)
    strange = tuple(_strange(content, Policy, ""))
    try:
        policy = parse_policy(text)
    except PolicyError as error:
        return (*strange, str(error))
    return (*strange, *_nonsense(policy))


def flattened(policy: Policy) -> Mapping[str, Any]:
    """Every value of a policy by the name of its line, as `liveness.signals.nose.passing`."""
    return dict(_flat(msgspec.to_builtins(policy), ""))


def _strange(content: Mapping[str, object], kind: type, path: str) -> Iterator[str]:
    """Lines that nothing reads."""
    known = {each.name for each in fields(kind)}
    for name, value in content.items():
        if not path and name == EXTENDS:
            continue
        if not path and name in CALIBRATED:
            yield f"`{name}` comes from the calibration and cannot be set"
        elif name not in known:
            yield f"`{path}{name}` is no line of a policy; there are {', '.join(sorted(known))}"
        else:
            inner = get_type_hints(kind)[name]
            if isinstance(value, dict) and is_dataclass(inner) and isinstance(inner, type):
                yield from _strange(value, inner, f"{path}{name}.")


def _nonsense(policy: Policy) -> Iterator[str]:
    """Values that are of the right type and mean nothing."""
    if not fullmatch(VERSION, policy.version):
        yield "`version` has 1 to 64 small letters, digits, '.', '-' or '_'"
    if policy.version == AT_THE_WINDOW:
        yield f"`version` is {AT_THE_WINDOW!r}, which stands for verifications made in person"
    if not policy.calibrated_on.strip():
        yield "`calibrated_on` is empty: say what stands behind the thresholds"
    values = flattened(policy)
    infinite = [name for name, value in values.items() if isinstance(value, float) and not isfinite(value)]
    if infinite:
        yield f"{', '.join(f'`{name}`' for name in infinite)} must be finite"
        return
    yield from (f"`{name}` is {values[name]}: must be 0 to 1" for name in SHARES if not 0 <= values[name] <= 1)
    yield from (f"`{name}` is {values[name]}: must be -1 to 1" for name in COSINES if not -1 <= values[name] <= 1)
    yield from (f"`{name}` is {values[name]}: must be above 0" for name in POSITIVE if not values[name] > 0)
    yield from (f"`{name}` is {values[name]}: must be above 1" for name in ABOVE_ONE if not values[name] > 1)
    yield from _exchanged(policy)
    yield from _fused(policy)


def _exchanged(policy: Policy) -> Iterator[str]:
    """Lines that pass where the shipped one fails: more of a measure cannot become worse by a policy."""
    usual = load_policy().liveness.signals
    for name, kind in get_type_hints(type(usual)).items():
        if kind is Line:
            line, shipped = getattr(policy.liveness.signals, name), getattr(usual, name)
            if (line.passing - line.failing) * (shipped.passing - shipped.failing) <= 0:
                order = "above" if shipped.passing > shipped.failing else "below"
                yield f"`liveness.signals.{name}`: `passing` must be {order} `failing`"


def _fused(policy: Policy) -> Iterator[str]:
    fusion = policy.liveness.fusion
    bare = [each.value for each in Repertoire if not fusion.required.get(each)]
    if bare:
        yield f"`liveness.fusion.required` names no signal for {', '.join(bare)}: nobody could be accepted"
    if any(weight < 0 for weight in fusion.weights.values()) or not sum(fusion.weights.values()) > 0:
        yield "`liveness.fusion.weights` must be 0 or more, and not all 0"


def _flat(content: object, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _flat(value, f"{path}.{name}" if path else name)
    else:
        yield path, content
