"""What the local platform says about itself: exactly the routes it answers, written from one table.

The cancel route is among them where something runs jobs; clients look for it there, because deployments have none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._core.messages import Request, Response
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

CANCEL_ROUTE = "/1/services2/{service-id}/jobs/{id}/cancel"

_LIST = ("limit", "page", "filter", "order-by", "order-desc", "at-time")
_TEXT: dict[str, Any] = {"type": "string"}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10},
    "order-desc": {"type": "boolean"},
    "order-direction": {"type": "string", "enum": ["ASC", "DESC"]},
    "at-time": {"type": "string", "format": "date-time"},
    "include-content": {"type": "boolean", "default": False},
    "with-request-content": {"type": "boolean", "default": False},
    "with-result-content": {"type": "boolean", "default": True},
    "force-create": {"type": "boolean", "default": False},
    "max-messages": {"type": "integer", "minimum": 1},
    "max-wait-time": {"type": "integer", "minimum": 0},
}
"""Types of parameters; those that are not named here are texts."""

_HEADERS: dict[str, dict[str, Any]] = {
    "X-Content-Length": {"type": "integer", "minimum": -1},
    "Upload-Offset": {"type": "integer", "minimum": 0},
    "Upload-Length": {"type": "integer", "minimum": 0},
    "Timeout": {"type": "number"},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One route as the description tells it; a parameter that ends with `!` is needed."""

    method: str
    path: str
    name: str
    summary: str
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    takes: str = ""
    gives: str = "application/json"
    done: tuple[int, ...] = (200,)
    refused: tuple[int, ...] = ()


_JOBS = "/1/services2/{service-id}/jobs"
_BLOB = "/1/artifacts/{id}/blob"
_JSON = "application/json"

OPERATIONS = (
    Operation("GET", "/1/openapi/openapi3.json", "openapi#read", "This description"),
    Operation("GET", "/1/services2", "service2#list", "List services", (*_LIST, "search")),
    Operation(
        "POST", "/1/services2", "service2#create", "Make a service known", takes=_JSON, done=(201,), refused=(409,)
    ),
    Operation("GET", "/1/services2/{id}", "service2#read", "Read a service", refused=(404,)),
    Operation(
        "PUT",
        "/1/services2/{id}",
        "service2#update",
        "Change what is said of a service",
        ("force-create",),
        takes=_JSON,
        refused=(404, 424),
    ),
    Operation("DELETE", "/1/services2/{id}", "service2#delete", "Retract a service", done=(204,), refused=(404,)),
    Operation("GET", _JOBS, "job#list", "List jobs of a service", _LIST, refused=(404,)),
    Operation(
        "POST",
        _JOBS,
        "job#create",
        "Create a job",
        headers=("Timeout", "IVCAP-Order-Id", "Idempotency-Key"),
        takes="*/*",
        done=(200, 202),
        refused=(404, 409, 413),
    ),
    Operation(
        "GET",
        _JOBS + "/{id}",
        "job#read",
        "Read a job",
        ("with-request-content", "with-result-content"),
        refused=(404,),
    ),
    Operation(
        "GET",
        _JOBS + "/{id}/output",
        "job#output",
        "Read the result of a job",
        gives="*/*",
        done=(200, 202, 204),
        refused=(404, 500),
    ),
    Operation(
        "GET",
        _JOBS + "/{id}/events",
        "job#events",
        "Follow the events of a job",
        ("max-messages", "max-wait-time"),
        ("Last-Event-Id",),
        gives="text/event-stream",
        refused=(404,),
    ),
    Operation("GET", "/1/artifacts", "artifact#list", "List artifacts", _LIST),
    Operation(
        "POST",
        "/1/artifacts",
        "artifact#create",
        "Create an artifact",
        headers=("X-Name", "X-Content-Type", "X-Content-Length", "X-Collection", "X-Policy", "Upload-Length"),
        done=(201,),
    ),
    Operation("GET", "/1/artifacts/{id}", "artifact#read", "Read an artifact", refused=(404,)),
    Operation("HEAD", _BLOB, "blob#offset", "Tell how many bytes have arrived", gives="", refused=(404,)),
    Operation(
        "PATCH",
        _BLOB,
        "blob#append",
        "Send bytes",
        headers=("Upload-Offset!", "Upload-Length", "Upload-Defer-Length"),
        takes="application/offset+octet-stream",
        gives="",
        done=(204,),
        refused=(404, 409, 413),
    ),
    Operation(
        "POST",
        _BLOB,
        "blob#begin",
        "Begin an upload whose size is told later",
        headers=("Upload-Length", "Upload-Defer-Length"),
        gives="",
        done=(201,),
        refused=(404,),
    ),
    Operation("OPTIONS", _BLOB, "blob#abilities", "Tell what of TUS is spoken", gives="", done=(204,)),
    Operation(
        "GET",
        _BLOB,
        "blob#read",
        "Read the bytes, or a range of them",
        headers=("Range", "If-None-Match"),
        gives="*/*",
        done=(200, 206, 304),
        refused=(404, 416),
    ),
    Operation(
        "GET",
        "/1/aspects",
        "aspect#list",
        "List aspects",
        ("entity", "schema", "content-path", "aspect-path", "order-direction", "include-content", *_LIST),
    ),
    Operation("POST", "/1/aspects", "aspect#create", "Assert an aspect", ("entity!", "schema!", "policy"), takes=_JSON),
    Operation(
        "PUT",
        "/1/aspects",
        "aspect#update",
        "Replace an aspect, or assert the first",
        ("entity!", "schema!", "policy"),
        takes=_JSON,
        refused=(424,),
    ),
    Operation("GET", "/1/aspects/{id}", "aspect#read", "Read an aspect", refused=(404,)),
    Operation(
        "DELETE", "/1/aspects/{id}", "aspect#retract", "Retract an aspect", gives="", done=(204,), refused=(404,)
    ),
    Operation("GET", "/1/secrets/list", "secret#list", "List secrets", ("limit", "page", "filter", "offset")),
    Operation(
        "GET", "/1/secrets", "secret#read", "Read the hash of a secret", ("secret-name!", "secret-type"), refused=(404,)
    ),
    Operation("POST", "/1/secrets", "secret#set", "Keep a secret", takes=_JSON, gives="", done=(204,)),
    Operation("GET", "/1/queues", "queue#list", "List queues", _LIST),
    Operation("POST", "/1/queues", "queue#create", "Make a queue", takes=_JSON, done=(201,), refused=(409,)),
    Operation("GET", "/1/queues/{id}", "queue#read", "Read a queue", refused=(404,)),
    Operation("DELETE", "/1/queues/{id}", "queue#delete", "Remove a queue", gives="", done=(204,), refused=(404,)),
    Operation(
        "POST", "/1/queues/{id}/messages", "queue#put", "Put a message in", ("schema",), takes=_JSON, refused=(404,)
    ),
    Operation("GET", "/1/queues/{id}/messages", "queue#take", "Take messages out", ("limit",), refused=(404,)),
    Operation("GET", "/1/services", "service#list", "List services, as old programs read them", _LIST),
    Operation("GET", "/1/services/{id}", "service#read", "Read a service, as old programs do", refused=(404,)),
)
"""What is answered with more than a refusal; a test compares it with the routes there are."""

