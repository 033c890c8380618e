"""`ivcap-mcp doctor`: what is wrong, why, and what to do about it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ivcap_client.exception import ConfigError
from ivcap_mcp import target
from ivcap_mcp.cli.terminal import Paint
from ivcap_mcp.clients.command import lasting
from ivcap_mcp.clients.entry import options_of
from ivcap_mcp.doctor import USAGE, Finding, exit_code
from ivcap_mcp.doctor.catalogue import catalogue
from ivcap_mcp.doctor.deployment import deployment
from ivcap_mcp.doctor.installed import installed
from ivcap_mcp.doctor.machine import directories, python, wire

SIGNS = {"ok": ("ok", "good"), "note": ("note", "dim"), "warn": ("warn", "warn"), "bad": ("FAIL", "bad"),
         "fixed": ("fixed", "good")}  # fmt: skip


def run(given: argparse.Namespace) -> int:
    """Look at everything; exit code 0 if nothing is bad."""
    found: list[Finding] = []
    for finding in looked(given):
        done = _repaired(finding) if given.fix else finding
        found.append(done)
        if not given.json:
            _show(done)
    code = exit_code(found)
    if given.json:
        told = [{name: getattr(one, name) for name in ("check", "state", "message", "advice")} for one in found]
        print(json.dumps({"exit_code": code, "findings": told}, ensure_ascii=False, indent=2))
    else:
        _sum_up(found, fix=given.fix)
    return code


def looked(given: argparse.Namespace) -> Iterator[Finding]:
    """What each look finds, from the ground up: the first fault often explains the later ones."""
    try:
        env = target.environment(given.env_file)
    except ConfigError as error:
        yield Finding("settings", "bad", str(error), "Correct the file", USAGE)
        return
    yield from _safely("python", python)
    yield from _safely("directories", lambda: directories(env, given.local_dir))
    bad = False
    for finding in _safely("platform", lambda: deployment(target.options(given), env)):
        bad = bad or finding.state == "bad"
        yield finding
        if finding.check == "target" and not bad:  # without one the server ends at once, and says only the same
            yield from _safely("server", lambda: wire([*lasting(), *options_of(given, given.passed_on)]))
    if not bad:
        yield from _safely("services", lambda: catalogue(given))
    yield from _safely("clients", installed)


def _safely(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """One look that goes wrong itself is told as such, and does not end the others."""
    try:
        yield from look()
    except (OSError, RuntimeError, ValueError) as error:
        yield Finding(
            check, "bad", f"this could not be looked at ({type(error).__name__}: {error})", "Please report it"
        )


def _repaired(finding: Finding) -> Finding:
    if finding.repair is None:
        return finding
    try:
        return replace(finding, state="fixed", message=finding.repair(), advice="", repair=None)
    except (OSError, ConfigError) as error:
        return replace(finding, message=f"{finding.message}; it could not be repaired: {error}")


def _show(finding: Finding) -> None:
    sign, how = SIGNS[finding.state]
    print(f"{Paint(sys.stdout)(f'{sign:<5}', how)}  {finding.check:<12}  {finding.message}")
    if finding.advice and finding.state != "ok":
        print(f"{'':<21}{finding.advice}")
    sys.stdout.flush()


def _sum_up(found: list[Finding], *, fix: bool) -> None:
    bad = sum(one.state == "bad" for one in found)
    repairable = sum(one.repair is not None for one in found)
    if not bad:
        print("\nNothing is wrong.")
    else:
        print(f"\n{bad} thing{'' if bad == 1 else 's'} to correct; begin with the first.")
    if repairable and not fix:
        print(f"`ivcap-mcp doctor --fix` corrects {repairable} of what is above by itself.")
