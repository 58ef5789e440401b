"""Bodies of test mode."""

from pydantic import Field

from api.schemas.base import Body


class SimulatedBody(Body):
    """How a simulated attempt ended."""

    outcome: str = Field(
        description="`accepted`, `retry`, `rejected`, `referred`, `declined`, `reference_unusable` or `timed_out`"
    )
    reason: str | None = Field(description="the public code that a phone would be told")
    state: str = Field(description="of the subject, as in the case")
