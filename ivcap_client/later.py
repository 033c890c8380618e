"""Modules that are loaded when something of theirs is first used, so that a start pays only for what it does."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["later"]


class _Later:
    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, part: str) -> Any:
        if self._module is None:
            self._module = import_module(self._name)
        return getattr(self._module, part)

    def __repr__(self) -> str:
        return f"<module {self._name!r}, {'not ' if self._module is None else ''}loaded>"


def later(name: str) -> Any:
    """Return what stands for a module until it is needed.

    For type checkers the module is imported beside it, under `TYPE_CHECKING`.

    Args:
        name: Its full name.
    """
    return _Later(name)
