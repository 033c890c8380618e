"""Our server with a tool that writes to standard output in every way there is: by mistake, or in a library.

`python noisy_server.py STORE STATE`
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server, serve_stdio
from ivcap_mcp.backend import Backend
from ivcap_mcp.request import Request
from ivcap_mcp.results import answer
from ivcap_mcp.tools import BUILTINS, Builtin


async def noise(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    print("stray: print")  # not flushed: it waits in a buffer until the process ends
    print("stray: flushed", flush=True)
    sys.stdout.buffer.write(b"stray: buffer\n")
    assert sys.__stdout__ is not None
    sys.__stdout__.write("stray: __stdout__\n")
    os.write(1, b"stray: descriptor\n")
    read = "import sys; print('stray: child'); print('child read', len(sys.stdin.read()), file=sys.stderr)"
    subprocess.run([sys.executable, "-c", read], check=True, timeout=20)  # noqa: ASYNC221 - a careless handler
    await anyio.to_thread.run_sync(lambda: print("stray: thread"))
    return answer({"made": "noise"})


def main() -> None:
    import ivcap_mcp.server as wiring

    told = t.Tool(name="noise", description="Makes noise.", input_schema={"type": "object", "properties": {}})
    setattr(wiring, "BUILTINS", (*BUILTINS, Builtin(told, noise)))  # noqa: B010 - a handler that goes wrong
    store, state = map(Path, sys.argv[1:])
    with LocalIVCAP(store) as ivcap:
        anyio.run(serve_stdio, build_server(ivcap, Settings(state_dir=state, local=True)))


if __name__ == "__main__":
    main()
