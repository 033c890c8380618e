"""Parts of artifacts, and artifacts that are announced first and filled later, on every leg."""

from __future__ import annotations

import io

from tests.congruence.legs import Leg, Legs

DATA = b"0123456789" * 1000


def test_ranges_are_known_and_parts_are_what_they_should_be(legs: Legs) -> None:
    def behaviour(leg: Leg) -> object:
        stored = leg.do(leg.ivcap, "upload_artifact", name="a.bin", io_stream=io.BytesIO(DATA))
        empty = leg.do(leg.ivcap, "upload_artifact", name="e.bin", io_stream=io.BytesIO(b""))
        return (
            leg.do(stored, "ranged"),
            leg.do(empty, "ranged"),
            leg.do(stored, "part", 5, 10),
            leg.do(stored, "part", 9_995, 10),
            leg.do(stored, "part", 20_000, 10),
        )

    assert legs.same(behaviour) == (True, True, b"5678901234", b"56789", b"")


def test_an_announced_artifact_is_filled_once(legs: Legs) -> None:
    def behaviour(leg: Leg) -> object:
        pending = leg.do(leg.ivcap, "create_artifact", name="later.bin", size=len(DATA), content_type="text/plain")
        before = pending.record.status
        filled = leg.do(pending, "fill", io.BytesIO(DATA), size=len(DATA))
        return before, filled.record.status, filled.name, leg.do(filled, "as_bytes")

    assert legs.same(behaviour) == ("pending", "ready", "later.bin", DATA)


def test_bytes_never_change_once_they_are_there(legs: Legs) -> None:
    def behaviour(leg: Leg) -> object:
        stored = leg.do(leg.ivcap, "upload_artifact", name="a.bin", io_stream=io.BytesIO(DATA))
        return leg.do(stored, "fill", io.BytesIO(DATA), size=len(DATA))

    kind, message = legs.error(behaviour)
    assert kind == "InvalidInput"
    assert "never change" in message
