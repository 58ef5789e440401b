"""A case as a package for the client's archive."""

from fastapi import APIRouter, Response

from api.dependencies import CallingClient, ServicesNow

router = APIRouter(prefix="/v1/cases", tags=["audit"])

ZIP = "application/zip"


@router.get(
    "/{case_id}/archive",
    response_class=Response,
    responses={200: {"description": "ZIP file; docs/receipts.md describes it", "content": {ZIP: {}}}},
)
async def archive_of_case(case_id: str, client: CallingClient, services: ServicesNow) -> Response:
    """Result, receipts, the whole audit chain and the proof that a checkpoint covers it, in one signed package.

    It can be checked offline (`heyan archive verify`), and holds no name, no number and no picture.
    """
    content = await services.archives.pack(client, case_id)
    return Response(content, media_type=ZIP, headers={"content-disposition": f'attachment; filename="{case_id}.zip"'})
