"""The server as an ASGI app, to run with any ASGI server."""

import sys
from pathlib import Path

import uvicorn

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server, http_app

ivcap = LocalIVCAP("study")
server = build_server(ivcap, Settings(state_dir=Path("study-state"), local=True))
app = http_app(server, tokens=["a-long-random-token"], hosts=["127.0.0.1", "localhost"])

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    # h11, since other parsers leave blanks in headers that the protocol does not allow.
    uvicorn.run(app, host="127.0.0.1", port=port, http="h11", log_level="warning")
