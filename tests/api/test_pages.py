from running_service import RunningApi


async def test_the_home_page_says_what_runs_here(api: RunningApi) -> None:
    page = await api.http.get("/about")
    assert "heyan 核验" in page.text
    assert "docs" in page.text


async def test_the_reference_lists_every_endpoint_and_loads_nothing_from_elsewhere(api: RunningApi) -> None:
    page = await api.http.get("/docs")
    paths = (await api.http.get("/openapi.json")).json()["paths"]
    assert all(path in page.text for path in paths)
    assert "http://" not in page.text.replace(str(api.http.base_url), "")
    assert "<script" not in page.text


async def test_every_answer_carries_the_careful_headers(api: RunningApi) -> None:
    for path in ("/", "/docs", "/healthz", "/nowhere", "/v1/cases/x"):
        headers = (await api.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"].startswith("req_")


async def test_what_is_not_there_is_a_problem_document(api: RunningApi) -> None:
    missing, wrong = await api.http.get("/nowhere"), await api.http.put("/v1/cases")
    assert [answer.json()["code"] for answer in (missing, wrong)] == ["not_found", "method_not_allowed"]


async def test_without_tls_there_is_no_certificate_authority(api: RunningApi) -> None:
    assert (await api.http.get("/ca.crt")).status_code == 404
