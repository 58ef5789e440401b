"""Health, readiness, metrics and keys: asked by machines, without credentials."""

from fastapi import APIRouter, Response

from api.dependencies import ServicesNow
from api.readiness import readiness
from api.schemas.health import Alive, Ready
from api.vitals import take_vitals

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> Alive:
    """The process answers. Says nothing about the store: restarting would not mend that."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready, "description": "Not ready"}})
async def readyz(services: ServicesNow, response: Response) -> Ready:
    """Store, durability, clock and models, each with what is wrong; 503 unless all are well."""
    checks = await readiness(services)
    ready = Ready(ready=all(check.ok for check in checks), checks=checks)
    if not ready.ready:
        response.status_code = 503
        response.headers["retry-after"] = "5"
    return ready


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: ServicesNow) -> Response:
    """Metrics in the text format of Prometheus; readiness, disk and keys are looked up for each scrape."""
    await take_vitals(services)
    return Response(services.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
