"""An AI tool that costs nothing: standard library, one event loop, does nothing or sleeps.

`python trivial_tool.py --host H --port P`; with port 0 it says where it is. A request is `{"seconds": s}`; the result
says when it was ready.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

TOOL = {
    "$schema": "urn:sd-core:schema.ai-tool.1",
    "name": "trivial",
    "description": "Does nothing for a while.",
    "fn_schema": {"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]},
}


async def answer(method: str, path: str, body: bytes) -> bytes:
    if method == "POST":
        asked = json.loads(body)
        if asked["seconds"]:
            await asyncio.sleep(asked["seconds"])
        return json.dumps({"at": time.time()}).encode()
    return json.dumps({"version": "1"} if path == "/_healtz" else TOOL).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            method, path, _ = line.decode().split(" ", 2)
            length = 0
            while (header := await reader.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            said = await answer(method, path, await reader.readexactly(length))
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n"
            writer.write(head.encode() + said)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    server = await asyncio.start_server(serve, given.host, given.port, backlog=512)
    if not given.port:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
