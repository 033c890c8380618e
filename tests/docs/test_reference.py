"""The reference pages say what exists, and all of it."""

from __future__ import annotations

import argparse
import re
import tomllib

import pytest

from ivcap_client import exception
from ivcap_mcp.cli.main import COMMANDS, parser
from ivcap_mcp.tools import BUILTINS
from tests.docs import route_tables, tool_tables
from tests.docs.pages import DOCS, ROOT, rows, section

CLI = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
ERRORS = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
SHARED = ("## Which platform", "## What is published, and how calls behave")
SOURCES = [
    path.read_text(encoding="utf-8") for name in ("ivcap_client", "ivcap_mcp") for path in (ROOT / name).rglob("*.py")
]


def documented(command: str) -> dict[str, str]:
    """The options that the page gives to a command, each as it is written there with its argument."""
    text = section(CLI, f"## {command}")
    if command in ("serve", "tools", "call", "install", "doctor"):
        text += "\n".join(section(CLI, heading) for heading in SHARED)
    return {words.split()[0]: words for words in re.findall(r"^\| `(--[^`]+)` \|", text, re.MULTILINE)}


def existing(command: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The options of a command and of the commands below it."""
    found: dict[str, argparse.Action] = {}
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found |= existing(below)
        found |= {option: action for option in action.option_strings if option not in ("-h", "--help", "--version")}
    return found


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_each_option_of_a_command_and_no_other(name: str) -> None:
    written, there = documented(name), existing(commands()[name])
    assert set(written) == set(there)
    for option, words in written.items():
        assert (" " in words) == (there[option].nargs != 0), f"{option} takes an argument, or not"


def test_the_page_has_every_command() -> None:
    assert set(COMMANDS) == set(commands())
    for name in COMMANDS:
        assert f"\n## {name}\n" in CLI


@pytest.mark.parametrize("name", COMMANDS)
def test_each_choice_of_an_option_is_named(name: str) -> None:
    text = section(CLI, f"## {name}") + "\n".join(section(CLI, heading) for heading in SHARED)
    for action in existing(commands()[name]).values():
        for choice in action.choices or ():
            assert f"`{choice}`" in text, f"{action.option_strings}: {choice}"


def test_every_variable_that_is_read_is_documented() -> None:
    read = {name for source in SOURCES for name in re.findall(r'"(IVCAP_[A-Z_]+[A-Z])"', source)}
    # What tools are given, or must not see.
    for_tools = {"IVCAP_ACCOUNT_ID", "IVCAP_PROXY_URL", "IVCAP_SERVICE_ID", "IVCAP_TOOL_OF"}
    assert set(re.findall(r"^\| `(IVCAP_[A-Z_]+)` \|", CLI, re.MULTILINE)) == read - for_tools


def test_defaults_of_limits_are_the_real_ones() -> None:
    (source,) = (source for source in SOURCES if "class Limits" in source)
    real = {name: float(value) for name, value in re.findall(r'_setting\("(IVCAP_\w+)", ([\d.]+)\)', source)}
    written = {
        row[0].strip("`"): float(row[1]) for row in rows(section(CLI, "## Environment variables")) if len(row) == 3
    }
    assert {name: written.get(name) for name in real} == real


def test_the_page_has_every_built_in_tool_as_it_is() -> None:
    page = tool_tables.PAGE.read_text(encoding="utf-8")
    there = re.findall(r"^### (\w+)$", section(page, "## Built-in tools"), re.MULTILINE)
    assert sorted(there) == sorted(tool.definition.name for tool in BUILTINS)
    assert page == tool_tables.rewritten(page), "run `python -m tests.docs.tool_tables`"


def test_the_page_has_every_error_of_the_sdk() -> None:
    written = {row[0].split("`")[1] for row in rows(section(ERRORS, "## In Python"))}
    assert written == set(exception.__all__)


@pytest.mark.parametrize("name", exception.__all__)
def test_an_error_is_what_the_page_says(name: str) -> None:
    kind: type[Exception] = getattr(exception, name)
    (row,) = (row for row in rows(section(ERRORS, "## In Python")) if row[0].split("`")[1] == name)
    also = row[0].split("`")[3::2]
    assert [
        base.__name__ for base in (ValueError, TimeoutError, ConnectionError) if issubclass(kind, base)
    ] == also or (not also and kind.__base__ is not None and kind.__base__.__name__ in exception.__all__)
    parent = re.match(r"an `(\w+)`", row[1])
    assert parent is None or issubclass(kind, getattr(exception, parent[1]))


def test_the_page_has_every_code_of_the_server() -> None:
    told = {code for source in SOURCES for code in re.findall(r'ToolError\(\s*"([a-z_]+)"', source)}
    told |= {code for source in SOURCES for code in re.findall(r'^    \(e\.\w+, "([a-z_]+)", ', source, re.MULTILINE)}
    told |= {
        code
        for source in SOURCES
        for code in re.findall(r'^        e\.\w+,\n        "([a-z_]+)",', source, re.MULTILINE)
    }
    assert {row[0].strip("`") for row in rows(section(ERRORS, "## From the server"))} == told


def test_each_dependency_is_argued_for_with_its_floor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    page = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    groups = project["dependency-groups"]
    for heading, wanted in (
        ("## At run time", project["project"]["dependencies"]),
        ("## For development", groups["dev"] + groups["docs"]),
    ):
        assert {f"{row[0].strip('`')}>={row[1]}" for row in rows(section(page, heading))} == set(wanted)


def test_the_page_has_every_route_of_the_platform_as_it_is() -> None:
    page = route_tables.PAGE.read_text(encoding="utf-8")
    assert page == route_tables.written(page), "python -m tests.docs.route_tables writes the table anew"
