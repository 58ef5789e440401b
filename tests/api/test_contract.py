"""The service against its own OpenAPI document: whatever is sent, no fault, and no answer that is not documented.

Half of the requests are about a case that exists, so that they get beyond "there is no such thing".
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.phone.online import Phone
from benchmarks.phone.person import Actor
from benchmarks.registration import Registrant, Registration
from benchmarks.service import Service, running_service

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("contract") / "data", compare_per_minute="100000") as running:
        yield running


@pytest.fixture(scope="module")
def known(service: Service, portraits: dict[str, bytes]) -> dict[str, str]:
    """Names of path parameters → ids that exist; and a code, a grant."""
    return asyncio.run(_prepared(service, portraits["person_a_1"]))


async def _prepared(service: Service, photo: bytes) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {service.api_key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as http:
        desk = Registration(http)
        people = [
            Registrant(name="张三", role="shareholder", id_number=f"E1234567{number}", photo=photo) for number in (1, 2)
        ]
        filing = await desk.open(*people)
        first, second = filing.subjects
        grant = await Phone(http=http, actor=Actor, rng=None).agree(await desk.invite(filing, first))
        webhook = await http.post("/v1/webhooks", json={"url": "https://receiver.example/heyan", "types": ["*"]})
        found = {"case_id": filing.id, "subject_id": second, "grant": grant.secret}
        return found | ({"webhook_id": webhook.json()["id"]} if webhook.is_success else {})


def test_no_answer_is_a_fault_or_undocumented(service: Service, known: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 40
    for operation in operations:
        _tried(operation, service, known)


def _tried(operation: Any, service: Service, known: dict[str, str]) -> None:
    secret = known["grant"] if operation.path.startswith("/v1/sessions") else service.api_key

    @given(case=operation.as_strategy(), exists=booleans())
    @settings(max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def one(case: Any, *, exists: bool) -> None:
        if exists:
            case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
        case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=CHECKS, timeout=30)

    one()
