"""1:1 of two photos."""

from time import monotonic

from fastapi import APIRouter

from api.client_route import ClientRoute
from api.comparison import compare_photos
from api.dependencies import ComparingClient, ServicesNow
from api.schemas.compare import ComparePhotos, CompareResult

router = APIRouter(tags=["compare"], route_class=ClientRoute)


@router.post("/v1/compare")
async def compare(body: ComparePhotos, client: ComparingClient, services: ServicesNow) -> CompareResult:
    """Do two photos show the same person? No liveness, no score, and never the ground for a token.

    Needs a key with the scope `compare`. Limited per client, and every call is logged with the client's id.
    """
    services.compare_limit.spend(client.id, now=monotonic())
    with services.metrics.stage("compare"):
        result = await services.pool.run(
            compare_photos, body.photo_a, body.photo_b, engine=services.engine, policy=services.policy
        )
    services.log.info("compare", client_id=client.id, outcome=result.reason)
    return CompareResult(match=result.match, reason=result.reason, policy=result.policy, contract=result.contract)
