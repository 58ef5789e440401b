"""The composition root: the one place where settings, clocks, randomness, weights and store become services."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from random import SystemRandom, random
from socket import gethostname
from time import time
from urllib.parse import quote, urlsplit

from structlog.stdlib import BoundLogger, get_logger

from api.admission import Admission, Bounds
from api.authority import open_authority
from api.collector import open_traces
from api.delivery import DeliveryWorker
from api.engine_watch import EngineWatch
from api.fair_threads import FairThreads
from api.first_client import ensure_first_client
from api.inference import InferencePool
from api.live_sessions import LiveSessions, Timing
from api.message_worker import MessageWorker
from api.metrics import Metrics
from api.outbound import Outbound
from api.photo_checks import PhotoChecks, photo_threads
from api.processors import usable_processors
from api.rate_limit import RateLimit
from api.secret_files import read_secret
from api.senders import open_senders
from api.sequencer import Sequencer
from api.settings import Settings, outdated_tuning
from api.traces import Traces
from api.watching import Places, Watching
from models.engine import Engine
from models.image import decode_image
from models.remote.engine import open_remote_engine
from models.remote.ray_client import RayFarm, require_ray
from verify.amendments import Amendments
from verify.archive import Archives
from verify.cases import Cases
from verify.checkpoints import Checkpoints
from verify.clients import Clients
from verify.connection import Watch, unwatched
from verify.contact_limits import ContactLimits
from verify.deliveries import Deliveries
from verify.dispatch import Dispatch
from verify.disputes import Disputes
from verify.erasure import Erasures
from verify.errors import NotFound, StoreUnavailable, StoreUnreachable
from verify.idempotency import Answers
from verify.invites import Invites
from verify.key_marks import KeyMarks
from verify.listing import CaseList
from verify.messenger import Messenger
from verify.minimum_rules import MinimumRules, load_minimum_rules
from verify.officers import Officers, Window
from verify.operators import Operators
from verify.outbox import Outbox
from verify.oversight import Oversight
from verify.patience import Patience
from verify.photo_source import NOTHING
from verify.policy import Policy, require_contract
from verify.policy_changes import PolicyChanges
from verify.redemption import Redemptions
from verify.reference_quality import Reference, make_reference, quality_lines
from verify.schema import SCHEMA, forms_of, present, require_readable
from verify.sessions import Sessions
from verify.signing import Keys, Purpose, RingFile, load_keys, read_rings, read_vault
from verify.simulation import Simulations
from verify.store import Store, open_store
from verify.store_faults import fault_of
from verify.tally import Tally
from verify.tokens import Tokens
from verify.vault import Vault
from verify.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that routes work with."""

    settings: Settings
    public_url: str
    """Where people reach the service, without a slash at the end."""
    engine: Engine
    engine_watch: EngineWatch
    policy: Policy
    store: Store
    key_marks: KeyMarks
    clients: Clients
    officers: Officers
    operators: Operators
    oversight: Oversight
    tally: Tally
    window: Window
    cases: Cases
    amendments: Amendments
    case_list: CaseList
    invites: Invites
    messenger: Messenger
    disputes: Disputes
    sessions: Sessions
    simulations: Simulations
    tokens: Tokens
    redemptions: Redemptions
    checkpoints: Checkpoints
    archives: Archives
    erasures: Erasures
    sequencer: Sequencer
    answers: Answers
    webhooks: Webhooks
    deliveries: Deliveries
    outbound: Outbound
    delivery_worker: DeliveryWorker
    message_worker: MessageWorker
    watching: Watching
    pool: InferencePool
    live: LiveSessions
    compare_limit: RateLimit
    metrics: Metrics
    log: BoundLogger


