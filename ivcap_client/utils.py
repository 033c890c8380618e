"""Names that programs for the public SDK import from here. They live elsewhere; this module holds nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ivcap_client.paging import Pager as BaseIter

if TYPE_CHECKING:
    from ivcap_client.schema import model_from_json_schema

__all__ = ["BaseIter", "model_from_json_schema"]


def __getattr__(name: str) -> Any:
    if name != "model_from_json_schema":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ivcap_client import schema  # which loads pydantic

    return schema.model_from_json_schema
