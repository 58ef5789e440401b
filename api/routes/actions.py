"""Actions: what cases can be opened for."""

from collections.abc import Mapping

from fastapi import APIRouter, status

from api.client_route import ClientRoute
from api.dependencies import CallingClient, ServicesNow
from api.schemas.actions import ActionBody, ActionsBody, NewActionBody, RoleBody
from verify.actions import Action
from verify.minimum_rules import MinimumRules

router = APIRouter(prefix="/v1/actions", tags=["cases"], route_class=ClientRoute)


@router.post("", status_code=status.HTTP_201_CREATED)
async def register_action(body: NewActionBody, client: CallingClient, services: ServicesNow) -> ActionBody:
    """Register an action of the calling client. Registering the very same again is no error; changing it is."""
    action = Action(
        name=body.name,
        zh=body.zh,
        en=body.en,
        roles={name: (role.zh, role.en) for name, role in body.roles.items()},
        required=body.required_roles,
    )
    return _action_body(await services.cases.actions.register(client, action), services.cases.minimum)


@router.get("")
async def list_actions(client: CallingClient, services: ServicesNow) -> ActionsBody:
    """The statutory actions with the operator's minimum, then those of the calling client."""
    found = await services.cases.actions.list(client)
    return ActionsBody(actions=tuple(_action_body(action, services.cases.minimum) for action in found))


def _action_body(action: Action, minimum: MinimumRules) -> ActionBody:
    rule = minimum.rule_of(action)
    return ActionBody(
        name=action.name,
        zh=action.zh,
        en=action.en,
        statutory=action.statutory,
        roles={name: RoleBody(zh=zh, en=en) for name, (zh, en) in action.roles.items()},
        required_roles=dict(rule.roles),
        must_verify=dict(rule.verify) if isinstance(rule.verify, Mapping) else rule.verify,
    )
