"""Each name of the public SDK is there with its parameters, or left out as the page says."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

import ivcap_client
from ivcap_client import IVCAP, LocalIVCAP
from tests.docs.pages import DOCS, rows

PAGE = (DOCS / "reference" / "sdk-names.md").read_text(encoding="utf-8")
KINDS = {"same", "better", "absent"}
# Classes of whose methods the page speaks, by the name it gives them.
HOMES = {"IVCAP": IVCAP, "LocalIVCAP": LocalIVCAP}
MODULES = ("service", "job", "artifact", "aspect", "collection", "secret", "order", "agent", "parameters", "local")


def listed() -> list[tuple[str, str, str]]:
    """Name, parameters, kind of each row; rows of the package have no parameters."""
    found = []
    for row in rows(PAGE):
        name = row[0].strip("`")
        if name != "Name":
            found.append((name, row[1], row[2]) if len(row) == 4 else (name, "", row[1]))
    return found


def named(name: str) -> Any:
    """What a row speaks of: a name of the package, of a module, or of a class."""
    first, _, rest = name.partition(".")
    if not rest:
        return getattr(ivcap_client, name)
    if first[0].isupper():
        owner = HOMES.get(first)
        for module in MODULES if owner is None else ():
            owner = owner or getattr(importlib.import_module(f"ivcap_client.{module}"), first, None)
        assert owner is not None, first
        return inspect.getattr_static(owner, rest, None) or getattr(owner, rest)
    return getattr(importlib.import_module(f"ivcap_client.{first}"), rest)


@pytest.mark.parametrize(("name", "parameters", "kind"), [pytest.param(*row, id=row[0]) for row in listed()])
def test_a_name_is_what_the_page_says(name: str, parameters: str, kind: str) -> None:
    assert kind in KINDS
    if kind == "absent":
        with pytest.raises((AttributeError, ImportError, AssertionError)):
            named(name) if "." in name else importlib.import_module(f"ivcap_client.{name}")
        return
    found = named(name)
    assert found is not None
    wanted = [part.strip(" `") for part in parameters.split(",") if part.strip()]
    if wanted:
        function = found.__func__ if isinstance(found, classmethod | staticmethod) else found
        there = inspect.signature(function).parameters
        open_ended = any(each.kind is each.VAR_KEYWORD for each in there.values())
        assert open_ended or set(wanted) <= set(there), f"{name} lacks {set(wanted) - set(there)}"


def test_no_name_of_the_package_is_forgotten() -> None:
    said = {name for name, _, _ in listed()}
    documented = {"Artifact", "Collection", "CollectionItem", "DataUrlArtifact", "IVCAP", "Job", "JobStatus"}
    documented |= {"LocalAspect", "LocalFileArtifact", "LocalIVCAP", "Order", "Secret", "Service", "TarMember", "URN"}
    assert documented | {"__version__"} <= said & set(ivcap_client.__all__)
