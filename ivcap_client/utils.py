"""Names that programs for the public SDK import from here. They live elsewhere; this module holds nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ivcap_client
from ivcap_client.paging import Pager as BaseIter

__all__ = ["BaseIter", "model_from_json_schema"]


def model_from_json_schema(
    schema: Mapping[str, Any], model_name: str = "DynamicModel", root_schema: Mapping[str, Any] | None = None
) -> type[ivcap_client.schema.RequestModel | ivcap_client.schema.RequestRoot]:
    """`ivcap_client.schema.model_from_schema`; with `root_schema` references lead into that."""
    found = dict(schema)
    for name in ("$defs", "definitions"):
        if root_schema is not None and name in root_schema:
            found.setdefault(name, root_schema[name])
    return ivcap_client.schema.model_from_schema(found, model_name)
