"""An MCP server of your own: the same tools, with your settings and your platform."""

from pathlib import Path

import anyio

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server, examples, serve_stdio

ivcap = LocalIVCAP("study", services=[str(examples.path("rehearsal.py"))])
settings = Settings(
    target="the platform of this study",
    tools="auto",
    max_wait=30,
    state_dir=Path("study-state"),  # the journal of jobs ordered
    local=True,
)

if __name__ == "__main__":
    anyio.run(serve_stdio, build_server(ivcap, settings))
