"""Handlers of `/1/services2`: list and read (rest-api §2.1, §2.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .._core.messages import Request, Response
from . import filters, times
from .asked import listing, ordered, page, present, reply
from .catalogue import Service
from .identity import ACCOUNT
from .refusals import missing
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

REST = "urn:ivcap:schema.service.rest.1"
BATCH = "urn:ivcap:schema.service.batch.1"

FIELDS = frozenset({"id", "name", "description", "controller-schema", "policy", "status"})
"""What a filter may name."""

SORTED = (*sorted(FIELDS), "valid-from", "valid-to")
_TYPES = {"string", "int", "float", "bool", "option", "artifact", "collection"}


@route("GET", "/1/services2")
def list_services(platform: LocalPlatform, request: Request) -> Response:
    """List services, by name unless told otherwise; with `search`, the best matches first and with a score."""
    asked = listing("services", "/1/services2", request, platform.store.now())
    condition = asked.condition(FIELDS)
    search = asked.query.get("search")
    base = platform.base(request)
    found: list[tuple[Mapping[str, object], str, dict[str, object]]] = []
    for service in platform.catalogue().all(asked.told_at):
        record = record_of(service)
        if condition is not None and not filters.matches(condition, record):
            continue
        score = score_of(search, service) if search else None
        if score == 0:
            continue
        found.append(({**record, "score": score or 0.0}, service.urn, _item(service, base, score)))
    if search:
        asked = replace(asked, query={**asked.query, "order-by": "score", "order-desc": "true"})
    shown, more = ordered(asked, found, (*SORTED, "score") if search else SORTED, "name")
    return page(asked, base, [json.dumps(item) for item in shown], more)


@route("GET", "/1/services2/{id}")
def read_service(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Read one service."""
    service = platform.catalogue().find(id)
    if service is None:
        raise missing(id, f"there is no service {id}", kind="service")
    return reply(200, whole(service, platform.base(request)))


def whole(service: Service, base: str) -> dict[str, object]:
    """Write a service as `ServiceStatusRT` (rest-api §2.2)."""
    content = service.content
    tags = content.get("tags")
    return present(
        id=service.urn,
        name=service.name or None,
        description=service.description,
        status=status_of(service),
        parameters=parameters_of(service),
        controller_schema=_controller(service),
        controller=content.get("controller") or {},
        policy=service.policy,
        account=ACCOUNT,
        tags=[tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else None,
        valid_from=_time(service.valid_from),
        valid_to=_time(service.valid_to),
        links=[{"rel": "self", "type": "application/json", "href": f"{base}/1/services2/{service.urn}"}],
    )


def status_of(service: Service) -> str:
    """`active` if it can be run here and has said what it is, `error` if it does not start; a service of which only
    aspects speak is `inactive`.
    """
    if service.trouble:
        return "error"
    return "active" if service.described and service.spec is not None else "inactive"


def parameters_of(service: Service) -> list[dict[str, object]]:
    """Return the parameters of a service as clients can parse them."""
    return [_parameter(told) for told in _list(service.content.get("parameters"))]


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


def record_of(service: Service) -> dict[str, object]:
    """Return what a service can be filtered and sorted by."""
    return {
        "id": service.urn,
        "name": service.name,
        "description": service.description,
        "controller-schema": _controller(service),
        "policy": service.policy,
        "status": status_of(service),
        "valid-from": service.valid_from or 0,
        "valid-to": service.valid_to or 2**62 - 1,
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


def score_of(text: str, service: Service) -> float:
    """Return how well a service fits a search, from 0 to 1.

    The share of its words that are found, in the name counting more than in the description and whole words more than
    their beginnings. No model of language is at work here, so words of the same meaning are different words.
    """
    words = set(re.findall(r"\w+", text.lower()))
    if not words:
        return 0.0
    name, described = (re.findall(r"[^\W_]+", part.lower()) for part in (service.name, service.description))
    points = sum(max(4 * _fit(word, name), 2 * _fit(word, described)) for word in words)
    return round(points / (4 * len(words)), 4)


def _fit(word: str, among: list[str]) -> float:
    """1 for the word itself, three quarters where one is the beginning of the other ("sum", "sums")."""
    if word in among:
        return 1.0
    return (
        0.75
        if any(min(len(word), len(one)) > 2 and (one.startswith(word) or word.startswith(one)) for one in among)
        else 0.0
    )


def _time(moment: int | None) -> str | None:
    return None if moment is None else times.rfc3339(moment)
