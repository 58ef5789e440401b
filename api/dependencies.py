"""What routes ask for: the services of this process, and who is calling.

All of it is `async`, though some of it waits for nothing: a plain function would be run on another thread, a hand-over
that costs more than what it does.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.composition import Services
from api.errors import CredentialMissingError, ForbiddenError, UnauthorizedError
from verify.clients import Client
from verify.officers import Officer

api_key = HTTPBearer(auto_error=False, scheme_name="API key", description="`hk_live_…` or `hk_test_…`")
officer_key = HTTPBearer(auto_error=False, scheme_name="Officer key", description="`hk_officer_…`, by the operator")
capture_grant = HTTPBearer(auto_error=False, scheme_name="Capture grant", description="from `/v1/invites/exchange`")
session_secret = HTTPBearer(auto_error=False, scheme_name="Session secret", description="from `POST /v1/sessions`")

Bearer = HTTPAuthorizationCredentials | None


def services_of(request: Request) -> Services:
    """The services that the composition root opened."""
    services: Services = request.app.state.services
    return services


async def services_now(request: Request) -> Services:
    """The same, for routes."""
    return services_of(request)


ServicesNow = Annotated[Services, Depends(services_now)]


async def calling_key(bearer: Annotated[Bearer, Security(api_key)]) -> str:
    """The API key that came with the request."""
    if bearer is None:
        raise UnauthorizedError
    return bearer.credentials


CallingKey = Annotated[str, Depends(calling_key)]


def client_with(scope: str) -> Callable[[ServicesNow, CallingKey], Awaitable[Client]]:
    """A dependency: the client that the API key belongs to, if the key has the scope."""

    async def calling_client(services: ServicesNow, key: CallingKey) -> Client:
        client = await services.clients.authenticate(key)
        if scope not in client.scopes:
            raise ForbiddenError(scope)
        return client

    return calling_client


CallingClient = Annotated[Client, Depends(client_with("cases"))]
ComparingClient = Annotated[Client, Depends(client_with("compare"))]


async def calling_officer(services: ServicesNow, bearer: Annotated[Bearer, Security(officer_key)]) -> Officer:
    """The officer whose key came with the request. A client's key is none."""
    if bearer is None:
        raise CredentialMissingError("officer key")
    return await services.officers.authenticate(bearer.credentials)


CallingOfficer = Annotated[Officer, Depends(calling_officer)]


async def grant_of(bearer: Annotated[Bearer, Security(capture_grant)]) -> str:
    """The capture grant that a phone sends."""
    if bearer is None:
        raise CredentialMissingError("capture grant")
    return bearer.credentials


async def session_secret_of(bearer: Annotated[Bearer, Security(session_secret)]) -> str:
    """The session secret that a phone sends."""
    if bearer is None:
        raise CredentialMissingError("session secret")
    return bearer.credentials


Grant = Annotated[str, Depends(grant_of)]
SessionSecret = Annotated[str, Depends(session_secret_of)]
