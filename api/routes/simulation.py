"""Test mode: letting a test subject act, without a camera."""

from fastapi import APIRouter

from api.client_route import ClientRoute
from api.dependencies import CallingClient, ServicesNow
from api.schemas.simulation import SimulatedBody

router = APIRouter(prefix="/v1/test", tags=["test mode"], route_class=ClientRoute)


@router.post("/cases/{case_id}/subjects/{subject_id}/simulate")
async def simulate(case_id: str, subject_id: str, client: CallingClient, services: ServicesNow) -> SimulatedBody:
    """One attempt of a person whose name says how it ends, such as `Test Accepted`; with a key of test mode only.

    Everything happens as with a real person, from invite to decision, but for frames: states, notices, audit, token.
    """
    ended = await services.simulations.run(client, case_id, subject_id)
    view = await services.cases.get(client, case_id)
    return SimulatedBody(outcome=ended.outcome, reason=ended.reason, state=view.standings[subject_id].value)
