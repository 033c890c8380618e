"""What `make audit` says of the answers of advisory services, and of their silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from release import audit

HOLE = {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"], "aliases": []}]}
CLEAN = {"name": "b", "version": "1", "vulns": []}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


def judged(monkeypatch: pytest.MonkeyPatch, *options: str, **answers: Any) -> int:
    monkeypatch.setattr(audit, "LOCKS", ("a.lock",))
    monkeypatch.setattr(audit, "asked", lambda lock, service: answers[service])
    monkeypatch.setattr("sys.argv", ["audit", *options])
    return audit.main()


def test_a_known_vulnerability_is_named_with_its_correction(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(monkeypatch, pypi=[HOLE, CLEAN]) == 1
    said = capsys.readouterr().out
    assert "VULNERABLE: a 1: X-1, corrected in 2" in said
    assert "no known vulnerability" not in said


def test_only_what_was_looked_up_whole_is_called_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(monkeypatch, pypi=[CLEAN]) == 0
    assert "no known vulnerability" in capsys.readouterr().out


@pytest.mark.parametrize("pypi", ["no connection", [UNKNOWN, UNKNOWN], [CLEAN, UNKNOWN]])
def test_silence_is_not_taken_for_good_news(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pypi: Any
) -> None:
    assert judged(monkeypatch, pypi=pypi, osv="no connection") == 0
    said = capsys.readouterr().out
    assert "NOT AUDITED" in said
    assert "no known vulnerability" not in said
    assert judged(monkeypatch, "--strict", pypi=pypi, osv="no connection") == 1


def test_the_second_service_is_asked_about_what_the_first_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, pypi=[UNKNOWN], osv=[HOLE]) == 1


def test_an_answer_that_is_none_is_told_by_its_last_line() -> None:
    assert audit.read("", "Traceback\nConnectionError: x") == "ConnectionError: x"
    assert audit.read(json.dumps({"dependencies": [CLEAN]}), "") == [CLEAN]
