"""The operator console at `/ops`. A page is a bounded number of reads; docs/console.md says who sees what."""

import os
import socket
from enum import StrEnum
from time import perf_counter
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Response

from api.console.access import (
    FORM_COOKIE,
    Anybody,
    Auditing,
    ConsoleRoute,
    SignedIn,
    Visitor,
    begin_session,
    end_session,
    form_of,
)
from api.console.audit_query import AuditQuery, search_invalid
from api.console.outcomes import outcome_rows, outcome_sums, signal_rows
from api.console.system import models_in_use, settings_shown
from api.problems import problem_of
from api.readiness import readiness
from verify.auditing import check_chain, check_newest, last_audit
from verify.casefile import CaseState, Mode
from verify.erasure import FACES_TO_REPORT
from verify.errors import Limited, Refused
from verify.operators import OPERATORS_CHAIN, SESSION_SECONDS
from verify.oversight import EVENTS, Oversight
from verify.standing import Standing
from verify.tally import HOUR_SECONDS, summed

router = APIRouter(prefix="/ops", include_in_schema=False, route_class=ConsoleRoute)

E = TypeVar("E", bound=StrEnum)

Below = Annotated[int | None, Query(ge=0, lt=10**9)]
"""Number of an entry; those before it are shown."""

CASES_A_PAGE = 25
ENTRIES_A_PAGE = 50
CHECKPOINTS_A_PAGE = 20
CHECKPOINTS_VERIFIED = 500
DAY_HOURS = 24
WEEK_HOURS = 24 * 7
PROCESS = f"{socket.gethostname()}:{os.getpid()}"


@router.get("/sign-in")
async def sign_in_form(who: Anybody) -> Response:
    """The form for a key."""
    answer = who.page("sign_in.html", refused=None)
    who.set_cookie(answer, FORM_COOKIE, who.secret, seconds=SESSION_SECONDS)
    return answer


@router.post("/sign-in")
async def sign_in(who: Anybody) -> Response:
    """Begin a session. What is wrong with a key is not said."""
    key = (await form_of(who)).get("key", "").strip()
    address = who.request.client.host if who.request.client else "local"
    try:
        secret = await who.services.operators.sign_in(key, address=address)
    except (Refused, Limited) as error:
        problem = problem_of(error)
        who.services.metrics.problems.labels(code=problem.code).inc()
        who.request.state.problem_code = problem.code
        answer = who.page("sign_in.html", status=problem.status, refused=problem.code)
        if problem.retry_after is not None:
            answer.headers["retry-after"] = str(max(1, round(problem.retry_after)))
        return answer
    return begin_session(who, secret)


@router.post("/sign-out")
async def sign_out(who: SignedIn) -> Response:
    """End the session, at once and for good."""
    await form_of(who)
    await who.services.operators.sign_out(who.secret)
    return end_session(who)


@router.get("")
async def overview(who: SignedIn, mode: Mode = "live") -> Response:
    """What happens now."""
    return who.page("overview.html", **await _live(who, mode))


@router.get("/live")
async def live(who: SignedIn, mode: Mode = "live") -> Response:
    """The part of the overview that renews itself."""
    return who.page("live.html", **await _live(who, mode))


@router.get("/latency")
async def latency(who: SignedIn) -> Response:
    """How long each stage took in the last hour, in this process."""
    stages = who.services.metrics.latencies.last_hour(now=perf_counter())
    return who.page("latency.html", stages=stages, process=PROCESS)


@router.get("/outcomes")
async def outcomes(who: SignedIn, mode: Mode = "live") -> Response:
    """How sessions ended, and why."""
    tally, now = who.services.tally, await who.services.store.now()
    hours = await tally.by_hour(DAY_HOURS, mode=mode, now=now)
    rows = outcome_rows(await tally.last_hour(mode=mode, now=now), hours)
    return who.page("outcomes.html", mode=mode, rows=rows)


@router.get("/signals")
async def signals(who: Auditing, mode: Mode = "live") -> Response:
    """Which signals decided, and which signs of fraud fired."""
    tally, now = who.services.tally, await who.services.store.now()
    hours = await tally.by_hour(WEEK_HOURS, mode=mode, now=now)
    rows = signal_rows(hours, day_hours=DAY_HOURS)
    return who.page("signals.html", mode=mode, rows=rows, policy=who.services.policy.version)


@router.get("/cases")
async def cases(
    who: SignedIn, mode: Mode = "live", state: str = "", cursor: str | None = None, case: str = ""
) -> Response:
    """Cases of all clients, newest first, without the people in them; or the way to one of them."""
    if case.strip():
        return await show_case(case.strip(), who)
    wanted = _choice(CaseState, state)
    page = await who.services.oversight.cases(mode=mode, state=wanted, cursor=cursor, limit=CASES_A_PAGE)
    return who.page("cases.html", mode=mode, state=state, states=tuple(CaseState), page=page)


@router.get("/cases/{case_id}")
async def show_case(case_id: str, who: SignedIn, below: Below = None) -> Response:
    """One case, masked. That it was looked at is written down first."""
    return await _case_page(who, case_id, below=below, checked=None)


