"""Handlers of `/1/services`, the older family (rest-api §2.11): the same services, as old programs read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._core.messages import Request, Response
from . import filters, times
from .asked import listing, ordered, page, present, reply
from .identity import ACCOUNT
from .refusals import missing, not_here
from .routes import route
from .services import FIELDS, parameters_of, record_of, status_of

if TYPE_CHECKING:
    from .platform import LocalPlatform

_INSTEAD = (
    "definitions of /1/services are container workflows, which are not run here; use /1/services2, or --service to run"
    " an AI tool"
)


@route("GET", "/1/services")
def list_old(platform: LocalPlatform, request: Request) -> Response:
    """List services, by name unless told otherwise."""
    asked = listing("old services", "/1/services", request, platform.store.now())
    condition, base = asked.condition(FIELDS), platform.base(request)
    found = []
    for service in platform.catalogue().all(asked.told_at):
        record = record_of(service)
        if condition is None or filters.matches(condition, record):
            item = present(
                id=service.urn,
                account=ACCOUNT,
                href=f"{base}/1/services/{service.urn}",
                name=service.name or None,
                description=service.description or None,
                policy=service.policy,
                published_at=None if service.valid_from is None else times.rfc3339(service.valid_from),
            )
            found.append((record, service.urn, item))
    shown, more = ordered(asked, found, sorted(FIELDS), "name")
    return page(asked, base, [json.dumps(item) for item in shown], more)


@route("GET", "/1/services/{id}")
def read_old(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Read one service."""
    service = platform.catalogue().find(id)
    if service is None:
        raise missing(id, f"there is no service {id}", kind="service")
    href = f"{platform.base(request)}/1/services/{service.urn}"
    body = present(
        id=service.urn,
        status=status_of(service),
        account=ACCOUNT,
        name=service.name or None,
        description=service.description,
        parameters=parameters_of(service),
        links=[{"rel": "self", "type": "application/json", "href": href}],
    )
    return reply(200, body)


@route("POST", "/1/services")
def create_old(platform: LocalPlatform, request: Request) -> Response:
    """Refuse: a workflow of containers."""
    raise not_here(_INSTEAD)


@route("PUT", "/1/services/{id}")
def update_old(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Refuse: a workflow of containers."""
    raise not_here(_INSTEAD)


@route("DELETE", "/1/services/{id}")
def delete_old(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Refuse: a workflow of containers."""
    raise not_here(_INSTEAD)
