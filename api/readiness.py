"""Is this process ready to serve? Store, clock, durability and models, each with what to do if not."""

from time import time

from api.composition import Services
from api.schemas.health import Check
from verify.erasure import faces_advice
from verify.errors import StoreUnavailable


async def readiness(services: Services) -> tuple[Check, ...]:
    """All conditions of getting traffic."""
    stored = await services.store.checks(service_now=time())
    fault = await services.engine_watch.fault()
    described = ", ".join(f"{name} {value}" for name, value in services.engine.describe().items())
    draining = services.live.admission.draining
    faces = await _stored_faces(services)
    return (
        *(Check(name=check.name, ok=check.ok, detail=check.detail) for check in stored),
        *faces,
        Check(name="models", ok=fault is None, detail=described if fault is None else fault.for_operators),
        Check(name="accepting", ok=not draining, detail="being stopped" if draining else "takes new sessions"),
    )


async def _stored_faces(services: Services) -> tuple[Check, ...]:
    """A number to know, never a reason not to serve. Left out if the store does not answer: another check says so."""
    try:
        count = await services.store.ledger.stored_faces()
    except StoreUnavailable:
        return ()
    return (Check(name="faces", ok=True, detail=faces_advice(count)),)
