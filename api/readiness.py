"""Is this process ready to serve? Store, clock, durability and models, each with what to do if not."""

from secrets import token_bytes
from time import time

from api.composition import Services
from api.schemas.health import Check
from verify.erasure import faces_advice
from verify.errors import StoreUnavailable, Unavailable
from verify.schema import forms_advice, forms_of


async def readiness(services: Services) -> tuple[Check, ...]:
    """All conditions of getting traffic."""
    stored = await services.store.checks(service_now=time())
    fault = await services.engine_watch.fault()
    described = ", ".join(f"{name} {value}" for name, value in services.engine.describe().items())
    draining = services.live.admission.draining
    return (
        *(Check(name=check.name, ok=check.ok, detail=check.detail) for check in stored),
        *await _keys(services),
        *await _checkpoints(services),
        *await _about_store(services),
        Check(name="models", ok=fault is None, detail=described if fault is None else fault.for_operators),
        Check(name="accepting", ok=not draining, detail="being stopped" if draining else "takes new sessions"),
    )


async def _keys(services: Services) -> tuple[Check, ...]:
    """The keys on disk are the store's; those that have begun to sign are noted. Left out without a store."""
    try:
        await services.key_marks.settle(entropy=token_bytes, now=time())
    except StoreUnavailable:
        return ()
    except Unavailable as error:
        return (Check(name="keys", ok=False, detail=str(error)),)
    return (Check(name="keys", ok=True, detail="they are those of the store"),)


async def _checkpoints(services: Services) -> tuple[Check, ...]:
    """Nothing is redeemed while the newest checkpoint is not our own. Left out if the store does not answer."""
    try:
        newest = await services.checkpoints.newest()
    except StoreUnavailable:
        return ()
    except Unavailable as error:
        return (Check(name="checkpoints", ok=False, detail=str(error)),)
    return (Check(name="checkpoints", ok=True, detail=f"the newest is number {newest.claims.n if newest else 0}"),)


async def _about_store(services: Services) -> tuple[Check, ...]:
    """What is to be known and no reason not to serve. Left out if the store does not answer: another check says so."""
    try:
        count, forms = await services.store.ledger.stored_faces(), await forms_of(services.store)
    except StoreUnavailable:
        return ()
    return (
        Check(name="schema", ok=True, detail=forms_advice(forms)),
        Check(name="faces", ok=True, detail=faces_advice(count)),
    )
