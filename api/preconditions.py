"""Entity tags of cases (RFC 9110, sections 8.8.3 and 13): `ETag`, `If-None-Match` and `If-Match`."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request, Response

from api.composition import Services
from api.errors import PreconditionFailedError
from verify.casefile import CaseFile
from verify.cases import CaseView, case_view, known_case
from verify.store import expecting

Handler = Callable[[Request], Awaitable[Response]]

PARAMETER = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "the `ETag` of the case as it was read: the request takes effect only if it is still so",
}


_TAG = {"headers": {"ETag": {"description": "names this version of the case", "schema": {"type": "string"}}}}

TAGGED: dict[int | str, dict[str, Any]] = {
    200: _TAG,
    304: {"description": "the case is as `If-None-Match` says", **_TAG},
}
"""Answers with the tag of a case."""


def entity_tag(view: CaseView) -> str:
    """A strong tag: another audit head, or a state that changed by the passing of time, makes another tag."""
    people = [(each, view.standings[each], view.progress[each]) for each in sorted(view.standings)]
    content = msgspec.json.encode((view.file.head, view.state, people))
    return f'"{sha256(content).hexdigest()[:32]}"'


def not_modified(request: Request, tag: str) -> Response | None:
    """304 if the client has this very version already."""
    asked = request.headers.get("if-none-match")
    known = {tag, f"W/{tag}", "*"}
    if asked is None or not any(each.strip() in known for each in asked.split(",")):
        return None
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"etag": tag})


async def run_if_match(request: Request, handle: Handler) -> Response:
    """Run a change of a case only if the case is as `If-Match` says, judged where the change is decided."""
    asked, case_id = request.headers.get("if-match"), request.path_params.get("case_id")
    if asked is None or case_id is None or request.method == "GET":
        return await handle(request)
    services: Services = request.app.state.services
    tags = {each.strip() for each in asked.split(",")}
    epoch = await services.store.epoch()

    def check(file: CaseFile, now: float) -> None:
        if "*" not in tags and entity_tag(case_view(file, now=now, epoch=epoch)) not in tags:
            raise PreconditionFailedError

    with expecting(known_case(case_id), check):
        return await handle(request)
