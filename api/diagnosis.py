"""All checks of `heyan doctor`, in the order in which a fault in one explains the next."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import time

from api import doctor
from api.authority import authority_tls
from api.certificates import check_authority
from api.collector import open_traces
from api.composition import any_store, has_store_folder, marks_at, matching_policy, open_engine
from api.doctor import Finding
from api.processors import usable_processors
from api.public_address import public_address
from api.senders import open_senders
from api.settings import Settings, outdated_tuning
from models.errors import ModelError
from models.packs import find_pack
from models.prepare import verify_files
from models.remote.ray_client import require_ray
from models.session import choose_provider
from verify.erasure import faces_advice
from verify.errors import VerifyError
from verify.minimum_rules import load_minimum_rules
from verify.policy import Policy, named_or_default, require_contract
from verify.schema import SCHEMA, forms_advice, forms_of, require_readable
from verify.signing import OWN_AUDITOR, key_files, read_auditor_key
from verify.store import Store

TRIED_ELSEWHERE = "; what is faster was tried on another machine: `heyan models prepare` tries it here"


def diagnose(settings: Settings) -> list[Finding]:
    """Run every check. Starts an embedded store that is there and does not run, and leaves it as it was; makes none,
    and no key either."""
    return [
        doctor.check_python(),
        doctor.check_opencv(),
        doctor.check_writable(settings.data_dir),
        doctor.check_disk(settings.data_dir),
        check_processors(settings),
        doctor.guarded("links", lambda: public_address(settings, port=settings.port)),
        *check_engine(settings),
        doctor.guarded("models", lambda: _models(settings)),
        doctor.guarded("minimum rules", lambda: load_minimum_rules(settings.minimum_rules).version),
        *check_keys(settings),
        *check_outside(settings),
        *asyncio.run(check_store(settings)),
    ]


def check_processors(settings: Settings) -> Finding:
    """What is run side by side on the processors that may be used; whether `heyan tune` saw as many."""
    there = usable_processors()
    found = f"{there} usable; {settings.workers} workers of {settings.threads} threads"
    tuned = outdated_tuning(settings)
    if tuned is not None:
        found += f"; what `heyan tune` found with {tuned.cores} does not count: run it again"
    return Finding(check="processors", ok=True, found=found)


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


def check_keys(settings: Settings) -> Iterator[Finding]:
    """Every key file that is there can be used; what is missing the first start makes."""
    own = settings.auditor_key is None
    files = {path: read for path, read in key_files(settings.data_dir).items() if own or path.name != OWN_AUDITOR}
    missing = [path.name for path in files if _is_missing(path)]
    read = [
        doctor.guarded(f"keys/{path.name}", _done(files[path], "intact")) for path in files if path.name not in missing
    ]
    faults = [finding for finding in read if not finding.ok]
    yield from faults
    if not faults:
        made = f"; a first start makes {', '.join(missing)}" if missing else ""
        yield Finding(check="keys", ok=True, found=f"{len(read)} of {len(files)} intact{made}")
    if settings.auditor_key is not None:
        usable = partial(read_auditor_key, settings.auditor_key, private=False)
        yield doctor.guarded("auditor key", _done(usable, str(settings.auditor_key)))


def check_outside(settings: Settings) -> Iterator[Finding]:
    """What the settings name for the world outside can be used: channels, authority, TLS, collector."""
    if settings.sms_url is not None or settings.smtp_host is not None:
        yield doctor.guarded("channels", lambda: ", ".join(open_senders(settings)))
    if settings.authority_url is not None:
        yield doctor.guarded("authority", _done(partial(authority_tls, settings), "certificates and key can be used"))
    if settings.tls:
        yield doctor.guarded("tls", lambda: _authority_of(settings.data_dir / "tls"))
    if settings.traces is not None:
        yield doctor.guarded("traces", lambda: asyncio.run(_traced(settings)))


def _is_missing(path: Path) -> bool:
    """False where that cannot be seen: reading it says why."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _done(use: Callable[[], object], found: str) -> Callable[[], str]:
    """A probe that says this if nothing is raised."""

    def probe() -> str:
        use()
        return found

    return probe


def _authority_of(folder: Path) -> str:
    return f"{folder / 'ca.pem'} {'can be used' if check_authority(folder) else 'is made by the next start'}"


async def _traced(settings: Settings) -> str:
    async with open_traces(settings):
        return "its packages are installed"


async def check_store(settings: Settings) -> tuple[Finding, ...]:
    """The store answers, keeps what it acknowledges, agrees about the time, and tells which policy is in force."""
    if not has_store_folder(settings):
        none = Finding(check="store, clock", ok=True, found="embedded Valkey: none yet, the first start makes it")
        return (none, doctor.guarded("policy", lambda: _told(first_policy(settings))))
    try:
        async with any_store(settings) as store:
            require_readable(await forms_of(store), SCHEMA)
            fault = await store.check(service_now=time())
            faces = await store.ledger.stored_faces() if fault is None else 0
            schema = forms_advice(await forms_of(store))
            begun = await store.has_begun()
            keys = await check_marks(settings, store)
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


async def check_marks(settings: Settings, store: Store) -> Finding:
    """The keys are those that the store knows."""
    try:
        known = await marks_at(settings, store).require_own(now=time())
    except VerifyError as error:
        return Finding(check="keys of the store", ok=False, found=error.code, advice=error.for_operators)
    found = "these" if known else "it knows none yet: the next start tells it"
    return Finding(check="keys of the store", ok=True, found=found)


async def check_policy(settings: Settings, store: Store) -> Finding:
    """There is a policy to start with, and nothing contradicts it."""
    try:
        policy = await matching_policy(settings, _contract(settings), store)
    except Exception as error:
        code = str(getattr(error, "code", type(error).__name__))
        return Finding(check="policy", ok=False, found=code, advice=str(error))
    return Finding(check="policy", ok=True, found=_told(policy))


def first_policy(settings: Settings) -> Policy:
    """The policy of a first start, when no operator has approved any. Raises PolicyError."""
    contract = _contract(settings)
    return require_contract(named_or_default(settings.named_policy, contract=contract), contract)


def _contract(settings: Settings) -> str:
    return find_pack(settings.pack).contract or ""


def _told(policy: Policy) -> str:
    return f"{policy.version} for {policy.contract}"


def _models(settings: Settings) -> str:
    return ", ".join(f"{name} {value}" for name, value in open_engine(settings).describe().items())
