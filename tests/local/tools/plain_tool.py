"""A tool that speaks the service contract with the standard library only: an outside party that starts in no time.

What a job does is in its request: `{"do": "echo" | "sleep" | "die" | "hang" | "none" | "large" | "value" | "boom" |
"events" | "environment" | "ask" | "asks" | "leave" | "slip", …}`.
PLAIN_TOOL in the environment spoils the start: `exit`, `deaf`; or makes it `two` tools.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BASE = os.environ.get("IVCAP_BASE_URL", "")
SCHEMA = {"type": "object", "properties": {"do": {"type": "string"}}, "required": ["do"]}
TWO = os.environ.get("PLAIN_TOOL") == "two"
DONE: dict[str, tuple[int, str, bytes]] = {}


def call(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(BASE + path, data=body or None, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read()


def work(job: str, asked: dict[str, Any]) -> tuple[int, str, bytes]:
    """The reply; also reported to the sidecar, as the real library does."""
    what = asked.get("do")
    if what == "sleep":
        time.sleep(asked["seconds"])
    elif what == "die":
        os._exit(9)
    elif what == "hang":
        time.sleep(3600)
    elif what == "events":
        for number in range(asked.get("count", 3)):
            event = {"$schema": "urn:ivcap:schema:service.event.generic.1", "name": "n", "options": {"at": number}}
            call("POST", f"/events/{job}", json.dumps(event).encode(), Content_Type="application/json")
    elif what == "large":
        return 200, "application/octet-stream", b"x" * asked["size"]
    elif what == "none":
        return error(500, "text/plain", b"Internal Server Error", "no result", "no-result-error")
    elif what == "value":
        return error(400, "application/json", b'{"message": "bad", "code": 400}', "bad", "ValueError")
    elif what == "boom":
        inline = json.dumps({"jschema": "urn:ivcap:schema.ai-tool.error.1", "message": "boom", "traceback": "T"})
        return error(500, "application/json", inline.encode(), "boom", "RuntimeError")
    elif what == "environment":
        return 200, "application/json", json.dumps({"pid": os.getpid(), **os.environ}).encode()
    elif what == "leave":  # a process in a session of its own, whose parent is gone
        waits = (
            "import os, time; os.fork() and os._exit(0); os.setsid(); print(os.getpid(), flush=True); time.sleep(3600)"
        )
        left = subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE, text=True)
        assert left.stdout is not None
        return 200, "application/json", json.dumps({"pid": os.getpid(), "left": int(left.stdout.readline())}).encode()
    elif what == "slip":  # tells everybody what it was told in confidence
        told = json.loads(call("GET", "/1/secret?secret-name=key", Ivcap_Job_Id=job)[1])["secret-value"]
        print(told, flush=True)
        call("POST", f"/events/{job}", json.dumps({"$schema": "urn:x", "name": told}).encode())
        if asked.get("fail"):
            return error(500, "text/plain", told.encode(), told, "RuntimeError")
        return 200, "application/json", json.dumps(["x" * 65_533 + told] * asked.get("times", 1)).encode()
    elif what == "ask":
        status, body = call(asked["method"], asked["path"], json.dumps(asked.get("body")).encode())
        return 200, "application/json", json.dumps({"status": status, "body": body.decode("utf-8", "replace")}).encode()
    elif what == "asks":
        return 200, "application/json", json.dumps(asks(asked["asks"], job)).encode()
    return 200, "application/json", json.dumps({"pid": os.getpid(), **asked}).encode()


def asks(wanted: list[dict[str, Any]], job: str) -> list[dict[str, Any]]:
    """One request after another; `<2.id>` stands for the `id` in the answer to the third, `$name` for what it knows."""
    said: list[dict[str, Any]] = []

    def filled(text: str) -> str:
        def told(found: re.Match[str]) -> str:
            return str(said[int(found[1])]["json"][found[2]])

        for name, value in json.loads(os.environ.get("KNOWN", "{}")).items():
            text = text.replace(f"${name}", value)
        return re.sub(r"<(\d+)\.([\w-]+)>", told, text)

    for one in wanted:
        path = filled(one["path"]).replace(BASE, "")
        body = one["text"].encode() if "text" in one else filled(json.dumps(one.get("body"))).encode()
        status, answer = call(
            one["method"],
            path,
            body,
            **{"Content_Type": "application/json", "Ivcap_Job_Id": job, **one.get("headers", {})},
        )
        try:
            value = json.loads(answer)
        except ValueError:
            value = None
        said.append({"status": status, "body": answer.decode("utf-8", "replace"), "json": value})
    return said


class Reported(threading.local):
    body: bytes = b""


REPORT = Reported()


def error(status: int, kind: str, inline: bytes, text: str, name: str) -> tuple[int, str, bytes]:
    said = {"$schema": "urn:ivcap:schema.service.error.1", "error": text, "type": name, "traceback": "Traceback …"}
    REPORT.body = json.dumps(said).encode()
    return status, kind, inline


def run(job: str, asked: dict[str, Any], finished: threading.Event) -> None:
    REPORT.body = b""
    status, kind, body = DONE[job] = work(job, asked)
    finished.set()
    if not asked.get("silent"):
        time.sleep(asked.get("late", 0))
        failed = status != 200
        sent, sent_kind = (REPORT.body, "application/json") if failed else (body, kind)
        headers = {"Content_Type": sent_kind, "Is_Error": str(failed), "Ivcap_Job_Id": job}
        call("POST", f"/results/{job}", sent, **headers)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/_healtz":
            self.answer(200, "application/json", b'{"version": "1"}')
        elif self.path == "/openapi.json" and TWO:
            posts: dict[str, Any] = {path: {"post": {}} for path in ("/", "/other")}
            paths = {**posts, "/jobs/{job_id}": {"get": {}}, "/other/jobs/{job_id}": {"get": {}}}
            self.answer(200, "application/json", json.dumps({"paths": paths}).encode())
        elif self.path == "/" or (TWO and self.path == "/other"):
            tool = {
                "$schema": "urn:sd-core:schema.ai-tool.1",
                "name": "plain" if self.path == "/" else "other_one",
                "fn_schema": SCHEMA,
                "description": "A tool.",
            }
            self.answer(200, "application/json", json.dumps(tool).encode())
        elif self.path.startswith("/jobs/"):
            job = self.path.rpartition("/")[2]
            if job in DONE:
                self.answer(*DONE[job])
            else:
                self.answer(204, "", b"", {"Location": self.path})
        else:
            self.answer(404, "text/plain", b"no")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        job = self.headers["job-id"].rpartition(":")[2]
        asked = {**asked, "path": self.path} if TWO and asked.get("do") == "echo" else asked
        if "do" not in asked:
            detail = [{"type": "missing", "loc": ["body", "do"], "msg": "Field required"}]
            self.answer(422, "application/json", json.dumps({"detail": detail}).encode())
            return
        finished = threading.Event()
        threading.Thread(target=run, args=(job, asked, finished), daemon=True).start()
        if not asked.get("later") and finished.wait(float(self.headers["Timeout"])):
            self.answer(*DONE[job])
        else:
            pause = asked.get("later")
            told = {"Retry-Later": str(pause)} if pause and not isinstance(pause, bool) else {}
            self.answer(204, "", b"", {"Location": f"/jobs/{job}", **told})

    def answer(self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**({"Content-Type": kind} if kind else {}), **(more or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    spoiled = os.environ.get("PLAIN_TOOL")
    if spoiled == "exit":
        print("cannot find my model file", file=sys.stderr)
        sys.exit(3)
    if spoiled == "deaf":
        time.sleep(3600)
    server = ThreadingHTTPServer((options.host, options.port), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
