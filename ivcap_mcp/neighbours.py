"""`ivcap-mcp` and the public `ivcap-client` both bring the package `ivcap_client`: they cannot share an environment."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

MESSAGE = """\
ivcap-mcp: the package `ivcap-client` is installed in the same environment. Both bring the Python package
`ivcap_client`, and whichever was installed last overwrote files of the other, so neither works.
Repair this environment with

    {python} -m pip uninstall --yes ivcap-client ivcap-mcp
    {python} -m pip install ivcap-mcp

and keep the public client, and tools built with it, in environments of their own.
"""


def shared_environment() -> bool:
    """Whether files of the public client lie in the package `ivcap_client`."""
    spec = importlib.util.find_spec("ivcap_client")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return any((Path(place) / "api").is_dir() or not (Path(place) / "_core").is_dir() for place in places)


def refuse_shared_environment() -> None:
    """End with code 2 and the commands that repair it, where the environment is shared."""
    if shared_environment():
        sys.stderr.write(MESSAGE.format(python=sys.executable))
        raise SystemExit(2)
