"""Policies: thresholds as data, with a version and the population that they were calibrated on."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

import msgspec

from liveness.assessment import SIGNALS
from liveness.thresholds import ALTERNATIVE, FusionThresholds, LivenessThresholds
from verify.calibration import CalibrationError, Level, load_calibration, parse_calibration
from verify.fraud_policy import FraudPolicy

DEFAULT = "open-5"
DEFAULTS = (DEFAULT, "mobilefacenet-2")
"""Where none is named: the first of these that is for the embeddings of the models in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Thresholds of one version. A threshold is valid for one embedding contract and for the stated population.

    A policy's file names its calibration and the level of it; `contract` and `similarity` come from there. It may
    extend another, and then holds what differs. In place of a name it may hold a calibration itself, as the JSON that
    `heyan-bench calibrate` writes.
    """

    version: str
    contract: str
    """Contract id that `similarity` belongs to; evidence of another contract is never accepted."""
    calibration: str
    """Name of the calibration behind `similarity` (`verify.calibration`): sets, people, intervals. Of one that the file
    itself holds: `own-` and the beginning of its SHA-256."""
    level: Level
    calibrated_on: str
    """What stands behind the other thresholds, in words for an auditor."""
    similarity: float
    """Least cosine of the mean embedding with the reference."""
    least_similarity: float
    """Least cosine of every single compared frame with the reference: no frame may show somebody else."""
    compared_frames: int
    """Fewest frames that must have been compared."""
    eye_distance_px: float
    brightness: float
    sharpness: float
    no_face_share: float
    """Largest share of frames without a face."""
    several_faces_share: float
    """Largest share of frames with more than one face."""
    liveness: LivenessThresholds
    fraud: FraudPolicy
    """What is compared across sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calibrated:
    """The part of a policy's file that says where its similarity comes from."""

    calibration: str
    level: Level


class PolicyError(ValueError):
    """A policy that cannot be used.

    `code`: `policy_unknown`, `policy_invalid`, `policy_missing`, `policy_contract_mismatch`; of changes by operators
    (`policy_changes`) `policy_conflict`, `policy_changed`, `policy_version_taken`, `policy_history_invalid`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def load_policy(name: str = DEFAULT) -> Policy:
    """Read a policy that heyan ships.

    Raises:
        PolicyError: no policy has that name, or the file or its calibration lacks a field or holds one of the wrong
            type.
    """
    return parse_policy(shipped_text(name))


def shipped_text(name: str) -> str:
    """The file of a policy that heyan ships. Raises PolicyError `policy_unknown`."""
    source = files("verify").joinpath("policies", f"{name}.toml")
    if not source.is_file():
        raise PolicyError("policy_unknown", f"no policy is named {name!r}; set HEYAN_POLICY to one of {names()}")
    return source.read_text("utf-8")


def require_contract(policy: Policy, contract: str) -> Policy:
    """The policy, if its thresholds are for embeddings of this contract.

    Raises:
        PolicyError: `policy_contract_mismatch`.
    """
    if policy.contract != contract:
        message = f"policy {policy.version} is for {policy.contract}, the models are {contract}: set HEYAN_POLICY"
        raise PolicyError("policy_contract_mismatch", message)
    return policy


def named_or_default(named: str | None, *, contract: str) -> Policy:
    """The shipped policy that somebody has named; without a name the one that comes for embeddings of this contract.

    Raises:
        PolicyError: `policy_missing` if none comes for them; as `load_policy`.
    """
    if named is not None:
        return load_policy(named)
    shipped = (load_policy(name) for name in DEFAULTS)
    found = next((policy for policy in shipped if policy.contract == contract), None)
    if found is None:
        message = (
            f"no policy comes for embeddings of {contract}, and a threshold of other weights means nothing for them: "
            "make one with heyan-bench calibrate --data DIR --policy FILE, then heyan policy propose FILE "
            "(docs/packs.md)"
        )
        raise PolicyError("policy_missing", message)
    return found


def names() -> list[str]:
    """Names of the policies that heyan ships."""
    folder = files("verify").joinpath("policies")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def parse_policy(text: str) -> Policy:
    """Read a policy from TOML text.

    Raises:
        PolicyError: the text is no TOML, lacks a field or holds one of the wrong type, or its calibration is missing.
    """
    try:
        content = _extended(tomllib.loads(text))
        policy = msgspec.convert({**content, **_calibrated(content)}, Policy, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, CalibrationError) as error:
        raise PolicyError("policy_invalid", f"the policy cannot be read: {error}") from error
    unknown = sorted(_named(policy.liveness.fusion) - SIGNALS)
    if unknown:
        raise PolicyError("policy_invalid", f"the policy names signals that are not measured: {', '.join(unknown)}")
    return policy


def _extended(content: Mapping[str, object]) -> Mapping[str, object]:
    """A policy's own lines over those of the shipped one that it extends, if any."""
    own = dict(content)
    base = own.pop("extends", None)
    if base is None:
        return own
    if base not in names():
        raise PolicyError("policy_invalid", f"the policy extends {base!r}, which is none of {', '.join(names())}")
    source = files("verify").joinpath("policies", f"{base}.toml")
    return {**_extended(tomllib.loads(source.read_text("utf-8"))), **own}


def _calibrated(content: Mapping[str, object]) -> Mapping[str, object]:
    """What a policy takes from its calibration."""
    named = msgspec.convert(content, _Calibrated, strict=True)
    if named.calibration.lstrip().startswith("{"):
        own = named.calibration.strip().encode()
        name, calibration = f"own-{sha256(own).hexdigest()[:16]}", parse_calibration(own)
    else:
        name, calibration = named.calibration, load_calibration(named.calibration)
    similarity = calibration.at(named.level).similarity
    return {"calibration": name, "contract": calibration.contract, "similarity": similarity}


def _named(fusion: FusionThresholds) -> set[str]:
    required = {name for each in fusion.required.values() for one in each for name in one.split(ALTERNATIVE)}
    return required | set(fusion.rejecting) | set(fusion.weights)
