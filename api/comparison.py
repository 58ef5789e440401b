"""1:1 of two still photos, without liveness: never the ground for a token."""

from dataclasses import dataclass

from models.embedding import cosine
from models.engine import Engine
from models.image import DEFAULT_LIMITS, ImageLimits, decode_image
from verify.policy import Policy, require_contract
from verify.reference_quality import Judged, judge, quality_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two photos have in common."""

    similarity: float
    """Cosine of the two embeddings, -1 to 1."""
    threshold: float
    """Least cosine that counts as the same person, from the policy."""
    policy: str
    contract: str

    @property
    def match(self) -> bool:
        """True if the policy takes the two for one person."""
        return self.similarity >= self.threshold

    @property
    def reason(self) -> str:
        """`match` or `mismatch`."""
        return "match" if self.match else "mismatch"


def judge_photo(photo: bytes, *, engine: Engine) -> tuple[Judged, ...]:
    """Quality of the portrait of a photo, by component. Raises ImageError and FaceError as `compare_photos`."""
    found = engine.portrait(decode_image(photo))
    return judge(engine.components(found.frame, found.face), quality_lines())


def compare_photos(
    first: bytes, second: bytes, *, engine: Engine, policy: Policy, limits: ImageLimits = DEFAULT_LIMITS
) -> Comparison:
    """Compare the one face of each photo.

    Raises:
        models.errors.ImageError: a photo is no picture that can be used.
        models.errors.FaceError: a photo does not show exactly one face that is large enough.
        verify.policy.PolicyError: `policy_contract_mismatch`: the threshold belongs to other weights.
    """
    threshold = require_contract(policy, engine.contract).similarity
    one, other = (engine.read_probe(photo, limits=limits) for photo in (first, second))
    return Comparison(
        similarity=cosine(one, other), threshold=threshold, policy=policy.version, contract=engine.contract
    )
