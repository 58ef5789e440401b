"""Is this process ready to serve? Store, clock, durability and models, each with what to do if not."""

from time import time

from api.composition import Services
from api.schemas.health import Check


async def readiness(services: Services) -> tuple[Check, ...]:
    """All conditions of getting traffic."""
    stored = await services.store.checks(service_now=time())
    described = ", ".join(f"{name} {value}" for name, value in services.engine.describe().items())
    draining = services.live.draining
    return (
        *(Check(name=check.name, ok=check.ok, detail=check.detail) for check in stored),
        Check(name="models", ok=True, detail=described),
        Check(name="accepting", ok=not draining, detail="being stopped" if draining else "takes new sessions"),
    )
