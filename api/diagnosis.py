"""All checks of `heyan doctor`, in the order in which a fault in one explains the next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_bytes
from tempfile import TemporaryDirectory
from time import time

from api import doctor
from api.composition import any_store, has_store_folder, marks_at, open_engine, policy_changes
from api.doctor import Finding
from api.settings import Settings
from models.errors import ModelError
from models.packs import find_pack
from models.prepare import verify_files
from models.remote.ray_client import require_ray
from models.session import choose_provider
from verify.erasure import faces_advice
from verify.errors import NotFound, VerifyError
from verify.minimum_rules import load_minimum_rules
from verify.schema import SCHEMA, forms_advice, forms_of, require_readable
from verify.signing import read_rings, read_vault
from verify.store import Store, open_store

TRIED_ELSEWHERE = "; what is faster was tried on another machine: `heyan models prepare` tries it here"


def diagnose(settings: Settings) -> list[Finding]:
    """Run every check. Starts an embedded store if none runs, and leaves it as it was; makes none."""
    return [
        doctor.check_python(),
        doctor.check_opencv(),
        doctor.check_writable(settings.data_dir),
        doctor.check_disk(settings.data_dir),
        *check_engine(settings),
        doctor.guarded("models", lambda: _models(settings)),
        doctor.guarded("minimum rules", lambda: load_minimum_rules(settings.minimum_rules).version),
        *asyncio.run(check_store(settings)),
    ]


def check_engine(settings: Settings) -> tuple[Finding, ...]:
    """What the networks need of this machine, wherever they run."""
    if settings.engine == "ray":
        return (doctor.guarded("ray", require_ray),)
    return (doctor.guarded("provider", lambda: choose_provider(settings.provider)), check_weights(settings))


def check_weights(settings: Settings) -> Finding:
    """Every weight file of the pack is there and undamaged; where 8-bit weights were tried if it was not here."""
    try:
        models = list(verify_files(settings.data_dir, settings.pack))
    except ModelError as error:
        return Finding(check="weights", ok=False, found=error.code, advice=str(error))
    faults = [fault for _, fault in models if fault]
    elsewhere = any(model.trial is not None and not model.trial.of_here for model, _ in models)
    intact = f"pack {settings.pack} intact{TRIED_ELSEWHERE if elsewhere else ''}"
    return Finding(
        check="weights", ok=not faults, found="missing or damaged" if faults else intact, advice="; ".join(faults)
    )


async def check_store(settings: Settings) -> tuple[Finding, ...]:
    """The store answers, keeps what it acknowledges, agrees about the time, and tells which policy is in force."""
    try:
        async with _store(settings) as store:
            fault = await store.check(service_now=time())
            faces = await store.ledger.stored_faces() if fault is None else 0
            schema = forms_advice(await forms_of(store))
            begun = await store.has_begun()
            keys = await check_keys(settings, store)
            policy = await check_policy(settings, store)
    except Exception as error:
        code = str(getattr(error, "code", type(error).__name__))
        advice = getattr(error, "for_operators", str(error))
        return (Finding(check="store", ok=False, found=code, advice=advice),)
    kind = "embedded Valkey" if settings.store_url is None else "HEYAN_STORE_URL"
    found = "not to be relied on" if fault else f"{kind} answers, is durable, and its clock agrees"
    found += "" if begun else "; nothing is in it yet: heyan serve begins"
    return (
        Finding(check="store, clock", ok=fault is None, found=found, advice=fault or ""),
        Finding(check="schema", ok=True, found=schema),
        keys,
        Finding(check="faces", ok=True, found=faces_advice(faces)),
        policy,
    )


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    """The store of the service; before its first start one to try this machine with, which is then thrown away."""
    if has_store_folder(settings):
        async with any_store(settings) as store:
            require_readable(await forms_of(store), SCHEMA)
            yield store
        return
    with TemporaryDirectory(prefix="heyan-") as folder:
        async with await open_store(None, Path(folder)) as store:
            yield store


async def check_keys(settings: Settings, store: Store) -> Finding:
    """The keys can be read, and are those of the store."""
    try:
        known = await marks_at(settings, store).require_own(now=time())
        await asyncio.to_thread(
            lambda: (read_rings(settings.data_dir), read_vault(settings.data_dir, entropy=token_bytes))
        )
    except NotFound:
        return Finding(check="keys", ok=True, found="none yet: heyan serve makes them")
    except VerifyError as error:
        return Finding(check="keys", ok=False, found=error.code, advice=error.for_operators)
    found = "those of the store" if known else "readable; the next start lets the store know them"
    return Finding(check="keys", ok=True, found=found)


async def check_policy(settings: Settings, store: Store) -> Finding:
    """There is a policy to start with, and nothing contradicts it."""
    try:
        contract = find_pack(settings.pack).contract or ""
        policy = await policy_changes(store).in_force(named=settings.named_policy, contract=contract)
    except Exception as error:
        code = str(getattr(error, "code", type(error).__name__))
        return Finding(check="policy", ok=False, found=code, advice=str(error))
    return Finding(check="policy", ok=True, found=f"{policy.version} for {policy.contract}")


def _models(settings: Settings) -> str:
    return ", ".join(f"{name} {value}" for name, value in open_engine(settings).describe().items())
