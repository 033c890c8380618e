"""What a request asks for, read and checked: parameters, headers, bodies, pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from .._core.messages import Listed, Request, Response
from ..later import later
from . import cursors, times
from .cursors import Cursor, Key
from .listing import MOST, BadOrder
from .refusals import bad_request, invalid, too_large

if TYPE_CHECKING:
    from . import filters
else:
    filters = later("ivcap_client._local.filters")

T = TypeVar("T")

MOST_BODY = 16 * 1024 * 1024
"""Bytes of a JSON body."""


def parameters(request: Request) -> dict[str, str]:
    """Return the query; of a repeated parameter the last counts."""
    return dict(request.query)


def header(request: Request, name: str) -> str | None:
    """Return a header whatever the case of its name."""
    if (value := request.headers.get(name)) is not None:
        return value
    lower = name.lower()
    return next((value for key, value in request.headers.items() if key.lower() == lower), None)


def whole_body(request: Request, most: int = MOST_BODY) -> bytes:
    """Return the body, read to its end if it is a source.

    Raises:
        Refusal: It is larger than `most` bytes (413).
    """
    body = request.body
    if body is None:
        return b""
    if not isinstance(body, bytes):
        read = bytearray()
        while len(read) <= most:
            piece = body.read(min(65536, most + 1 - len(read)))
            if not piece:
                break
            read += piece
        body = bytes(read)
    if len(body) > most:
        raise too_large(f"a body has at most {most} bytes here")
    return body


def json_body(request: Request, most: int = MOST_BODY) -> Any:
    """Return the body as JSON.

    Raises:
        Refusal: It is none (400); `NaN` and numbers beyond a double are none.
    """
    try:
        value = json.loads(whole_body(request, most), parse_constant=_refuse)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError) as problem:
        raise bad_request(f"the body is not JSON: {problem}") from problem
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def flag(query: Mapping[str, str], name: str, default: bool) -> bool:
    """Return a boolean parameter; `true` and `false` in any case, and 1 and 0, are understood."""
    text = query.get(name)
    if text is None or text == "":
        return default
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise invalid(name, "true or false is expected", text)


def moment(query: Mapping[str, str], name: str) -> int | None:
    """Return a time parameter in microseconds since 1970."""
    text = query.get(name)
    if not text:
        return None
    try:
        return times.parse(text)
    except (ValueError, OverflowError) as problem:
        raise invalid(name, "a time such as 2025-11-04T10:22:31Z is expected", text) from problem


@dataclass(frozen=True, slots=True)
class Listing:
    """One page that was asked for.

    Attributes:
        kind: What is listed.
        path: Path below the base URL, for links.
        query: What the first request asked for.
        limit: Items of this page.
        at: Moment the listing stands for, in microseconds since 1970.
        past: Whether only what was valid at `at` counts: it was asked for, or this is not the first page.
        after: Sort keys to go on after; empty on the first page.
    """

    kind: str
    path: str
    query: Mapping[str, str]
    limit: int
    at: int
    past: bool
    after: tuple[Key, ...]

    @property
    def told_at(self) -> int | None:
        """The moment that was asked for, or `None`: the services of now, also on further pages."""
        return self.at if "at-time" in self.query else None

    def condition(self, fields: frozenset[str]) -> filters.Condition | None:
        """Return the `filter`, checked."""
        text = self.query.get("filter", "")
        if not text.strip():
            return None
        try:
            return filters.parse(text, fields)
        except filters.BadFilter as problem:
            raise invalid("filter", str(problem), text) from problem

    def descending(self, default: bool = True) -> bool:
        """Return the direction, in whichever of the two spellings it was given."""
        told = self.query.get("order-direction", "").upper()
        if told in ("ASC", "DESC"):
            return told == "DESC"
        if told:
            raise invalid("order-direction", "ASC or DESC is expected", told)
        return flag(self.query, "order-desc", default)


def listing(kind: str, path: str, request: Request, now: int) -> Listing:
    """Read the parameters that all lists share.

    A page cursor remembers the first request; what is repeated beside it is ignored, except for `limit`.

    Raises:
        Refusal: A parameter is not what it must be (422).
    """
    given = {name: value for name, value in parameters(request).items() if value != ""}
    page = given.pop("page", None)
    told = given.pop("limit", None)
    if page is None:
        at = moment(given, "at-time")
        return Listing(
            kind,
            path,
            {**given, "limit": told or "10"},
            _limit(told or "10"),
            now if at is None else at,
            at is not None,
            (),
        )
    try:
        cursor = cursors.read(page, kind)
    except cursors.BadCursor as problem:
        raise invalid("page", str(problem), page) from problem
    limit = _limit(told or cursor.query.get("limit", "10"))
    return Listing(kind, path, cursor.query, limit, cursor.at, True, cursor.after)


def _limit(text: str) -> int:
    try:
        number = int(text)
    except ValueError as problem:
        raise invalid("limit", f"a number from 1 to {MOST} is expected", text) from problem
    if not 1 <= number <= MOST:
        raise invalid("limit", f"a number from 1 to {MOST} is expected", text)
    return number


def page(
    listing: Listing,
    base: str,
    items: Sequence[str],
    after: tuple[Key, ...] | None,
    extra: Mapping[str, str] | None = None,
) -> Response:
    """Answer with one page.

    Args:
        listing: What was asked.
        base: URL that links start with.
        items: The items, as JSON text.
        after: Sort keys of the last item if more follow, else `None`.
        extra: Further keys of the reply.
    """
    href = base + listing.path
    links = [{"rel": "self", "type": "application/json", "href": href}]
    if after is not None:
        cursor = cursors.write(Cursor(listing.kind, listing.query, listing.at, after))
        links.append({"rel": "next", "type": "application/json", "href": f"{href}?page={cursor}"})
    return Listed(items, {"at-time": times.rfc3339(listing.at), "links": links, **(extra or {})})


def ordered(
    asked: Listing, found: Sequence[tuple[Mapping[str, object], str, T]], names: Sequence[str], default: str
) -> tuple[list[T], tuple[Key, ...] | None]:
    """Sort what is in memory and cut one page out of it.

    Args:
        asked: What was asked.
        found: For each item its fields, something that no other has, and the item.
        names: Fields that can be sorted by.
        default: Field to sort by when none is named; then from A to Z.

    Returns:
        The page, and the sort keys of its last item if more follow.

    Raises:
        BadOrder: `order-by` names something else.
    """
    told = [name.strip().replace("_", "-") for name in asked.query.get("order-by", "").split(",") if name.strip()]
    unknown = next((name for name in told if name not in names), None)
    if unknown is not None:
        raise BadOrder(unknown[:100], names)
    descending = asked.descending(bool(told))

    def keys(record: Mapping[str, object], unique: str) -> tuple[Key, ...]:
        values = (record.get(name) for name in told or [default])
        return *(
            value if isinstance(value, int | float) else str(value or "").lower()[:200] for value in values
        ), unique

    pairs = sorted(((keys(record, unique), item) for record, unique, item in found), key=_first, reverse=descending)
    if asked.after:
        last = asked.after
        pairs = [(key, item) for key, item in pairs if (key < last if descending else key > last)]
    shown = pairs[: asked.limit]
    return [item for _, item in shown], shown[-1][0] if len(pairs) > asked.limit else None


def _first(pair: tuple[tuple[Key, ...], object]) -> tuple[Key, ...]:
    return pair[0]


def reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(status, {"content-type": "application/json", **(headers or {})}, json.dumps(body).encode())


def present(**values: object) -> dict[str, object]:
    """Build an object with kebab-case keys, leaving out what is `None`: the clients crash on null."""
    return {key.rstrip("_").replace("_", "-"): value for key, value in values.items() if value is not None}


def in_path(text: str) -> str:
    """Quote one segment of a path."""
    return quote(text, safe="")
