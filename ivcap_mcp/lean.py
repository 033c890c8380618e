"""Packages whose own `__init__` is not run until something of it is wanted.

The MCP SDK's packages import clients, frameworks and command lines together with what a server is made of. Whoever
imports `mcp.server.lowlevel` pays for all of that first: an eighth of the time until a server can answer.
"""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_turn = threading.RLock()


class _Lean(ModuleType):
    def __getattr__(self, name: str) -> Any:
        with _turn:  # other threads wait for the whole of it
            if type(self) is _Lean and "_running" not in vars(self):
                self._running = True
                try:
                    assert self.__spec__ is not None
                    assert self.__spec__.loader is not None
                    self.__spec__.loader.exec_module(self)
                finally:
                    del self._running
                    self.__class__ = ModuleType  # type: ignore[assignment]  # from here on a package like any other
            found = vars(self)
            if name in found:
                return found[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def lean(*names: str) -> None:
    """Have packages imported without what they import by themselves, until a name is asked of them that they make.

    Their modules can be imported as ever; so can `from package import name`. What is loaded already, or is not there,
    is left alone.

    Args:
        names: Full names, parents first.
    """
    for name in names:
        if name in sys.modules:
            continue
        spec = find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            continue
        module = module_from_spec(spec)
        module.__class__ = _Lean
        sys.modules[name] = module
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)