@asynccontextmanager
async def open_services(
    settings: Settings, *, public_url: str, engine: Engine | None = None, traces: Traces | None = None
) -> AsyncIterator[Services]:
    """Open everything in order, and close it in reverse.

    `engine`: one that is loaded already, for a process that opens services more than once.
    `traces`: where spans go, whatever the settings say.

    Raises:
        models.errors.ModelError: weights are missing, damaged or cannot run, here or where HEYAN_ENGINE says.
        SettingsError: `setting_invalid` for certificates of an authority's connection, or files of a channel, that
            cannot be used; for traces whose packages are not installed.
        PolicyError: the policy is unknown, is for other weights, or is not the one that two operators have approved.
        verify.audit.AuditChainBrokenError: the operators' chain, which tells what was approved, does not hold.
        verify.errors.Invalid: `minimum_rules_invalid`.
        verify.errors.Unavailable: no store, a damaged key file, or keys that are not the store's.
    """
    if engine is None:
        engine = await asyncio.to_thread(open_engine, settings)  # Ray is not to be waited for on an event loop
    minimum = load_minimum_rules(settings.minimum_rules)
    pool = InferencePool(workers=settings.workers, queue=settings.queue)
    with closing(pool), closing(photo_threads(workers=min(settings.workers, usable_processors()))) as threads:
        async with open_traces(settings) as named, begun_store(settings, watch=(traces or named).round_trip) as store:
            policy = await matching_policy(settings, engine.contract, store)
            keys, key_marks = await begun_keys(settings, store)
            services = _services(
                settings,
                public_url=public_url,
                engine=engine,
                policy=policy,
                minimum=minimum,
                pool=pool,
                threads=threads,
                store=store,
                keys=keys,
                key_marks=key_marks,
                metrics=Metrics(traces or named),
            )
            if settings.store_url is None:
                await ensure_first_client(services.clients, settings.first_key_file)
            async with services.sequencer.running():
                try:
                    yield services
                finally:
                    await services.live.close()


@asynccontextmanager
async def begun_store(settings: Settings, *, watch: Watch = unwatched) -> AsyncIterator[Store]:
    """The store that a service uses, made if it is not there; the embedded one is watched while it is open.

    `watch`: its round trips.

    Raises:
        StoreSchemaMismatch: `store_schema_newer`, `store_schema_older`. StoreUnavailable.
    """
    async with any_store(settings, watch=watch) as store, present(store, process=process_name()):
        yield store


async def begun_keys(settings: Settings, store: Store) -> tuple[Keys, KeyMarks]:
    """The keys of a service, made if neither they nor their store were there before.

    Raises:
        Unavailable: `keys_foreign`, `key_damaged`.
    """
    marks = marks_at(settings, store)
    await marks.require_own(now=time())
    keys = load_keys(settings.data_dir, entropy=secrets.token_bytes, auditor_key=settings.auditor_key)
    await marks.settle(entropy=secrets.token_bytes, now=time())
    return keys, marks


async def own_rings(settings: Settings, store: Store) -> Mapping[Purpose, RingFile]:
    """The rings of keys that a command works with, beside a service.

    Raises:
        NotFound: `data_missing`. Unavailable: `keys_foreign`, `key_damaged`.
    """
    await _require_own(settings, store)
    return read_rings(settings.data_dir)


async def own_vault(settings: Settings, store: Store) -> Vault:
    """As `own_rings`, the secrets."""
    await _require_own(settings, store)
    return read_vault(settings.data_dir, entropy=secrets.token_bytes)


async def _require_own(settings: Settings, store: Store) -> None:
    """Which auditor's key there is concerns the service alone."""
    await replace(marks_at(settings, store), own_auditor=False).require_own(now=time())


def marks_at(settings: Settings, store: Store) -> KeyMarks:
    """What compares the keys of the settings with those that the store knows."""
    return KeyMarks(store=store, data_dir=settings.data_dir, own_auditor=settings.auditor_key is None)


@asynccontextmanager
async def open_store_of(settings: Settings) -> AsyncIterator[Store]:
    """The store of a service, for a command beside it, if it is one that this version reads.

    Raises:
        NotFound: `data_missing`. StoreSchemaMismatch: `store_schema_newer`, `store_schema_older`. StoreUnavailable.
    """
    async with store_to_migrate(settings) as store, present(store, process=process_name()):
        yield store


@asynccontextmanager
async def open_store_to_read(settings: Settings) -> AsyncIterator[Store]:
    """As `open_store_of`, without a word to the store: it may be one that only reads."""
    async with store_to_migrate(settings) as store:
        require_readable(await forms_of(store), SCHEMA)
        yield store


@asynccontextmanager
async def store_to_migrate(settings: Settings) -> AsyncIterator[Store]:
    """The store of a service, whatever form of things it holds. Raises NotFound `data_missing`, StoreUnavailable."""
    require_store_folder(settings)
    async with any_store(settings) as store:
        if not await store.has_begun():
            raise _no_store(settings, "is empty")
        yield store


