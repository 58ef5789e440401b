"""Policies: thresholds as data, with a version and the population that they were calibrated on."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

import msgspec

from liveness.assessment import SIGNALS
from liveness.thresholds import FusionThresholds, LivenessThresholds
from verify.fraud_policy import FraudPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Thresholds of one version. A threshold is valid for one embedding contract and for the stated population."""

    version: str
    contract: str
    """Contract id that `similarity` belongs to; evidence of another contract is never accepted."""
    calibrated_on: str
    """Data, protocol and population behind the thresholds, in words for an auditor."""
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


class PolicyError(ValueError):
    """A policy file that cannot be used. `code`: `policy_unknown`, `policy_invalid`, `policy_contract_mismatch`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def load_policy(name: str = "open-1") -> Policy:
    """Read a policy that heyan ships.

    Raises:
        PolicyError: no policy has that name, or the file lacks a field or holds one of the wrong type.
    """
    source = files("verify").joinpath("policies", f"{name}.toml")
    if not source.is_file():
        raise PolicyError("policy_unknown", f"no policy is named {name!r}; set HEYAN_POLICY to one of {names()}")
    return parse_policy(source.read_text("utf-8"))


def require_contract(policy: Policy, contract: str) -> Policy:
    """The policy, if its thresholds are for embeddings of this contract.

    Raises:
        PolicyError: `policy_contract_mismatch`.
    """
    if policy.contract != contract:
        message = f"policy {policy.version} is for {policy.contract}, the models are {contract}: set HEYAN_POLICY"
        raise PolicyError("policy_contract_mismatch", message)
    return policy


def names() -> list[str]:
    """Names of the policies that heyan ships."""
    folder = files("verify").joinpath("policies")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def parse_policy(text: str) -> Policy:
    """Read a policy from TOML text.

    Raises:
        PolicyError: the text is no TOML, lacks a field or holds one of the wrong type.
    """
    try:
        policy = msgspec.convert(tomllib.loads(text), Policy, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PolicyError("policy_invalid", f"the policy cannot be read: {error}") from error
    unknown = sorted(_named(policy.liveness.fusion) - SIGNALS)
    if unknown:
        raise PolicyError("policy_invalid", f"the policy names signals that are not measured: {', '.join(unknown)}")
    return policy


def _named(fusion: FusionThresholds) -> set[str]:
    required = {name for names_ in fusion.required.values() for name in names_}
    return required | set(fusion.rejecting) | set(fusion.weights)
