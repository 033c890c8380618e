"""Handlers that create, update and delete services (rest-api §2.4): they write and retract aspects.

What arrives here is listed and never run: a command is the user's to give (`--service`, `services add`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._core.messages import Request, Response
from .asked import flag, json_body, parameters, reply
from .aspect_store import NotUnique
from .identity import SCHEMA_SERVICE, SCHEMA_TOOL, urn, uuid_of
from .reach_rules import check_catalogue
from .refusals import conflict, forbidden, invalid, missing, not_unique
from .routes import route
from .services import whole

if TYPE_CHECKING:
    from .platform import LocalPlatform

_TEXTS = ("id", "description", "controller-schema", "policy")
_KNOWN = {*_TEXTS, "name", "parameters", "controller", "tags"}


@route("POST", "/1/services2")
def create_service(platform: LocalPlatform, request: Request) -> Response:
    """Make a service known: 201, or 409 where it is known already."""
    check_catalogue(platform)
    service, told = _definition(request)
    if platform.catalogue().find(service) is not None:
        raise conflict(service, f"there is a service {service}; PUT changes it")
    return _write(platform, request, service, told, 201)


@route("PUT", "/1/services2/{id}")
def update_service(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Change what is said of a service; with `force-create=true` also of one that is not known yet."""
    check_catalogue(platform)
    uuid = uuid_of(id, "service")
    service, told = _definition(request)
    if uuid is None or urn("service", uuid) != service:
        raise invalid("id", f"the body describes another service than the address, {id}", service)
    if platform.catalogue().find(service) is None and not flag(parameters(request), "force-create", False):
        raise missing(service, f"there is no service {service}; force-create=true makes it", kind="service")
    return _write(platform, request, service, told, 200)


@route("DELETE", "/1/services2/{id}")
def delete_service(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Retract what is said of a service."""
    check_catalogue(platform)
    service = _foreign(platform, id)
    for schema in (SCHEMA_SERVICE, SCHEMA_TOOL):
        for row in platform.store.aspects.live(service, schema):
            platform.store.aspects.retract(row.id)
    return Response(204)


def _write(platform: LocalPlatform, request: Request, service: str, told: dict[str, Any], status: int) -> Response:
    _foreign(platform, service, known=False)
    content = {"$schema": SCHEMA_SERVICE, "$id": service, **{key: told[key] for key in told if key in _KNOWN - {"id"}}}
    try:
        platform.store.aspects.update(service, SCHEMA_SERVICE, content, policy=told["policy"])
    except NotUnique as problem:
        raise not_unique(str(problem)) from problem
    found = platform.catalogue().find(service)
    assert found is not None
    base = platform.base(request)
    return reply(status, whole(found, base), {"location": f"{base}/1/services2/{service}"} if status == 201 else None)


def _foreign(platform: LocalPlatform, id: str, *, known: bool = True) -> str:
    """Return the URN of a service of which only aspects speak.

    Raises:
        Refusal: It is one that runs here (403), or, where it must be known, is not (404).
    """
    found = platform.catalogue().find(id)
    if found is not None and found.spec is not None:
        raise forbidden(
            f"{found.name or id} runs on this machine and says itself what it is; change its program, or take it away"
            " with 'ivcap-mcp services remove'"
        )
    if found is None and known:
        raise missing(id, f"there is no service {id}", kind="service")
    return found.urn if found is not None else id


def _definition(request: Request) -> tuple[str, dict[str, Any]]:
    """Return the URN of a service and its definition, checked.

    Raises:
        Refusal: What is wrong with it (422).
    """
    told = json_body(request)
    if not isinstance(told, dict):
        raise invalid("body", "a service definition is a JSON object")
    for key in _TEXTS:
        value = told.get(key)
        if not isinstance(value, str) or (key != "description" and not value.startswith("urn:")):
            raise invalid(key, "a text is expected" if key == "description" else "a URN is expected", _shown(value))
    uuid = uuid_of(told["id"], "service")
    if uuid is None or told["id"] != urn("service", uuid):
        raise invalid("id", "urn:ivcap:service:<uuid> is expected", told["id"])
    if told.get("name") is not None and not isinstance(told["name"], str):
        raise invalid("name", "a text is expected", _shown(told["name"]))
    listed = told.get("parameters")
    if not isinstance(listed, list) or not all(_named(one) for one in listed):
        raise invalid("parameters", "a list of objects with name, type and description is expected")
    if "controller" not in told:
        raise invalid("controller", "it is needed")
    tags = told.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise invalid("tags", "a list of texts is expected")
    return told["id"], told


def _named(parameter: object) -> bool:
    return isinstance(parameter, dict) and all(
        isinstance(parameter.get(key), str) for key in ("name", "type", "description")
    )


def _shown(value: object) -> str | None:
    return None if value is None else str(value)
