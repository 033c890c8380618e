"""Whether an exchange is what the published description says, request and reply; known deviations go by name."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from jsonschema import Draft4Validator, FormatChecker

from tests.described.digest import published
from tests.described.recorder import Exchange

UNTOLD = {
    ("HEAD", "/1/artifacts/{id}/blob"): "the bytes of artifacts are not described",
    ("PATCH", "/1/artifacts/{id}/blob"): "the bytes of artifacts are not described",
    ("POST", "/1/artifacts/{id}/blob"): "the bytes of artifacts are not described",
    ("GET", "/1/artifacts/{id}/blob"): "the bytes of artifacts are not described",
    ("POST", "/1/services2/{service_id}/jobs/{id}/cancel"): "our own; the platform cannot cancel",
    ("GET", "/1/authinfo.yaml"): "named in the description's text only",
    ("POST", "/1/sign-in/code"): "where authinfo.yaml sends clients",
    ("POST", "/1/sign-in/token"): "where authinfo.yaml sends clients",
    ("GET", "/1/sign-in/keys"): "where authinfo.yaml sends clients",
}
"""Routes that the description has not, each with the reason why they are used all the same."""

DEVIATIONS = {
    "events are 200": (
        "GET /1/services2/{service_id}/jobs/{job_id}/events 200",
        "real clients want 200 text/event-stream; the described 101 comes from a code generator",
    ),
    "output may be late": (
        "GET /1/services2/{service_id}/jobs/{job_id}/output 202",
        "no status for 'not ready' is described",
    ),
    "aspect of nobody": ("DELETE /1/aspects/{id} 404", "an unknown aspect is missing, as everywhere else"),
    "service of nobody": ("DELETE /1/services2/{id} 404", "as everywhere else"),
    "queue of nobody": ("DELETE /1/queues/{id} 404", "as everywhere else"),
    "messages of nobody": ("GET /1/queues/{id}/messages 404", "as everywhere else"),
    "a message to nobody": ("POST /1/queues/{id}/messages 404", "as everywhere else"),
    "jobs of nobody": ("GET /1/services2/{service_id}/jobs 404", "as everywhere else"),
    "artifact refused": ("POST /1/artifacts 422", "a header that cannot be meant is told by name, as parameters are"),
    "key used twice": ("POST /1/services2/{service_id}/jobs 409", "an Idempotency-Key that stands for another request"),
    "too large": ("* 413", "a body has a bound"),
    "owes bytes": ("* 408", "a client that sends half a body is given up"),
    "aspect path": ("GET /1/aspects ? aspect-path", "how the command-line tool spells content-path"),
    "aspect order": ("GET /1/aspects ? order-desc", "how the command-line tool spells order-direction"),
    "upsert": ("PUT /1/services2/{id} ? force-create", "sent by the command-line tool"),
    "poll in the order": ("POST /1/services2/{service_id}/jobs ? with-result-content", "sent by a build plugin"),
    "aspect search": ("GET /1/aspects ? search", "sent by the command-line tool"),
    "query type": ("POST /1/search body application/datalog+mangle", "the type that the public client sends"),
    "yaml order": ("POST /1/services2/{service_id}/jobs body application/yaml", "JSON, said to be YAML by the tool"),
}
"""By name: what is said otherwise than described, and why."""

_FORMATS = FormatChecker(())


@_FORMATS.checks("uri", ValueError)
def _uri(value: object) -> bool:
    return not isinstance(value, str) or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z", value) is not None


@_FORMATS.checks("date-time", ValueError)
def _time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def deviations(exchange: Exchange) -> set[str]:
    """What an exchange does that is not described."""
    target = urlsplit(exchange.target)
    route = _route(exchange.method, target.path)
    if route is None:
        plain = _plain(exchange.method, target.path)
        return set() if plain in UNTOLD else {f"{exchange.method} {target.path} is not described"}
    path, told = route
    where = f"{exchange.method} {path}"
    found = _asked(where, told, exchange, target.query) | _answered(where, told, exchange)
    known = {pattern for pattern, _ in DEVIATIONS.values()}
    return {one for one in found if one not in known and f"* {one.rpartition(' ')[2]}" not in known}


def _asked(where: str, told: dict[str, Any], exchange: Exchange, query: str) -> set[str]:
    parameters = {one["name"].lower(): one for one in told.get("parameters", ()) if one["in"] == "query"}
    given = dict(parse_qsl(query, keep_blank_values=True))
    found = {f"{where} ? {name}" for name in given if name.lower() not in parameters}
    good = exchange.status < 400
    for name, one in parameters.items():
        if good and one["required"] and not given.get(name):
            found.add(f"{where} ? {name} is missing")
        elif good and given.get(name):
            found |= {
                f"{where} ? {name}: {problem}" for problem in _wrong(one["schema"], _typed(given[name], one["schema"]))
            }
    body = told.get("requestBody")
    if body is not None and exchange.sent and good:
        kind = exchange.asked.get("content-type", "").partition(";")[0]
        schema = body["content"].get(kind)
        if schema is None:
            found.add(f"{where} body {kind}")
        elif schema["schema"].get("format") != "binary":
            found |= {f"{where} body: {problem}" for problem in _wrong(schema["schema"], json.loads(exchange.sent))}
    return found


def _answered(where: str, told: dict[str, Any], exchange: Exchange) -> set[str]:
    reply = told["responses"].get(str(exchange.status))
    if reply is None:
        return {f"{where} {exchange.status}"}
    schemas = reply.get("content", {})
    kind = exchange.headers.get("content-type", "").partition(";")[0]
    if not schemas or exchange.method == "HEAD":
        return set()
    schema = schemas.get(kind) or (schemas.get("application/json") if exchange.status >= 400 else None)
    if schema is None:
        # A raw result has the type that its service gave it.
        raw = any(one["schema"].get("format") == "binary" or one["schema"] == {} for one in schemas.values())
        return set() if raw or exchange.status == 204 else {f"{where} {exchange.status} {kind}"}
    if schema["schema"].get("format") == "binary":
        return set()
    try:
        body = json.loads(exchange.body)
    except ValueError:
        return {f"{where} {exchange.status} is no JSON"}
    return {f"{where} {exchange.status}: {problem}" for problem in _wrong(schema["schema"], body)}


def _wrong(schema: dict[str, Any], value: object) -> list[str]:
    whole = {**schema, "components": published_schemas()}
    found = Draft4Validator(whole, format_checker=_FORMATS).iter_errors(value)
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message[:120]}" for one in found]


@cache
def published_schemas() -> dict[str, Any]:
    """The schemas that others refer to."""
    found: dict[str, Any] = published()["components"]
    return found


@cache
def _operations() -> list[tuple[str, re.Pattern[str], str, dict[str, Any]]]:
    paths = sorted(published()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(method.upper(), _pattern(path), path, one) for path, item in paths for method, one in item.items()]


def _route(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    return next(
        (
            (told, one)
            for verb, pattern, told, one in _operations()
            if verb == method and pattern.fullmatch(unquote(path))
        ),
        None,
    )


def _plain(method: str, path: str) -> tuple[str, str] | None:
    return next((one for one in UNTOLD if one[0] == method and _pattern(one[1]).fullmatch(unquote(path))), None)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path))


def _typed(text: str, schema: dict[str, Any]) -> object:
    if schema.get("type") in ("integer", "number", "boolean"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
