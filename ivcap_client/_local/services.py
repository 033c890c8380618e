"""Handlers of `/1/services2`: list and read (rest-api §2.1, §2.2). Nothing is written by these routes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from .._core.messages import Request, Response
from . import filters, times
from .asked import listing, page, present, reply
from .catalogue import Service
from .cursors import Key
from .identity import ACCOUNT
from .refusals import missing, not_here
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

REST = "urn:ivcap:schema.service.rest.1"
BATCH = "urn:ivcap:schema.service.batch.1"

FIELDS = frozenset({"id", "name", "description", "controller-schema", "policy", "status"})
_TYPES = {"string", "int", "float", "bool", "option", "artifact", "collection"}
_INSTEAD = (
    "the embedded platform takes services from --service, 'ivcap-mcp services add' or services/*.toml,"
    " and their descriptions from aspects"
)


@route("GET", "/1/services2")
def list_services(platform: LocalPlatform, request: Request) -> Response:
    """List services, by name unless told otherwise; with `search`, the best matches first and with a score."""
    asked = listing("services", "/1/services2", request, platform.store.now())
    at = asked.at if "at-time" in asked.query else None
    condition = asked.condition(FIELDS)
    search = asked.query.get("search")
    base, found = platform.base(request), []
    by = _order_by(asked.query.get("order-by"))
    for service in platform.catalogue().all(at):
        if condition is not None and not filters.matches(condition, _record(service)):
            continue
        score = _score(search, service) if search else None
        if score == 0:
            continue
        found.append((_key(service, by, score), _item(service, base, score)))
    # With `search` the best come first; otherwise `order-desc` counts, which is true by default and turns
    # the order of times round, while names read from A to Z unless it was asked for.
    descending = search is not None or asked.descending("order-by" in asked.query)
    found.sort(key=lambda pair: pair[0], reverse=descending)
    if asked.after:
        last = asked.after
        found = [(key, item) for key, item in found if (key < last if descending else key > last)]
    shown = found[: asked.limit]
    more = shown[-1][0] if len(found) > asked.limit else None
    return page(asked, base, [json.dumps(item) for _, item in shown], more)


@route("GET", "/1/services2/{id}")
def read_service(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Read one service."""
    service = platform.catalogue().find(id)
    if service is None:
        raise missing(id, f"there is no service {id}")
    content = service.content
    tags = content.get("tags")
    body = present(
        id=service.urn,
        name=service.name or None,
        description=service.description,
        status="active" if service.described else "inactive",
        parameters=[_parameter(told) for told in _list(content.get("parameters"))],
        controller_schema=_controller(service),
        controller=content.get("controller") or {},
        policy=service.policy,
        account=ACCOUNT,
        tags=[tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else None,
        valid_from=_time(service.valid_from),
        valid_to=_time(service.valid_to),
        links=[
            {
                "rel": "self",
                "type": "application/json",
                "href": f"{platform.base(request)}/1/services2/{service.urn}",
            }
        ],
    )
    return reply(200, body)


@route("POST", "/1/services2")
def create_service(platform: LocalPlatform, request: Request) -> Response:
    """Refuse: what would be run must be named by the user of this machine."""
    raise not_here(_INSTEAD)


@route("PUT", "/1/services2/{id}")
def update_service(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Refuse: what would be run must be named by the user of this machine."""
    raise not_here(_INSTEAD)


@route("DELETE", "/1/services2/{id}")
def delete_service(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Refuse: what would be run must be named by the user of this machine."""
    raise not_here(_INSTEAD)


def _item(service: Service, base: str, score: float | None) -> dict[str, object]:
    return present(
        id=service.urn,
        href=f"{base}/1/services2/{service.urn}",
        controller_schema=_controller(service),
        name=service.name or None,
        description=service.description or None,
        valid_from=_time(service.valid_from),
        valid_to=_time(service.valid_to),
        score=score,
    )


def _record(service: Service) -> dict[str, object]:
    return {
        "id": service.urn,
        "name": service.name,
        "description": service.description,
        "controller-schema": _controller(service),
        "policy": service.policy,
        "status": "active" if service.described else "inactive",
    }


def _controller(service: Service) -> str:
    told = service.content.get("controller-schema")
    if isinstance(told, str) and told:
        return told
    return BATCH if getattr(service.spec, "kind", "rest") == "batch" else REST


def _parameter(told: dict[str, object]) -> dict[str, object]:
    """Return a parameter that clients can parse: known type, texts where they expect texts, and always `options`."""
    kind = told.get("type")
    known = present(
        name=str(told.get("name", "")),
        type=kind if isinstance(kind, str) and kind in _TYPES else "string",
        description=str(told.get("description") or ""),
        label=_word(told.get("label")),
        unit=_word(told.get("unit")),
        default=_word(told.get("default")),
        constant=told.get("constant") if isinstance(told.get("constant"), bool) else None,
        optional=told.get("optional") if isinstance(told.get("optional"), bool) else None,
        unary=told.get("unary") if isinstance(told.get("unary"), bool) else None,
    )
    known["options"] = [
        present(value=str(option.get("value", "")), description=_word(option.get("description")))
        for option in _list(told.get("options"))
    ]
    return known


def _word(value: object) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value)


def _list(value: object) -> list[dict[str, object]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _order_by(text: str | None) -> str:
    for name in (text or "").split(","):
        plain = name.strip().replace("_", "-")
        if plain in ("name", "id", "description", "valid-from", "valid-to"):
            return plain
    return "name"


def _key(service: Service, by: str, score: float | None) -> tuple[Key, ...]:
    if score is not None:
        return score, service.urn
    times_of = {"valid-from": service.valid_from or 0, "valid-to": service.valid_to or 2**62 - 1}
    if by in times_of:
        return times_of[by], service.urn
    return {"id": service.urn, "description": service.description[:200]}.get(by, service.name.lower()), service.urn


def _score(text: str, service: Service) -> float:
    """Return how well a service fits, from 0 to 1: the share of words found, those in the name counting double."""
    words = set(re.findall(r"\w+", text.lower()))
    if not words:
        return 0.0
    name, description = service.name.lower(), service.description.lower()
    points = sum(2 if word in name else 1 if word in description else 0 for word in words)
    return round(points / (2 * len(words)), 4)


def _time(moment: int | None) -> str | None:
    return None if moment is None else times.rfc3339(moment)
