"""Checkpoints over all cases' audit chains: to be kept by whoever wants to hold this service to its history."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import CallingClient, ServicesNow
from api.schemas.checkpoints import CheckpointsBody, ProvenCheckpointBody, checkpoint_body
from verify.checkpoints import NONE_YET

router = APIRouter(prefix="/v1/checkpoints", tags=["audit"])


@router.get("")
async def list_checkpoints(
    _: CallingClient,
    services: ServicesNow,
    after: Annotated[int, Query(ge=0, description="only those with a larger number")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> CheckpointsBody:
    """Checkpoints in order of their numbers."""
    found = await services.checkpoints.list(after=after, limit=limit)
    return CheckpointsBody(checkpoints=tuple(checkpoint_body(each) for each in found))


@router.get("/{number}")
async def get_checkpoint(
    number: int,
    _: CallingClient,
    services: ServicesNow,
    continues: Annotated[int | None, Query(ge=0, description="the earlier one; the one before if missing")] = None,
) -> ProvenCheckpointBody:
    """A checkpoint, with the proof that it continues an earlier one: nothing was changed or removed in between."""
    checkpoint = await services.checkpoints.get(number)
    earlier = number - 1 if continues is None else min(continues, number)
    old = (await services.checkpoints.get(earlier)).claims if earlier else NONE_YET
    proof = await services.checkpoints.consistency(old, checkpoint.claims)
    return ProvenCheckpointBody(**dict(checkpoint_body(checkpoint)), continues=earlier, consistency=proof)
