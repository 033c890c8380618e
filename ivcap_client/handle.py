"""What every handle is: a client, and the last thing the platform said. Properties are free; methods ask."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import ivcap_client
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields
from ivcap_client.exception import InvalidInput, ProtocolError

__all__ = ["NOBODY", "Handle"]

R = TypeVar("R")


class Handle(Generic[R]):
    """An id, a client and the last record. Two handles are equal when they name the same thing.

    Args:
        ivcap: The client.
        record: What the platform said.
        fields: Instead of a record: fields under the platform's names or ours (`id="…", name="…"`).

    Raises:
        InvalidInput: There is no client, or no id.
    """

    _read_record: Any  # Fields to a record, a static method of each class

    def __init__(self, ivcap: ivcap_client.IVCAP, record: R | None = None, /, **fields: Any) -> None:
        if ivcap is None:
            raise InvalidInput(f"could not make a {type(self).__name__}: there is no client ('ivcap')")
        self._ivcap = ivcap
        self._record: R = self._from(fields) if record is None else record

    @classmethod
    def _from(cls, given: dict[str, Any]) -> R:
        told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
        try:
            record: R = cls._read_record(Fields(told, f"make a {cls.__name__}"))
        except ProtocolError as error:
            raise InvalidInput(str(error).replace("the reply has", "there is")) from None
        return record

    @property
    def id(self) -> str:
        """The URN under which the platform keeps it."""
        return str(self._record.id)  # type: ignore[attr-defined]

    @property
    def urn(self) -> str:
        """The same as `id`."""
        return self.id

    @property
    def record(self) -> R:
        """Everything the platform said last, fields we have no name for included (`record.raw`)."""
        return self._record

    @property
    def _port(self) -> Port:
        return self._ivcap._port

    @property
    def _async_port(self) -> Port:
        return self._ivcap._async_port

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Handle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        known: dict[str, Any] = {
            "name": getattr(self._record, "name", None),
            "status": getattr(self._record, "status", None),
        }
        told = "".join(f", {key}={value!r}" for key, value in known.items() if value)
        return f"{type(self).__name__}({self.id!r}{told})"


class _Nobody:
    """Stands for the client of a handle that was made without one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise InvalidInput("this was made without a client: get it from an IVCAP object to ask more of it")


NOBODY: Any = _Nobody()
