"""What is promised in public, and what may be loaded for it."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import ivcap_client

ROOT = Path(ivcap_client.__file__).parent
PUBLIC = sorted(path.stem for path in ROOT.glob("*.py") if not path.stem.startswith("_"))


def imported(path: Path) -> set[str]:
    """The top-level packages a file imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def importers(package: str) -> list[str]:
    return [str(p.relative_to(ROOT)) for p in sorted(ROOT.rglob("*.py")) if package in imported(p)]


def test_the_core_imports_nothing_of_the_world() -> None:
    worldly = {"httpx", "anyio", "asyncio", "socket", "os", "time", "requests", "tusclient", "ssl", "pathlib", "io"}
    found = {p.name: imported(p) & worldly for p in (ROOT / "_core").glob("*.py")}
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_the_core_knows_neither_fronts_nor_transports() -> None:
    for path in (ROOT / "_core").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("_io", "_local", "ivcap_client.ivcap", "ivcap_client.job", "ivcap_mcp"):
            assert f"from ivcap_client.{word.removeprefix('ivcap_client.')}" not in text, (path, word)


def test_each_library_of_the_wire_has_one_importer() -> None:
    assert importers("httpx") == ["_io/http.py"]
    assert importers("tusclient") == ["_io/tus.py"]
    assert importers("requests") == importers("aiohttp") == []


def loaded(code: str) -> set[str]:
    """The modules a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert found.stderr == ""
    return set(found.stdout.split())


HEAVY = {"httpx", "pydantic", "asyncio", "anyio", "requests", "aiohttp", "tusclient", "sqlite3", "email", "ssl"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    modules = loaded("import ivcap_client")
    assert not modules & HEAVY
    assert {name for name in modules if name.startswith("ivcap_client")} == {"ivcap_client"}


def test_importing_the_client_loads_no_http_library_no_pydantic_and_no_event_loop() -> None:
    modules = loaded("from ivcap_client import *; import ivcap_client.exception, ivcap_client.platform")
    assert not modules & {
        "httpx",
        "pydantic",
        "asyncio",
        "anyio",
        "requests",
        "aiohttp",
        "tusclient",
        "sqlite3",
        "socket",
        "shutil",
        "tarfile",
        "tempfile",
    }


def test_a_local_listing_loads_no_http_library(tmp_path: Path) -> None:
    modules = loaded(f"import ivcap_client; list(ivcap_client.LocalIVCAP({str(tmp_path)!r}).list_artifacts())")
    assert not modules & {"httpx", "requests", "aiohttp", "tusclient", "pydantic", "asyncio"}


@pytest.mark.parametrize("name", ["", *PUBLIC])
def test_all_names_what_is_there_and_is_sorted(name: str) -> None:
    module = importlib.import_module(f"ivcap_client.{name}" if name else "ivcap_client")
    names = module.__all__
    assert len(set(names)) == len(names)
    for each in names:
        assert getattr(module, each) is not None
    if not name:
        assert set(dir(module)) == set(names)
        assert set(module._HOMES) | {"__version__"} == set(names)
        with pytest.raises(AttributeError):
            module.no_such_name


def public_classes() -> list[type]:
    found = {}
    for name in PUBLIC:
        module = importlib.import_module(f"ivcap_client.{name}")
        for each in module.__all__:
            value = getattr(module, each)
            if inspect.isclass(value) and value.__module__.startswith("ivcap_client"):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return [found[name] for name in sorted(found)]


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_type_hints_of_public_classes_and_their_methods_can_be_read(cls: type) -> None:
    typing.get_type_hints(cls)
    for name, member in inspect.getmembers(cls):
        function = member.fget if isinstance(member, property) else inspect.unwrap(member) if callable(member) else None
        ours = inspect.isfunction(function) and function.__module__.startswith("ivcap_client")
        if ours and (not name.startswith("_") or name == "__init__"):
            hints = typing.get_type_hints(function)
            if not name.startswith("_"):
                assert "return" in hints, f"{cls.__name__}.{name}"
                assert member.__doc__, f"{cls.__name__}.{name}"


DOCUMENTED_OTHERWISE = {"Service.request_job", "Agent.request_job", "Job.wait_for_finished"}
"""The documented contract gives these twins parameters of their own."""


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__name__)
def test_sync_and_async_twins_take_the_same(cls: type) -> None:
    for name, twin in inspect.getmembers(cls, inspect.iscoroutinefunction):
        plain = name.removesuffix("_async")
        if name == plain or f"{cls.__name__}.{plain}" in DOCUMENTED_OTHERWISE:
            continue
        found = inspect.getattr_static(cls, plain, None)
        if found is None or isinstance(found, property):
            continue
        mine, other = inspect.signature(found), inspect.signature(twin)
        assert list(mine.parameters.values()) == list(other.parameters.values()), f"{cls.__name__}.{name}"
        assert mine.return_annotation == other.return_annotation, f"{cls.__name__}.{name}"


def test_no_public_name_shows_a_type_of_a_library() -> None:
    for cls in public_classes():
        for name, member in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_"):
                assert not {"httpx", "tusclient"} & set(str(inspect.signature(member)).replace(".", " ").split())


def test_the_server_opens_no_file_for_an_id_it_was_given() -> None:
    for path in (ROOT.parent / "ivcap_mcp").rglob("*.py"):
        if path.parent.name != "examples":
            assert ".get_artifact_async(" not in path.read_text(encoding="utf-8"), f"{path}: use stored_artifact_async"


def test_files_hold_one_concept() -> None:
    mine = [*ROOT.glob("*.py"), *(ROOT / "_core").glob("*.py"), *(ROOT / "_io").glob("*.py")]
    long = {path.name: size for path in mine if (size := len(path.read_text(encoding="utf-8").splitlines())) > 300}
    assert long == {}


@pytest.mark.parametrize("first", ["exception", "job", "handle", "paging", "service", "local", "artifact", "events"])
def test_a_module_can_be_the_first_to_be_imported(first: str) -> None:
    loaded(f"import ivcap_client.{first}")