@router.post("/cases/{case_id}")
async def verify_case(case_id: str, who: Auditing) -> Response:
    """Verify the chain of one case."""
    await form_of(who)
    known = (await who.services.oversight.case(case_id)).view.file.case.id
    await who.services.operators.record(who.operator, "operator.verified", {"case": known})
    return await _case_page(who, known, below=None, checked=await check_chain(who.services.store, known))


@router.get("/audit")
async def search_audit(who: Auditing, query: Annotated[AuditQuery, Query()]) -> Response:
    """Audit entries by case, kind and time. What is searched for is written down first."""
    asked = query.checked(now=await who.services.store.now())
    await who.services.operators.record(who.operator, "operator.searched", asked.details())
    page = await who.services.oversight.search(
        mode=query.mode,
        events=asked.events,
        since=asked.since.timestamp(),
        before=asked.before.timestamp(),
        chain=asked.chain,
        cursor=query.cursor,
        limit=ENTRIES_A_PAGE,
    )
    return who.page("audit.html", page=page, asked=asked, query=query, mode=query.mode, events=EVENTS)


@router.get("/checkpoints")
async def show_checkpoints(who: SignedIn) -> Response:
    """The newest checkpoints."""
    return await _checkpoints_page(who, findings=None)


@router.post("/checkpoints")
async def verify_checkpoints(who: Auditing) -> Response:
    """Verify the newest checkpoints: signatures, order, and the tree's root."""
    await form_of(who)
    await who.services.operators.record(who.operator, "operator.verified", {"log": "checkpoints"})
    keys = who.services.checkpoints.ring.ring.published()
    found = await check_newest(who.services.store, expected_keys=keys, most=CHECKPOINTS_VERIFIED)
    return await _checkpoints_page(who, findings=found)


@router.get("/operators")
async def operators(who: Auditing, below: Below = None) -> Response:
    """Who has a key, and what was done with it."""
    page = await who.services.oversight.chain(OPERATORS_CHAIN, below=below, limit=ENTRIES_A_PAGE)
    return who.page("operators.html", page=page, operators=await who.services.operators.list())


@router.get("/system")
async def system(who: SignedIn) -> Response:
    """What runs here: readiness, models, policy, settings."""
    services = who.services
    return who.page(
        "system.html",
        checks=await readiness(services),
        engine=services.engine.describe(),
        models=models_in_use(services.engine),
        policy=services.policy,
        minimum_rules=services.cases.minimum.version,
        settings=settings_shown(services.settings),
        process=PROCESS,
    )


async def _live(who: Visitor, mode: Mode) -> dict[str, Any]:
    services = who.services
    now = await services.store.now()
    newest = await services.checkpoints.newest()
    hours = await services.tally.by_hour(DAY_HOURS, mode=mode, now=now)
    return {
        "mode": mode,
        "now": now,
        "process": PROCESS,
        "live_sessions": services.live.admission.taken,
        "live_limit": services.settings.live_sessions,
        "size": await services.oversight.size(),
        "faces_to_report": FACES_TO_REPORT,
        "newest": newest,
        "hour": outcome_sums(await services.tally.last_hour(mode=mode, now=now)),
        "day": outcome_sums(summed(hours)),
        "by_hour": [sum(outcome_sums(hour).values()) for hour in hours],
        "happened_hour": await services.oversight.happened(mode=mode, since=now - HOUR_SECONDS),
        "happened_day": await services.oversight.happened(mode=mode, since=now - DAY_HOURS * HOUR_SECONDS),
    }


async def _case_page(who: Visitor, case_id: str, *, below: int | None, checked: Any) -> Response:
    oversight: Oversight = who.services.oversight
    seen = await oversight.case(case_id)
    known = seen.view.file.case.id
    await who.services.operators.record(who.operator, "operator.looked", {"case": known})
    return who.page(
        "case.html",
        seen=seen,
        case=seen.view.file.case,
        file=seen.view.file,
        page=await oversight.chain(known, below=below, limit=ENTRIES_A_PAGE),
        verified={Standing.VERIFIED, Standing.REDEEMED},
        checked=checked,
    )


async def _checkpoints_page(who: Visitor, *, findings: Any) -> Response:
    services = who.services
    state = await services.store.ledger.state()
    first = max(0, state.checkpoints - CHECKPOINTS_A_PAGE)
    newest = await services.checkpoints.list(after=first, limit=CHECKPOINTS_A_PAGE)
    return who.page(
        "checkpoints.html",
        state=state,
        checkpoints=newest[::-1],
        findings=findings,
        most=CHECKPOINTS_VERIFIED,
        last=await last_audit(services.store),
        every=services.settings.checkpoint_seconds,
    )


def _choice(kind: type[E], given: str) -> E | None:
    """What a form names of a list; None if it names nothing. Raises ConsoleError `search_invalid`."""
    try:
        return kind(given) if given else None
    except ValueError:
        raise search_invalid("state", f"one of {', '.join(kind)}, or none for all") from None
