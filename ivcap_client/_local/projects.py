"""Services found in files: a Python script with inline metadata (PEP 723), a project directory."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from .specs import PYTHON, BadSpec, EnvironmentSpec, ServiceSpec, sealed, service_urn

LIBRARIES = ("ivcap-ai-tool",)
"""What a script without metadata most likely needs, said in the error so that it can be copied."""

_BLOCK = re.compile(
    r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$"
)  # the pattern PEP 723 gives
_BATCH = re.compile(r"(?m)^\s*(from\s+ivcap_service\s+import\b.*\bstart_batch_service\b|start_batch_service\()")


def from_script(path: Path, *, name: str | None = None) -> ServiceSpec:
    """A service from one Python file.

    Its environment is what the file's `# /// script` block asks for. A file without one is refused, because running it
    in an environment of our own choosing would fail later and less clearly.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadSpec(f"{path}: cannot be read: {problem}") from problem
    block = script_metadata(text, str(path))
    if block is None:
        wanted = ", ".join(f'"{item}"' for item in LIBRARIES)
        raise BadSpec(
            f"{path}: says nothing about the packages it needs. Put this at its top:\n"
            f"# /// script\n# dependencies = [{wanted}]\n# ///\nor give the command itself: --service NAME=COMMAND"
        )
    needs = EnvironmentSpec(_text(block.get("requires-python", ""), path), _texts(block.get("dependencies", []), path))
    secrets = secret_names(_own(block, path).get("secrets", []), path)
    return _spec(path.resolve(), name or path.stem, path.resolve(), needs, cwd=None, kind=_kind(text), secrets=secrets)


def script_metadata(text: str, where: str) -> dict[str, Any] | None:
    """The `script` block of a file. Source: PEP 723, reference implementation."""
    found = [match for match in _BLOCK.finditer(text.replace("\r\n", "\n")) if match["type"] == "script"]
    if len(found) > 1:
        raise BadSpec(f"{where}: has {len(found)} '# /// script' blocks; one is allowed")
    if not found:
        return None
    lines = found[0]["content"].splitlines()
    content = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as problem:
        raise BadSpec(f"{where}: its '# /// script' block is not TOML: {problem}") from problem


def from_directory(path: Path, *, name: str | None = None) -> ServiceSpec:
    """A service from a project directory with `pyproject.toml` or `requirements.txt`.

    The file to run is `service-file` of `[tool.poetry-plugin-ivcap]`, else `tool.py`, `service.py`, `main.py`, else the
    only Python file there is.
    """
    path = path.resolve()
    project = path / "pyproject.toml"
    listed = path / "requirements.txt"
    table: dict[str, Any] = read_toml(project) if project.is_file() else {}
    plugin = table.get("tool", {}).get("poetry-plugin-ivcap", {})
    if not project.is_file() and not listed.is_file():
        raise BadSpec(f"{path}: has neither pyproject.toml nor requirements.txt")
    needs = requirements(table, listed, path)
    script = _script(path, plugin.get("service-file"))
    told = (
        name or table.get("project", {}).get("name") or table.get("tool", {}).get("poetry", {}).get("name") or path.name
    )
    kind: Literal["rest", "batch"] = (
        "batch" if plugin.get("service-type") == "batch" else _kind(script.read_text("utf-8", "replace"))
    )
    # A container runs a project from its own directory, so files named relative to it are found here too.
    secrets = secret_names(_own(table, project).get("secrets", []), project)
    return _spec(path, str(told), script, needs, cwd=str(path), kind=kind, secrets=secrets)


def requirements(table: dict[str, Any], listed: Path, root: Path) -> EnvironmentSpec:
    """What a project needs: `[project]`, else poetry's own table, else `requirements.txt`."""
    project = table.get("project", {})
    poetry = table.get("tool", {}).get("poetry", {}).get("dependencies", {})
    python = str(project.get("requires-python", ""))
    if "dependencies" in project:
        return EnvironmentSpec(python, _texts(project["dependencies"], root), str(root))
    if poetry:
        wanted = [_from_poetry(name, value, root) for name, value in poetry.items() if name != "python"]
        return EnvironmentSpec(python or poetry_range(str(poetry.get("python", ""))), tuple(wanted), str(root))
    if listed.is_file():
        lines = (line.split(" #")[0].strip() for line in listed.read_text("utf-8").splitlines())
        return EnvironmentSpec(python, tuple(line for line in lines if line and not line.startswith("#")), str(root))
    return EnvironmentSpec(python, (), str(root))


