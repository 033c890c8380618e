"""What the local platform says about itself: the routes a client must ask about before it uses them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .._core.messages import Request, Response
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

CANCEL_ROUTE = "/1/services2/{service-id}/jobs/{id}/cancel"


@route("GET", "/1/openapi/openapi3.json")
def read_description(platform: LocalPlatform, request: Request) -> Response:
    """Describe the API. Routed once something that runs services is loaded: without it there is nothing to cancel."""
    return Response(200, {"content-type": "application/json"}, json.dumps(document(platform.base(request))).encode())


def document(base: str) -> dict[str, Any]:
    """A small OpenAPI description; clients look here for the cancel route, which deployments do not have."""
    job = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in ("service-id", "id")
    ]
    ended = {"description": "The job had ended already"}
    return {
        "openapi": "3.0.3",
        "info": {"title": "IVCAP local platform", "version": "1"},
        "servers": [{"url": base}],
        "paths": {
            "/1/services2": {"get": _operation("list services")},
            "/1/services2/{service-id}/jobs": {"get": _operation("list jobs"), "post": _operation("create job", "202")},
            "/1/services2/{service-id}/jobs/{id}": {"get": _operation("read job")},
            "/1/services2/{service-id}/jobs/{id}/events": {"get": _operation("follow job")},
            CANCEL_ROUTE: {
                "post": {
                    "operationId": "job#cancel",
                    "summary": "End a job now; its status becomes error",
                    "parameters": job,
                    "responses": {
                        "200": {"description": "Cancelled"},
                        "404": {"description": "No such job"},
                        "409": ended,
                    },
                }
            },
            "/1/artifacts": {"get": _operation("list artifacts"), "post": _operation("create artifact", "201")},
            "/1/artifacts/{id}": {"get": _operation("read artifact")},
            "/1/aspects": {
                "get": _operation("list aspects"),
                "post": _operation("add aspect"),
                "put": _operation("update aspect"),
            },
            "/1/aspects/{id}": {"get": _operation("read aspect"), "delete": _operation("retract aspect", "204")},
        },
    }


def _operation(summary: str, status: str = "200") -> dict[str, Any]:
    return {"summary": summary, "responses": {status: {"description": "Done"}}}
