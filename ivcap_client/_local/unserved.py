"""What the platform has and one directory cannot: refused with a reason, and with what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.messages import Request, Response
from .asked import header, whole_body
from .refusals import Refusal, invalid, not_here
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

DATALOG = "application/datalog+mangle"
_QUERY_TYPES = (DATALOG, "application/json")

REASONS = {
    "/1/packages": "packages are container images, and tools run here without containers: use --service",
    "/1/project": "there is one account here and no projects; a deployment has them (set IVCAP_URL)",
    "/1/orders": "orders are the predecessor of jobs; use /1/services2/{service}/jobs",
    "/1/dashboards": "there are no dashboards here; a deployment has them (set IVCAP_URL)",
    "/1/metadata": "metadata are the predecessor of aspects; use /1/aspects",
}
"""Why a family of routes is not served, by what its paths begin with."""


def instead(path: str) -> str:
    """Say what to do instead of asking for a path."""
    if path == "/":
        return "this is a REST API, described by /1/openapi/openapi3.json"
    return next((told for start, told in REASONS.items() if path.startswith(start)), "a deployment may (set IVCAP_URL)")


@route("POST", "/1/search")
def search(platform: LocalPlatform, request: Request) -> Response:
    """Refuse: 415 for what is no query (rest-api §5.3), 501 for a query, since there is no Datalog engine here."""
    kind = (header(request, "content-type") or "").partition(";")[0].strip().lower()
    if kind not in _QUERY_TYPES:
        raise Refusal(415, {"message": f"a query has the type {DATALOG}, not {kind or 'none'}"})
    if not whole_body(request).strip():
        raise invalid("body", "a query is expected")
    raise not_here(
        "Datalog queries need a deployment (set IVCAP_URL); here, GET /1/aspects finds aspects by entity, schema,"
        " content-path and filter"
    )
