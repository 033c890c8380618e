"""Names that programs for the public SDK import from here. They live elsewhere; this module holds nothing else."""

from __future__ import annotations

from ivcap_client.exception import ProtocolError as UnexpectedStatus

__all__ = ["UnexpectedStatus"]
