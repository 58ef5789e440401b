"""Bodies of checkpoints."""

from datetime import UTC, datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.schemas.base import EXAMPLE_HASH, EXAMPLE_TIME, Body
from verify.checkpoints import Checkpoint

_EXAMPLE: JsonDict = {
    "number": 17,
    "size": 40211,
    "root": EXAMPLE_HASH,
    "signed_at": EXAMPLE_TIME,
    "checkpoint": "eyJ…",
}


class CheckpointBody(Body):
    """A signed head over all audit chains. Keep `checkpoint`: nothing before it can then be taken away unseen."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    number: int
    size: int = Field(description="leaves of the Merkle tree (RFC 9162)")
    root: str = Field(description="its root, hexadecimal")
    signed_at: datetime
    checkpoint: str = Field(description="compact JWS (Ed25519), type `heyan-checkpoint+jwt`")


class CheckpointsBody(Body):
    """Checkpoints in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"checkpoints": [_EXAMPLE]}]})

    checkpoints: tuple[CheckpointBody, ...]


class ProvenCheckpointBody(CheckpointBody):
    """A checkpoint, and the proof that it continues an earlier one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_EXAMPLE, "continues": 16, "consistency": [EXAMPLE_HASH]}]}
    )

    continues: int = Field(description="number of the earlier one; 0 stands for the empty tree")
    consistency: tuple[str, ...] = Field(description="consistency proof of RFC 9162 (2.1.4), hexadecimal hashes")


def checkpoint_body(checkpoint: Checkpoint) -> CheckpointBody:
    """What goes over the wire for a checkpoint."""
    claims = checkpoint.claims
    return CheckpointBody(
        number=claims.n,
        size=claims.size,
        root=claims.root,
        signed_at=datetime.fromtimestamp(claims.iat, UTC),
        checkpoint=checkpoint.text,
    )