def require_store_folder(settings: Settings) -> None:
    """An embedded store is made by a service alone. Raises NotFound `data_missing`."""
    if not has_store_folder(settings):
        raise _no_store(settings, "is not there")


def has_store_folder(settings: Settings) -> bool:
    """Whether an embedded store was ever made; one by URL is there or does not answer."""
    return settings.store_url is not None or (settings.data_dir / "store").is_dir()


def _no_store(settings: Settings, what: str) -> NotFound:
    place = "HEYAN_STORE_URL" if settings.store_url is not None else f"HEYAN_DATA_DIR={settings.data_dir}"
    message = f"the store of {place} {what}: name the one of your service; heyan serve begins a new one there"
    return NotFound("data_missing", message)


@asynccontextmanager
async def any_store(settings: Settings, *, watch: Watch = unwatched) -> AsyncIterator[Store]:
    """The store that the settings name; the embedded one is made if need be. `watch`: its round trips.

    Raises:
        StoreUnreachable: what ended the use of it is a matter of its address or password. StoreUnavailable.
    """
    url = store_address(settings)
    try:
        async with await open_store(
            url, settings.data_dir, durable_replicas=settings.durable_replicas, watch=watch
        ) as store:
            yield store
    except StoreUnavailable as error:
        named = "HEYAN_STORE_URL" if settings.store_password is None else "HEYAN_STORE_PASSWORD"
        fault = None if url is None else fault_of(error, url=url, password=named)
        if fault is None:
            raise
        raise StoreUnreachable(fault) from error


def process_name() -> str:
    """By which operators find this process, and which no other has."""
    return f"{gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def store_address(settings: Settings) -> str | None:
    """The address of the store with the password from its file; None for the embedded one.

    Raises:
        SettingsError: `setting_invalid` for a password file that cannot be read or is empty.
    """
    if settings.store_url is None or settings.store_password is None:
        return settings.store_url
    password = read_secret(settings.store_password, setting="HEYAN_STORE_PASSWORD")
    parts = urlsplit(settings.store_url)
    server = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username or ''}:{quote(password, safe='')}@{server}").geturl()


def open_engine(settings: Settings) -> Engine:
    """The models that the settings name, in this process or on Ray Serve.

    Raises:
        models.errors.ModelError: as `Engine.open` and `open_remote_engine`; `engine_missing` without Ray.
    """
    if settings.engine == "ray":
        require_ray()
        farm = RayFarm(settings.ray_address, application=settings.ray_application, seconds=settings.ray_seconds)
        return open_remote_engine(farm, data_dir=settings.data_dir, pack=settings.pack)
    return Engine.open(
        data_dir=settings.data_dir, pack=settings.pack, provider=settings.provider, threads=settings.threads
    )


async def matching_policy(settings: Settings, contract: str, store: Store) -> Policy:
    """The policy in force, if its thresholds are for embeddings of this contract."""
    policy = await policy_changes(store).in_force(named=settings.named_policy, contract=contract)
    return require_contract(policy, contract)


def policy_changes(store: Store) -> PolicyChanges:
    """What operators have proposed and approved, in this store."""
    return PolicyChanges(store, Operators(store, secrets.token_bytes))


