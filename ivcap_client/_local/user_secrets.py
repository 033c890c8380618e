"""Handlers of `/1/secrets` (rest-api §5.2): names and hashes come out, a value never does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .._core.messages import Request, Response
from . import filters, secrets_kept
from .asked import json_body, listing, page, parameters, present, reply
from .refusals import bad_request, invalid, missing
from .routes import route
from .secrets_kept import Secret

if TYPE_CHECKING:
    from .platform import LocalPlatform

MOST_NAME = 256
MOST_VALUE = 64 * 1024
"""Characters of a value; keys and certificates are smaller."""


@route("GET", "/1/secrets/list")
def list_secrets(platform: LocalPlatform, request: Request) -> Response:
    """List names and expiry times, by name."""
    asked = listing("secrets", "/1/secrets/list", request, platform.store.now())
    condition = asked.condition(frozenset({"secret-name"}))
    found = secrets_kept.listed(platform.base_dir)
    if condition is not None:
        found = [one for one in found if filters.matches(condition, {"secret-name": one.name})]
    start = _offset(asked.query.get("offset")) if not asked.after else 0
    left = [one for one in found[start:] if not asked.after or one.name > str(asked.after[0])]
    shown = left[: asked.limit]
    more = (shown[-1].name,) if len(left) > asked.limit else None
    items = [json.dumps(present(secret_name=one.name, expiry_time=one.expires)) for one in shown]
    return page(asked, platform.base(request), items, more)


@route("GET", "/1/secrets")
def read_secret(platform: LocalPlatform, request: Request) -> Response:
    """Answer with the SHA-256 of a secret, by which its owner can tell which one it is."""
    query = parameters(request)
    name = query.get("secret-name", "")
    if not name:
        raise invalid("secret-name", "the parameter 'secret-name' is needed")
    found = secrets_kept.find(platform.base_dir, name, query.get("secret-type"))
    if found is None:
        raise missing(name, f"there is no secret {name!r}", kind="secret")
    return reply(200, present(secret_name=found.name, secret_value=found.hash, expiry_time=found.expires))


@route("POST", "/1/secrets")
def set_secret(platform: LocalPlatform, request: Request) -> Response:
    """Keep a secret; it takes the place of one with the same name."""
    told = json_body(request)
    if not isinstance(told, dict):
        raise invalid("body", "an object with secret-name, secret-value and expiry-time is expected")
    name, value = _text(told, "secret-name", MOST_NAME), _text(told, "secret-value", MOST_VALUE)
    if not name.isprintable():
        raise invalid("secret-name", "printable characters are expected")
    expires = told.get("expiry-time", 0)
    if type(expires) is not int or not 0 <= expires < 2**53:
        raise invalid("expiry-time", "Unix seconds, or 0 for never, are expected", str(expires))
    kind = told.get("secret-type") or "raw"
    if not isinstance(kind, str) or len(kind) > MOST_NAME:
        raise invalid("secret-type", "a short text such as 'raw' is expected")
    try:
        secrets_kept.keep(platform.base_dir, Secret(name, value, expires, kind))
    except secrets_kept.TooMany as problem:
        raise bad_request(str(problem)) from problem
    return Response(204)


def _text(told: dict[str, Any], name: str, most: int) -> str:
    value = told.get(name)
    # What was given is not repeated: it may be the secret.
    if not isinstance(value, str) or not value or len(value) > most:
        raise invalid(name, f"a text of 1 to {most} characters is expected")
    return value


def _offset(text: str | None) -> int:
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 9:
        raise invalid("offset", "a number of secrets to leave out is expected", text)
    return int(text)