RUNNING = (
    Operation("GET", "/1/authinfo.yaml", "authinfo#read", "Tell where to sign in", gives="application/yaml"),
    Operation(
        "POST", CANCEL_ROUTE, "job#cancel", "End a job now; its status becomes error", done=(202,), refused=(404, 409)
    ),
)
"""What is answered only where something runs jobs."""


@route("GET", "/1/openapi/openapi3.json")
def read_description(platform: LocalPlatform, request: Request) -> Response:
    """Describe the API."""
    text = json.dumps(document(platform.base(request), runs=platform.runners is not None))
    return Response(200, {"content-type": "application/json"}, text.encode())


def document(base: str, *, runs: bool = True) -> dict[str, Any]:
    """Write the OpenAPI description.

    Args:
        base: URL of the platform.
        runs: Whether jobs are run here, so that one can be cancelled.
    """
    paths: dict[str, dict[str, Any]] = {}
    for one in (*OPERATIONS, *(RUNNING if runs else ())):
        paths.setdefault(one.path, {})[one.method.lower()] = _written(one)
    message = {"message": _TEXT, "id": _TEXT, "name": _TEXT, "value": _TEXT}
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "IVCAP local platform",
            "version": "0.48",
            "description": "What is not listed here is answered with 501. The version is that of the API it follows.",
        },
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": {"Refusal": {"type": "object", "properties": message, "required": ["message"]}},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _written(one: Operation) -> dict[str, Any]:
    parameters = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": _TEXT}
        for part in one.path.split("/")
        if part.startswith("{")
    ]
    for place, names, types in (("query", one.query, _PARAMETERS), ("header", one.headers, _HEADERS)):
        for name in names:
            plain = name.rstrip("!")
            parameters.append(
                {"name": plain, "in": place, "required": name != plain, "schema": types.get(plain, _TEXT)}
            )
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    replies: dict[str, Any] = {
        str(status): {"description": "Done", **({"content": {one.gives: {}}} if one.gives and status < 203 else {})}
        for status in one.done
    }
    replies |= {
        str(status): {"description": "Refused", "content": refusal} for status in sorted({400, 403, 422, *one.refused})
    }
    replies["401"] = {"description": "No token, or another one"}
    written: dict[str, Any] = {"operationId": one.name, "summary": one.summary, "parameters": parameters}
    if one.takes:
        written["requestBody"] = {"required": True, "content": {one.takes: {"schema": {}}}}
    return {**written, "responses": replies}
