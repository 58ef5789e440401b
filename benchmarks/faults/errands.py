"""People who use the service all the while: they open cases, verify, redeem, and remember what they were told.

Tokens are those of test mode: the way to them is short, the way through redemption the same as in live mode.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from time import monotonic
from typing import Any

import httpx

from benchmarks.faults.town import Replica, Town
from benchmarks.registration import Filing, Registrant, Registration, new_case

ANSWER_SECONDS = 10.0
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 60.0
"""For so long a redemption whose answer was lost is asked for again."""
OK, CONFLICT = 200, 409
AWAY = frozenset({503})


class _NotNowError(Exception):
    """The service is not there, or says that it cannot."""


@dataclass(slots=True)
class Told:
    """What all callers were told. `wrong`: what must never happen, in words."""

    cases: set[str] = field(default_factory=set)
    receipts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By case."""
    redeemed: Counter[str] = field(default_factory=Counter)
    """Successes by token."""
    answers: Counter[str] = field(default_factory=Counter)
    """Of those that were no success: codes, and lost connections."""
    wrong: list[str] = field(default_factory=list)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of redemptions that succeeded, by token."""
    successes: list[tuple[int, float]] = field(default_factory=list)
    """Replica and monotonic time of every redemption."""

    def acknowledged(self) -> "Acknowledged":
        """As of now."""
        receipts = {case: frozenset(some) for case, some in self.receipts.items()}
        return Acknowledged(frozenset(self.cases), receipts, frozenset(self.redeemed))

    def keep_only(self, before: "Acknowledged") -> list[dict[str, Any]]:
        """Forget what was told since; gives the redemptions that succeeded since."""
        self.cases = set(before.cases)
        self.receipts = defaultdict(set, {case: set(some) for case, some in before.receipts.items()})
        return [body for token, body in self.bodies.items() if token not in before.redeemed]

    def recovered(self, replicas: set[int], *, since: float) -> float | None:
        """Seconds until each of these replicas had redeemed a token; None if one has not."""
        first = {
            number: min((at for replica, at in self.successes if replica == number and at >= since), default=None)
            for number in replicas
        }
        known = [at for at in first.values() if at is not None]
        return max(known) - since if len(known) == len(first) else None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What had been told at one moment."""

    cases: frozenset[str]
    receipts: Mapping[str, frozenset[str]]
    redeemed: frozenset[str]


@dataclass(slots=True)
class Callers:
    """Some callers for each replica."""

    town: Town
    photo: bytes
    told: Told = field(default_factory=Told)
    _numbers: "count[int]" = field(default_factory=count, init=False)

    async def run(self, *, each: int, over: asyncio.Event) -> None:
        """Errand after errand until it is `over`; then those that are under way are ended."""
        headers = {"Authorization": f"Bearer {self.town.api_key}"}
        async with httpx.AsyncClient(headers=headers, timeout=ANSWER_SECONDS) as http:
            places = [place for place in range(len(self.town.replicas)) for _ in range(each)]
            await asyncio.gather(*(self._caller(http, place, over) for place in places))

    async def _caller(self, http: httpx.AsyncClient, place: int, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                await self._errand(http, place)
            except _NotNowError:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _errand(self, http: httpx.AsyncClient, place: int) -> None:
        """Two people of a case, of whom one verifies: one token, redeemed once, refused the second time."""
        replica, number = self.town.replicas[place], next(self._numbers)
        people = [self._person("Test Accepted", 2 * number), self._person("Test Mismatch", 2 * number + 1)]
        case = await self._ask(http, replica, "/v1/cases", new_case(*people))
        filing = Filing(case=case)
        self.told.cases.add(filing.id)
        verified, stranger = filing.subjects
        at = f"/v1/cases/{filing.id}/subjects"
        await self._ask(http, replica, f"{at}/{verified}/simulate".replace("/v1/", "/v1/test/"), None)
        token = (await self._ask(http, replica, f"{at}/{verified}/tokens", None))["token"]
        await self._must_refuse(http, replica, f"{at}/{stranger}/tokens", None, "a token for whoever did not verify")
        restated = Registration(http).restated(filing, verified)
        body = {"token": token, **restated}
        wrong_role = {**body, "role": "legal_representative"}
        await self._must_refuse(http, replica, "/v1/tokens/redeem", wrong_role, "a redemption for another role")
        await self._redeem(http, place, body, filing.id)
        await self._must_refuse(http, replica, "/v1/tokens/redeem", body, "a second redemption")

    async def _redeem(self, http: httpx.AsyncClient, place: int, body: dict[str, Any], case: str) -> None:
        """Until there is an answer: a success, or that it was redeemed already, with the receipt."""
        until = monotonic() + PATIENCE_SECONDS
        while monotonic() < until:
            try:
                answer = await self._send(http, self.town.replicas[place], "/v1/tokens/redeem", body)
            except _NotNowError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            content = answer.json()
            receipt = content.get("id") if answer.status_code == OK else content.get("receipt_id")
            if receipt is None:
                self.told.answers[str(content["code"])] += 1
                return
            self.told.receipts[case].add(str(receipt))
            if answer.status_code == OK:
                self.told.redeemed[str(body["token"])] += 1
                self.told.bodies[str(body["token"])] = body
            self.told.successes.append((place, monotonic()))
            return
        self.told.wrong.append("a redemption got no answer for a minute")

    async def _must_refuse(
        self, http: httpx.AsyncClient, replica: Replica, path: str, body: dict[str, Any] | None, what: str
    ) -> None:
        answer = await self._send(http, replica, path, body)
        if answer.is_success:
            self.told.wrong.append(f"{what} was given")

    async def _ask(
        self, http: httpx.AsyncClient, replica: Replica, path: str, body: dict[str, Any] | None
    ) -> dict[str, Any]:
        answer = await self._send(http, replica, path, body)
        content: dict[str, Any] = answer.json()
        if not answer.is_success:
            self.told.answers[str(content["code"])] += 1
            raise _NotNowError
        return content

    async def _send(
        self, http: httpx.AsyncClient, replica: Replica, path: str, body: dict[str, Any] | None
    ) -> httpx.Response:
        """Raises _NotNowError where the service is away."""
        if replica.url is None:
            self.told.answers["not_there"] += 1
            raise _NotNowError
        try:
            answer = await http.post(replica.url + path, json=body)
        except httpx.TransportError:
            self.told.answers["connection_lost"] += 1
            raise _NotNowError from None
        if answer.status_code in AWAY:
            self.told.answers[str(answer.json()["code"])] += 1
            raise _NotNowError
        return answer

    def _person(self, name: str, number: int) -> Registrant:
        return Registrant(name=name, role="shareholder", id_number=f"E{number:08d}", photo=self.photo)
