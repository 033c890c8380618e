"""Which services fit a query: our own ranking, joined with the platform's where ours is not sure."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from ivcap_client.exception import IvcapError
from ivcap_mcp.search import CONFIDENT

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend

log = logging.getLogger("ivcap_mcp.finding")

PATIENCE: Final = 3.0
"""Seconds for the platform's own search: without it there still is an answer."""
ASKED: Final = 20
"""How many services the platform is asked for."""
FLAT: Final = 10
"""Reciprocal-rank fusion: the greater, the less the first places count."""
THEIRS: Final = 0.5
"""What a place in the platform's ranking counts, of one in ours: how good its search is we cannot know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes:
        ranked: Tool names, best first, with our own scores; 0 for those that only the platform found.
        confident: Whether the first is likely to do what was asked.
    """

    ranked: tuple[tuple[str, float], ...]
    confident: bool


async def find(backend: Backend, query: str) -> Finding:
    """Search the catalogue.

    Where our ranking is sure of its first, it stands and the platform is not asked: that costs no request. Where not,
    the platform's search by meaning may know better. One that does not answer is done without.
    """
    # The first index reads the lexicon, which takes a third of a second.
    ours, fit = await anyio.to_thread.run_sync(lambda: backend.catalog.index().search(query))
    if fit >= CONFIDENT or not backend.catalog.all():
        return Finding(tuple(ours), confident=True)
    return Finding(tuple(fused(ours, await _theirs(backend, query))), confident=False)


def fused(ours: Sequence[tuple[str, float]], theirs: Iterable[str]) -> list[tuple[str, float]]:
    """Join two rankings by reciprocal rank.

    Args:
        ours: Names with scores, best first.
        theirs: Names, best first.
    """
    scores = dict(ours)
    points = {name: 1 / (FLAT + place) for place, (name, _) in enumerate(ours)}
    for place, name in enumerate(theirs):
        points[name] = points.get(name, 0.0) + THEIRS / (FLAT + place)
    return [(name, scores.get(name, 0.0)) for name in sorted(points, key=lambda name: (-points[name], name))]


async def _theirs(backend: Backend, query: str) -> list[str]:
    names: list[str] = []
    with anyio.move_on_after(PATIENCE) as patience:
        try:
            async for service in backend.ivcap.search_services(query, limit=ASKED):
                entry = backend.catalog.by_urn(service.id)
                # Without a score it is a listing: this platform does not search.
                if entry is not None and service.score:
                    names.append(entry.name)
        except IvcapError as error:
            log.info("the platform's search did not help: %s", error)
    if patience.cancelled_caught:
        log.info("the platform's search took longer than %s s", PATIENCE)
    return names
