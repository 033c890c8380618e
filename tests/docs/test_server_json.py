"""The registry's manifest follows the rules of its schema (2025-12-11), which cannot be fetched here."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from ivcap_client import __version__
from tests.docs.pages import DOCS, ROOT

MANIFEST: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
FORMATS = {"string", "number", "boolean", "filepath"}


def test_it_names_its_schema_and_itself_within_limits() -> None:
    assert MANIFEST["$schema"] == "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
    assert MANIFEST["name"] == "io.github.ivcap-works/ivcap-mcp"
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", MANIFEST["name"])
    assert 3 <= len(MANIFEST["name"]) <= 200
    assert 1 <= len(MANIFEST["title"]) <= 100
    assert 1 <= len(MANIFEST["description"]) <= 100


def test_it_holds_only_known_fields() -> None:
    assert set(MANIFEST) <= {
        "$schema", "name", "title", "description", "version", "websiteUrl", "repository", "icons", "packages",
        "remotes", "_meta",
    }  # fmt: skip
    repository = MANIFEST.get("repository", {"url": "", "source": ""})
    assert {"url", "source"} <= set(repository)


def test_every_version_is_the_one_of_the_package() -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (listed,) = MANIFEST["packages"]
    assert MANIFEST["version"] == listed["version"] == package["version"] == __version__
    assert listed["identifier"] == package["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", listed["version"])


def test_its_package_is_started_by_the_console_script() -> None:
    (listed,) = MANIFEST["packages"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert (listed["registryType"], listed["runtimeHint"]) == ("pypi", "uvx")
    assert listed["identifier"] in scripts  # so that uvx finds it by the package's name
    assert listed["transport"] == {"type": "stdio"}


def test_its_variables_are_documented_and_the_token_is_a_secret() -> None:
    (listed,) = MANIFEST["packages"]
    variables = {one["name"]: one for one in listed["environmentVariables"]}
    assert set(variables) == {"IVCAP_URL", "IVCAP_JWT", "IVCAP_LOCAL_DIR"}
    assert [name for name, one in variables.items() if one.get("isSecret")] == ["IVCAP_JWT"]
    cli = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    for name, one in variables.items():
        assert f"| `{name}` |" in cli
        assert set(one) <= {
            "name",
            "description",
            "isRequired",
            "isSecret",
            "format",
            "default",
            "choices",
            "value",
            "placeholder",
        }
        assert one["format"] in FORMATS
        assert not one["isRequired"]
        assert isinstance(one.get("default", ""), str)


def test_the_readme_proves_that_the_name_is_ours() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if readme:
        assert re.search(rf"mcp-name: {re.escape(MANIFEST['name'])}(?![\w./-])", readme)
