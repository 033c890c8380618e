"""Which handler answers which request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar
from urllib.parse import unquote

from .._core.messages import BlockingBody, Response

Handler = Callable[..., Response]
Opener = Callable[..., BlockingBody]
H = TypeVar("H", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path; segments in braces are parameters."""

    method: str
    segments: tuple[str, ...]
    handler: Callable[..., object]


_whole: dict[tuple[str, int], list[Route]] = {}
_streamed: dict[tuple[str, int], list[Route]] = {}
_homes: dict[str, list[str]] = {}


def homes(package: str, modules: Mapping[str, Sequence[str]]) -> None:
    """Say which modules register the routes below `/1/…`, by its next segment; they are imported when asked for."""
    for first, names in modules.items():
        _homes[first] = [f"{package}.{name}" for name in names]


def route(method: str, path: str) -> Callable[[H], H]:
    """Register a handler `(platform, request, **parameters) -> Response`."""
    return _register(_whole, method, path)


def stream(method: str, path: str) -> Callable[[H], H]:
    """Register a handler `(platform, request, **parameters) -> BlockingBody`."""
    return _register(_streamed, method, path)


def _register(table: dict[tuple[str, int], list[Route]], method: str, path: str) -> Callable[[H], H]:
    segments = tuple(path.strip("/").split("/"))

    def keep(handler: H) -> H:
        table.setdefault((method, len(segments)), []).append(Route(method, segments, handler))
        return handler

    return keep


def find(method: str, path: str) -> tuple[Callable[..., object], dict[str, str]] | None:
    """Return the handler of a whole reply and its parameters, unquoted."""
    return _find(_whole, method, path)


def find_stream(method: str, path: str) -> tuple[Callable[..., object], dict[str, str]] | None:
    """Return the handler of a streamed reply and its parameters, unquoted."""
    return _find(_streamed, method, path)


def methods(path: str) -> list[str]:
    """Return the methods that a path is known with."""
    return sorted({method for table in (_whole, _streamed) for method, _ in list(table) if _find(table, method, path)})


def registered() -> list[tuple[str, str]]:
    """Return the method and path of every route, each once."""
    for first in list(_homes):
        _imported(["1", first])
    found = {
        (route.method, "/" + "/".join(route.segments))
        for table in (_whole, _streamed)
        for some in table.values()
        for route in some
    }
    return sorted(found)


def _find(
    table: dict[tuple[str, int], list[Route]], method: str, path: str
) -> tuple[Callable[..., object], dict[str, str]] | None:
    given = path.strip("/").split("/")
    _imported(given)
    for known in table.get((method, len(given)), ()):
        values = _values(known.segments, given)
        if values is not None:
            return known.handler, values
    return None


def _imported(segments: list[str]) -> None:
    first = segments[1] if len(segments) > 1 else ""
    if first in _homes:
        for name in _homes.get(first, ()):
            import_module(name)
        _homes.pop(first, None)  # only now: another thread must not find a table that is still being filled


def _values(segments: tuple[str, ...], given: list[str]) -> dict[str, str] | None:
    values = {}
    for segment, text in zip(segments, given, strict=True):
        if segment.startswith("{"):
            if not text:
                return None
            values[segment[1:-1]] = unquote(text)
        elif segment != text:
            return None
    return values