def poetry_range(text: str) -> str:
    """Poetry's `^1.2` and `~1.2` as PEP 440: the first non-zero part, or the minor part, may not change."""
    parts = []
    for piece in (item.strip() for item in text.split(",")):
        if piece[:1] not in ("^", "~") or piece.startswith("~="):
            if piece not in ("", "*"):
                parts.append(piece if piece[0] in "<>=!~" else f"=={piece}")
            continue
        numbers = [int(number) for number in re.findall(r"\d+", piece)]
        keep = (
            next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
            if piece[0] == "^"
            else min(1, len(numbers) - 1)
        )
        upper = [*numbers[:keep], numbers[keep] + 1]
        parts.append(f">={piece[1:].strip()},<{'.'.join(map(str, upper))}")
    return ",".join(parts)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a table; what is wrong with it is said with its path."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise BadSpec(f"{path}: cannot be read: {problem}") from problem


def _from_poetry(name: str, value: object, root: Path) -> str:
    if isinstance(value, str):
        return name + poetry_range(value)
    if isinstance(value, dict):
        extras = f"[{','.join(value['extras'])}]" if value.get("extras") else ""
        if "path" in value:
            return f"{name}{extras} @ {(root / str(value['path'])).resolve().as_uri()}"
        if "git" in value:
            ref = value.get("rev") or value.get("tag") or value.get("branch")
            return f"{name}{extras} @ git+{value['git']}" + (f"@{ref}" if ref else "")
        if "version" in value:
            return f"{name}{extras}{poetry_range(str(value['version']))}"
    raise BadSpec(f"{root / 'pyproject.toml'}: the dependency {name} is written in a way we do not read: {value!r}")


def _script(root: Path, told: object) -> Path:
    if told:
        script = (root / str(told)).resolve()
        if not script.is_file() or not script.is_relative_to(root):
            raise BadSpec(f"{root / 'pyproject.toml'}: service-file {told!r} is not a file of this project")
        return script
    for name in ("tool.py", "service.py", "tool-service.py", "tool_service.py", "main.py"):
        if (root / name).is_file():
            return root / name
    files = [item for item in sorted(root.glob("*.py")) if item.name not in ("setup.py", "conftest.py")]
    if len(files) != 1:
        raise BadSpec(f'{root}: which file is the service? Say so: [tool.poetry-plugin-ivcap] service-file = "….py"')
    return files[0]


def _spec(
    source: Path,
    name: str,
    script: Path,
    needs: EnvironmentSpec,
    *,
    cwd: str | None,
    kind: Literal["rest", "batch"],
    secrets: tuple[str, ...],
) -> ServiceSpec:
    found = ServiceSpec(service_urn(name), name, (PYTHON, str(script)), kind=kind, cwd=cwd, source=str(source))
    return sealed(replace(found, requirements=needs, secrets=secrets))


def secret_names(value: object, where: Path) -> tuple[str, ...]:
    """The names of the secrets that a service declares."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise BadSpec(f"{where}: secrets must be a list of names")
    return tuple(value)


def _own(table: dict[str, Any], where: Path) -> dict[str, Any]:
    """`[tool.ivcap]` of a script's metadata or of a `pyproject.toml`."""
    tool = table.get("tool", {})
    found = tool.get("ivcap", {}) if isinstance(tool, dict) else {}
    if not isinstance(found, dict):
        raise BadSpec(f"{where}: [tool.ivcap] must be a table")
    return found


def _kind(text: str) -> Literal["rest", "batch"]:
    return "batch" if _BATCH.search(text) else "rest"


def _text(value: object, where: Path) -> str:
    if not isinstance(value, str):
        raise BadSpec(f"{where}: requires-python must be text")
    return value


def _texts(value: object, where: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadSpec(f"{where}: dependencies must be a list of requirements")
    return tuple(value)
