"""Bodies of actions."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.schemas.base import Body

Words = Annotated[str, Field(min_length=1, max_length=100)]

_KNOWN: JsonDict = {"statutory": False, "must_verify": {}}
_PLEDGE: JsonDict = {
    "name": "client.pledge.register",
    "zh": "办理股权出质登记",
    "en": "register a pledge of shares",
    "roles": {"pledgee": {"zh": "质权人", "en": "pledgee"}},
    "required_roles": {"shareholder": 1, "pledgee": 1},
}


class RoleBody(Body):
    """A role in the client's words."""

    zh: Words
    en: Words


class NewActionBody(Body):
    """An action of the client. Its words are shown to people as the client's; it cannot be changed afterwards."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PLEDGE]})

    name: str = Field(max_length=64, description="`client.` and dotted lower-case words")
    zh: Words
    en: Words = Field(description='after "to": `register a pledge of shares`')
    roles: dict[str, RoleBody] = Field(default_factory=dict, max_length=20, description="beside the statutory roles")
    required_roles: dict[str, int] = Field(
        default_factory=dict, max_length=30, description="least number of holders by role"
    )


class ActionBody(Body):
    """An action that cases can be opened for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_PLEDGE, **_KNOWN}]})

    name: str
    zh: str
    en: str
    statutory: bool
    roles: dict[str, RoleBody] = Field(description="that the client has defined, beside the statutory roles")
    required_roles: dict[str, int] = Field(description="least number of holders by role")
    must_verify: Literal["all"] | dict[str, Literal["all"] | int] = Field(
        description="what a case's rule must guarantee at the least: `all`, or by role `all` or a number of people"
    )


class ActionsBody(Body):
    """The statutory actions, and those of the client."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"actions": [{**_PLEDGE, **_KNOWN}]}]})

    actions: tuple[ActionBody, ...]
