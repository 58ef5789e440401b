"""The body of every error."""

from pydantic import BaseModel, ConfigDict, Field


class ProblemBody(BaseModel):
    """A problem document (RFC 9457). Tell errors apart by `code`; docs/errors.md lists them all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "code": "case_unknown",
                    "detail": "there is no such case, or it belongs to another client",
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="stable, short")
    detail: str = Field(description="what is wrong, and how to mend it")
    fields: list[str | dict[str, str]] = Field(
        default=[],
        description="of `restated_field_mismatch` the names; of `request_invalid` objects with `field` and `problem`",
    )
    receipt_id: str | None = Field(default=None, description="of `token_already_redeemed`, to whose redemption it was")
    receipt_ids: list[str] = Field(default=[], description="of a whole case that is redeemed again")
