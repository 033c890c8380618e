"""Fixture resources."""

from __future__ import annotations

import json
import re

import mcp_types as t

from tests.conformance.content import png

TEMPLATE = "test://template/{id}/data"


def listed() -> list[t.Resource]:
    kinds = {"static-text": "text/plain", "static-binary": "image/png", "watched-resource": "text/plain"}
    return [
        t.Resource(uri=f"test://{name}", name=name, description=f"A fixture: {name}", mime_type=kind)
        for name, kind in kinds.items()
    ]


def template() -> t.ResourceTemplate:
    return t.ResourceTemplate(
        uri_template=TEMPLATE, name="fixture-template", description="A fixture", mime_type="application/json"
    )


def read(uri: str) -> t.TextResourceContents | t.BlobResourceContents | None:
    """What a fixture URI holds; `None` if it is none of ours."""
    if uri == "test://static-binary":
        return t.BlobResourceContents(uri=uri, mime_type="image/png", blob=png())
    if uri == "test://static-text":
        words = "This is the content of the static text resource."
        return t.TextResourceContents(uri=uri, mime_type="text/plain", text=words)
    if uri == "test://watched-resource":
        return t.TextResourceContents(uri=uri, mime_type="text/plain", text="Watched")
    filled = re.fullmatch(r"test://template/([^/]+)/data", uri)
    if filled is None:
        return None
    told = json.dumps({"id": filled[1], "templateTest": True, "data": f"Data for ID: {filled[1]}"})
    return t.TextResourceContents(uri=uri, mime_type="application/json", text=told)
