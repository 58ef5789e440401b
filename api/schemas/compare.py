"""Bodies of the 1:1 comparison."""

from pydantic import ConfigDict, Field

from api.schemas.base import EXAMPLE_PHOTO, Body, Photo


class ComparePhotos(Body):
    """Two photos with one face each."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"photo_a": EXAMPLE_PHOTO, "photo_b": EXAMPLE_PHOTO}]})

    photo_a: Photo
    photo_b: Photo


class CompareResult(Body):
    """Pass or fail; never a score."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"match": True, "reason": "match", "policy": "open-5", "contract": "sface-2021dec/1"}]
        }
    )

    match: bool
    reason: str = Field(description="`match` or `mismatch`")
    policy: str = Field(description="version of the thresholds")
    contract: str = Field(description="weights and preprocessing behind the comparison")
