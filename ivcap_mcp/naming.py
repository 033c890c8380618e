"""Names of service tools: `[a-z0-9_]`, at most 40 characters, told apart by the URN of the service."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

MOST_NAME = 40
_MARK = 8


@dataclass(frozen=True, slots=True)
class Nameable:
    """What the name of one service depends on.

    Attributes:
        urn: URN of the service.
        name: Name its tool aspect gives; may be missing or useless.
        service_name: Name of the service itself, used when the tool has none.
        valid_from: Since when its tool aspect holds; `None` counts as later than any. Without a zone: UTC.
    """

    urn: str
    name: str | None = None
    service_name: str | None = None
    valid_from: datetime | None = None


def slug(text: str) -> str:
    """Return what `text` has of letters a to z (accents dropped) and digits, joined by `_`; empty if it has none."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")


def tool_name(
    name: str | None, urn: str, taken: Container[str], *, service_name: str | None = None, most: int = MOST_NAME
) -> str:
    """Make a legal tool name that is not taken.

    Args:
        name: Name the service's tool aspect gives.
        urn: URN of the service; a name that is cut or taken gets eight hexadecimal digits made from it, so that it
            depends on nothing else.
        taken: Names that are in use, those of built-in tools among them.
        service_name: Used where `name` has nothing a name can be made of; without it, the URN is.
        most: Longest name, at least 16 characters.

    Raises:
        ValueError: `most` leaves no room for a marked name.
    """
    if most < 2 * _MARK:
        raise ValueError(f"a tool name needs room for {2 * _MARK} characters, not {most}")
    wanted = wanted_name(name, service_name)
    if wanted and len(wanted) <= most and wanted not in taken:
        return wanted
    # Two URNs may share a mark, or someone may have named a tool like a marked one: then the mark is made anew.
    for turn in count():
        marked = marked_name(wanted or "service", urn, turn=turn, most=most)
        if marked not in taken:
            return marked
    raise AssertionError("count() ended")


def wanted_name(name: str | None, service_name: str | None = None) -> str:
    """Return the name a service would have if it were alone and names had any length; empty if nothing tells one."""
    return slug(name or "") or slug(service_name or "")


def marked_name(wanted: str, urn: str, *, turn: int = 0, most: int = MOST_NAME) -> str:
    """Return `wanted`, cut where needed, with a mark of the URN."""
    text = f"{urn}#{turn}" if turn else urn
    mark = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_MARK]
    return f"{wanted[: most - _MARK - 1].rstrip('_')}_{mark}"


def assign_names(
    services: Iterable[Nameable],
    builtins: Collection[str],
    published: Mapping[str, str] | None = None,
    *,
    most: int = MOST_NAME,
) -> dict[str, str]:
    """Give every service a name of its own.

    Of two services that want the same name the one whose aspect has the oldest `valid_from` gets it. A name that was
    published stays with its service as long as the service goes by that name, and is never given to another, since a
    client that listed it may still call it.

    Args:
        services: The services that are tools now, in any order; the result does not depend on it.
        builtins: Names of the built-in tools.
        published: Service URN → name under which it was listed before; services that are gone may be among them.
        most: Longest name.

    Returns:
        Service URN → name, for each of `services`, the oldest first.
    """
    before = published or {}
    order = sorted(services, key=lambda each: (*_age(each.valid_from), each.urn))
    taken = {*builtins, *before.values()}
    names: dict[str, str] = {}
    for each in order:
        kept = before.get(each.urn)
        if kept is not None and kept not in builtins and _still_fits(kept, each, most):
            names[each.urn] = kept
        elif each.urn not in names:
            names[each.urn] = tool_name(each.name, each.urn, taken, service_name=each.service_name, most=most)
            taken.add(names[each.urn])
    return names


def _still_fits(kept: str, service: Nameable, most: int) -> bool:
    wanted = wanted_name(service.name, service.service_name)
    if kept == wanted:
        return True
    stem = (wanted or "service")[: most - _MARK - 1].rstrip("_")
    return len(kept) <= most and re.fullmatch(rf"{re.escape(stem)}_[0-9a-f]{{{_MARK}}}", kept) is not None


def _age(moment: datetime | None) -> tuple[bool, float]:
    if moment is None:
        return True, 0.0
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return False, known.timestamp()
