"""The part of a service's log that belongs to one job."""

from __future__ import annotations

from pathlib import Path

from ivcap_client._local.job_output import _between


def written(log: Path, *pieces: tuple[int, str]) -> None:
    """A log as the guard writes it: a mark of time before each piece."""
    marks, text = [], b""
    for moment, piece in pieces:
        marks.append(f"{moment} {len(text)}\n")
        text += piece.encode()
    log.write_bytes(text)
    Path(f"{log}.times").write_text("".join(marks))


def test_what_was_written_between_two_times_is_found(tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    written(log, (1_000_000, "before\n"), (2_000_000, "one\n"), (3_000_000, "two\n"), (9_000_000, "after\n"))
    assert _between(log, 2_000_000, 4_000_000) == b"one\ntwo\n"
    assert _between(log, 2_500_000, None) == b"two\nafter\n"
    assert _between(log, 10_000_000, None) == b""


def test_a_log_of_another_time_or_without_times_is_not_known(tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    assert _between(log, 1, 2) is None
    log.write_text("something")
    assert _between(log, 1, 2) is None
    written(log, (5_000_000, "later\n"))
    assert _between(log, 1_000_000, 2_000_000) is None


def test_damaged_times_cost_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    written(log, (1_000_000, "one\n"), (2_000_000, "two\n"))
    with Path(f"{log}.times").open("a") as times:
        times.write("nonsense\n3000000\n-4 x\n99999")
    assert _between(log, 2_000_000, 3_000_000) == b"two\n"