def _services(
    settings: Settings,
    *,
    public_url: str,
    engine: Engine,
    policy: Policy,
    minimum: MinimumRules,
    pool: InferencePool,
    threads: FairThreads,
    store: Store,
    keys: Keys,
    key_marks: KeyMarks,
    metrics: Metrics,
) -> Services:
    """`threads`: of photos that are looked at before anybody consents."""
    entropy = secrets.token_bytes
    log = get_logger("heyan")
    if outdated_tuning(settings) is not None:
        log.warning("tuning_outdated")
    authority, senders = open_authority(settings, metrics), open_senders(settings)
    clients = Clients(store, entropy)
    cases = Cases(
        store=store,
        vault=keys.vault,
        entropy=entropy,
        allow_client_upload=settings.allow_client_upload,
        authority=authority is not None,
        minimum=minimum,
        in_turns=PhotoChecks(threads=threads, places=2 * settings.queue, metrics=metrics).run,
    )
    webhooks = Webhooks(store=store, vault=keys.vault, entropy=entropy)
    deliveries = Deliveries(store)
    live = LiveSessions(
        pool=pool,
        admission=Admission(
            bounds=Bounds(
                sessions=settings.live_sessions,
                load=settings.live_load,
                latency_seconds=settings.live_latency_seconds,
            ),
            workers=min(settings.workers, usable_processors()),
            metrics=metrics,
        ),
        metrics=metrics,
        log=log,
        timing=Timing(resume_seconds=settings.resume_seconds),
    )
    outbound = Outbound(allow_private=settings.webhook_private_addresses)
    checkpoints = Checkpoints(
        store=store, ring=keys.rings["checkpoint"], issuer=settings.issuer, algorithm=settings.receipt_algorithm
    )

    def damaged(case_id: str) -> None:
        log.error("case_damaged", case_id=case_id)

    erasures = Erasures(store=store, vault=keys.vault, retention_days=settings.retention_days, damaged=damaged)
    tokens = Tokens(store=store, rings=keys.rings, issuer=settings.issuer, entropy=entropy)

    async def embed_reference(photo: bytes) -> Reference:
        with metrics.stage("reference"):
            return await pool.run(lambda: make_reference(decode_image(photo), engine, quality_lines()))

    invites = Invites(
        store=store,
        vault=keys.vault,
        entropy=entropy,
        embed_reference=embed_reference,
        contract=engine.contract,
        photos=NOTHING if authority is None else authority,
    )
    limits = ContactLimits(
        store=store, vault=keys.vault, per_hour=settings.contact_per_hour, per_day=settings.contact_per_day
    )
    sessions = Sessions(
        store=store,
        vault=keys.vault,
        entropy=entropy,
        rng=SystemRandom(),
        policy=policy,
        auditor=keys.auditor,
        patience=Patience(store),
    )
    return Services(
        settings=settings,
        public_url=public_url,
        engine=engine,
        engine_watch=EngineWatch(engine),
        policy=policy,
        store=store,
        key_marks=key_marks,
        clients=clients,
        cases=cases,
        officers=Officers(store, entropy),
        operators=Operators(store, entropy),
        oversight=Oversight(store),
        tally=Tally(store),
        window=Window(store=store, vault=keys.vault, entropy=entropy),
        amendments=Amendments(cases),
        case_list=CaseList(cases),
        invites=invites,
        messenger=Messenger(
            store=store,
            vault=keys.vault,
            entropy=entropy,
            invites=invites,
            limits=limits,
            channels=frozenset(senders),
            reminder_hours=settings.reminders,
        ),
        disputes=Disputes(store=store, entropy=entropy),
        sessions=sessions,
        simulations=Simulations(store=store, vault=keys.vault, invites=invites, sessions=sessions),
        tokens=tokens,
        redemptions=Redemptions(
            store=store,
            tokens=tokens,
            rings=keys.rings,
            checkpoints=checkpoints,
            vault=keys.vault,
            entropy=entropy,
            algorithm=settings.receipt_algorithm,
        ),
        checkpoints=checkpoints,
        archives=Archives(store=store, checkpoints=checkpoints, tokens=tokens),
        erasures=erasures,
        sequencer=Sequencer(
            checkpoints=checkpoints,
            erasures=erasures,
            metrics=metrics,
            log=log,
            every=settings.checkpoint_seconds,
        ),
        answers=Answers(store, entropy),
        webhooks=webhooks,
        deliveries=deliveries,
        outbound=outbound,
        delivery_worker=DeliveryWorker(
            store=store,
            outbox=Outbox(
                store=store,
                clients=clients,
                cases=cases,
                webhooks=webhooks,
                deliveries=deliveries,
                damaged=damaged,
            ),
            webhooks=webhooks,
            deliveries=deliveries,
            outbound=outbound,
            jitter=random,
            metrics=metrics,
            log=log,
        ),
        message_worker=MessageWorker(
            store=store,
            dispatch=Dispatch(store=store, vault=keys.vault),
            limits=limits,
            senders=senders,
            link_url=f"{public_url}/",
            report_url=settings.report_url or f"{public_url}/report",
            jitter=random,
            metrics=metrics,
            log=log,
        ),
        pool=pool,
        live=live,
        watching=Watching(store=store, cases=cases, clients=clients, live=live, places=Places(settings.event_streams)),
        compare_limit=RateLimit(per_minute=settings.compare_per_minute),
        metrics=metrics,
        log=log,
    )
