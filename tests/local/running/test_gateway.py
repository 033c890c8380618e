"""The REST API of a foreground platform over real sockets, run on a thread of the test's process."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ivcap_client._local import launch
from ivcap_client._local.runner import RunnerError, Serving, run_runner
from ivcap_client._local.specs import EnvironmentSpec
from tests.local.running.desk import LONG, Desk, gone, secret_of, until


def line_to(serving: Serving) -> http.client.HTTPConnection:
    """A connection to a platform."""
    host, port = serving.url.removeprefix("http://").split(":")
    return http.client.HTTPConnection(host, int(port), timeout=LONG)


class Client:
    """Plain requests to one address."""

    def __init__(self, serving: Serving, **headers: str) -> None:
        self.serving, self.headers = serving, headers

    def open(self, method: str, target: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        """Send a request; the reply is not read yet."""
        line = line_to(self.serving)
        named = {
            name.replace("_", "-"): value for name, value in {"Connection": "close", **self.headers, **headers}.items()
        }
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        line.request(method, target, body=data, headers=named)
        return line.getresponse()

    def ask(self, method: str, target: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send a request; its status, and its body as JSON where it is."""
        with self.open(method, target, body, **headers) as reply:
            text = reply.read()
            told = reply.headers.get("content-type") or ""
            return reply.status, json.loads(text) if "json" in told and text else text


@contextmanager
def serving(desk: Desk, **options: Any) -> Iterator[Serving]:
    """A platform in the foreground."""
    found: list[Serving] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(run_runner(desk.base, foreground=True, services=[desk.plain], on_ready=found.append, **options))
        except BaseException as problem:
            failed.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        until(lambda: found or failed)
        if failed:
            raise failed[0]
        yield found[0]
    finally:
        if not failed:
            launch.stop_runner(desk.base, force=True, seconds=LONG)
        thread.join(LONG)
        assert not thread.is_alive()


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    with serving(desk) as found:
        yield Client(found)


def jobs(desk: Desk) -> str:
    return f"/1/services2/{desk.plain.urn}/jobs"


def events(reply: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The events of a stream as they come."""
    for line in reply:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def test_a_job_runs_from_its_creation_to_its_result(desk: Desk, client: Client) -> None:
    status, made = client.ask("POST", jobs(desk), {"do": "echo", "n": 1}, Content_Type="application/json")
    assert status == 202
    assert made["location"].startswith(client.serving.url + "/1/services2/")
    with client.open("GET", f"{jobs(desk)}/{made['job-id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = [event["Data"].get("status") for event in events(stream)]
    assert told[-1] == "succeeded"
    status, read = client.ask("GET", f"{jobs(desk)}/{made['job-id']}")
    assert (status, read["status"], read["result-content"]["n"]) == (200, "succeeded", 1)


def test_a_held_request_answers_with_the_result(desk: Desk, client: Client) -> None:
    status, said = client.ask("POST", jobs(desk), {"do": "echo", "n": 2}, Timeout="10.0")
    assert (status, said["n"]) == (200, 2)
    assert client.ask("POST", jobs(desk), {"do": "boom"}, Timeout="10")[0] == 202
    assert client.ask("POST", jobs(desk), {"do": "sleep", "seconds": 5}, Timeout="0.05")[0] == 202
    assert client.ask("POST", jobs(desk), {"do": "large", "size": 10}, Timeout="10")[0] == 202


def test_events_arrive_while_the_job_runs_and_a_reader_may_come_back(desk: Desk, client: Client) -> None:
    _, made = client.ask("POST", jobs(desk), {"do": "sleep", "seconds": 1})
    with client.open("GET", f"{jobs(desk)}/{made['job-id']}/events") as stream:
        coming = events(stream)
        while (event := next(coming))["Data"].get("status") != "executing":
            continue
        last = event["SeqID"]
        job = desk.store.jobs.find(made["job-id"])
        assert job is not None
        assert not job.ended
    with client.open("GET", f"{jobs(desk)}/{made['job-id']}/events", Last_Event_ID=last) as stream:
        told = list(events(stream))
    assert [event["SeqID"] > last for event in told] == [True] * len(told)
    assert told[-1]["Data"]["status"] == "succeeded"


def test_a_silent_stream_says_that_it_is_alive(desk: Desk) -> None:
    desk.limit(IVCAP_EVENTS_KEEP_ALIVE=0.05)
    with serving(desk) as found:
        client = Client(found)
        _, made = client.ask("POST", jobs(desk), {"do": "sleep", "seconds": 0.5})
        with client.open("GET", f"{jobs(desk)}/{made['job-id']}/events") as stream:
            assert any(line.startswith(b":") for line in stream)


def test_a_service_that_does_not_start_says_why(desk: Desk) -> None:
    desk.plain = desk.service("spoiled", env={"PLAIN_TOOL": "exit"})
    with serving(desk) as found:
        client = Client(found)
        path = f"/1/services2/{desk.plain.urn}"
        until(lambda: client.ask("GET", path)[1]["status"] == "error")
        said = client.ask("GET", path)[1]["description"]
    assert said.startswith("does not start: the tool spoiled ended with 3 before it was ready: ")
    assert said.endswith("cannot find my model file")


def test_a_job_is_cancelled_where_the_description_lists_the_route(desk: Desk, client: Client) -> None:
    _, said = client.ask("GET", "/1/openapi/openapi3.json")
    assert "/1/services2/{service-id}/jobs/{id}/cancel" in said["paths"]
    _, made = client.ask("POST", jobs(desk), {"do": "hang"})
    job = desk.store.jobs.find(made["job-id"])
    assert job is not None
    desk.started(job)
    assert client.ask("POST", f"{jobs(desk)}/{made['job-id']}/cancel")[0] in (200, 202)
    assert client.ask("GET", f"{jobs(desk)}/{made['job-id']}")[1]["status"] == "error"
    assert client.ask("POST", f"{jobs(desk)}/{made['job-id']}/cancel")[0] == 409


def test_an_upload_streams_in_and_a_range_streams_out(desk: Desk, client: Client) -> None:
    data = bytes(range(256)) * 40_000
    made = {"X_Name": base64.b64encode(b"some.bin").decode(), "X_Content_Type": "application/x-bin"}
    status, said = client.ask("POST", "/1/artifacts", **made, X_Content_Length=str(len(data)), Tus_Resumable="1.0.0")
    assert status == 201
    href = said["data-href"].removeprefix(client.serving.url)
    assert href.startswith("/1/artifacts/")
    with client.open("PATCH", href, data, Upload_Offset="0", Content_Type="application/offset+octet-stream") as reply:
        assert (reply.status, reply.headers["Upload-Offset"]) == (204, str(len(data)))
    with client.open("HEAD", href) as reply:
        assert reply.headers["Upload-Offset"] == str(len(data))
    assert client.ask("GET", href) == (200, data)
    with client.open("GET", href, Range="bytes=1000000-1000009") as reply:
        assert (reply.status, reply.read()) == (206, data[1_000_000:1_000_010])


def test_an_upload_that_breaks_off_keeps_what_came(desk: Desk, client: Client) -> None:
    made = {"X_Name": "YQ==", "X_Content_Type": "text/plain", "X_Content_Length": "1000000"}
    href = client.ask("POST", "/1/artifacts", **made)[1]["data-href"].removeprefix(client.serving.url)
    host, port = client.serving.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        head = f"PATCH {href} HTTP/1.1\r\nHost: {host}\r\nUpload-Offset: 0\r\nContent-Length: 1000000\r\n\r\n"
        line.sendall(head.encode() + b"x" * 300_000)

    def offset() -> int:
        with client.open("HEAD", href) as reply:
            return int(reply.headers["Upload-Offset"])

    until(lambda: offset() == 300_000)


def test_a_client_that_owes_bytes_is_given_up_and_what_came_is_kept(desk: Desk) -> None:
    desk.limit(IVCAP_BODY_STALL=0.2)
    with serving(desk) as found:
        client = Client(found)
        line = line_to(found)
        line.request("POST", "/1/artifacts", headers={"Content-Length": "1"})
        with line.getresponse() as reply:
            assert (reply.status, "nothing came for 0.2 s" in reply.read().decode()) == (408, True)
        line.close()
        href = client.ask("POST", "/1/artifacts", X_Content_Length="9")[1]["data-href"].removeprefix(found.url)
        line = line_to(found)
        line.putrequest("PATCH", href)
        line.putheader("Upload-Offset", "0")
        line.putheader("Content-Length", "9")
        line.endheaders(b"half")
        with line.getresponse() as reply:
            assert reply.status == 408
        line.close()
        with client.open("HEAD", href) as reply:
            assert reply.headers["Upload-Offset"] == "4"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Host": "localhost"}, 200),
        ({}, 200),
    ],
)
def test_pages_of_other_origins_are_refused(client: Client, headers: dict[str, str], status: int) -> None:
    with client.open("GET", "/1/services2", **headers) as reply:
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == (headers.get("Origin") if status == 200 else None)


def test_a_preflight_is_answered_for_allowed_origins(client: Client) -> None:
    asked = {"Origin": "http://localhost:3000", "Access_Control_Request_Method": "PATCH"}
    with client.open("OPTIONS", "/1/artifacts", **asked, Access_Control_Request_Headers="tus-resumable") as reply:
        assert reply.status == 204
        assert reply.headers["access-control-allow-headers"] == "tus-resumable"


def test_an_offline_platform_builds_no_environment_whoever_orders_the_job(desk: Desk) -> None:
    needs = EnvironmentSpec(dependencies=("no-such-package-anywhere",))
    with serving(desk, offline=True):
        job = desk.run(desk.service("needy", requirements=needs))
        assert (job.status, "--offline forbids building it" in str(job.error_message)) == ("error", True)
        assert desk.run(do="echo").status == "succeeded"


def test_a_platform_with_a_token_asks_for_it(desk: Desk) -> None:
    with serving(desk, token="open sesame") as found:
        assert not found.open
        assert Client(found).ask("GET", "/1/services2")[0] == 401
        assert Client(found, Authorization="Bearer wrong").ask("GET", "/1/services2")[0] == 401
        assert Client(found, Authorization="Bearer open sesame").ask("GET", "/1/services2")[0] == 200
        assert Client(found, Authorization="Bearer open sesame").ask("GET", "/.runner/state")[0] == 401


def test_signing_in_to_a_platform_with_a_token_needs_it(desk: Desk) -> None:
    with serving(desk, token="open sesame") as found:
        client, form = Client(found), "application/x-www-form-urlencoded"
        code = client.ask("POST", "/1/sign-in/code", b"client_id=local", Content_Type=form)[1]
        grant = f"grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={code['device_code']}".encode()

        def tokens() -> tuple[int, Any]:
            return client.ask("POST", "/1/sign-in/token", grant, Content_Type=form)

        def page(token: str) -> str:
            body = f"user_code={code['user_code']}&token={token}".encode()
            return str(client.ask("POST", "/1/sign-in", body, Content_Type=form)[1])

        assert tokens() == (403, {"error": "authorization_pending"})
        assert "not the platform&#x27;s token" in page("wrong")
        assert tokens()[0] == 403
        assert "Signed in" in page("open+sesame")
        status, said = tokens()
        assert (status, said["access_token"]) == (200, "open sesame")
        assert client.ask("GET", "/1/services2")[0] == 401
        with client.open("GET", "/1/sign-in?user_code=%27%3E%3Cscript%3E") as reply:
            assert b"<script>" not in reply.read()


def test_the_runners_own_routes_are_closed_even_where_the_api_is_open(client: Client) -> None:
    assert client.serving.open
    for method, path in [("GET", "/.runner/state"), ("POST", "/.runner/stop"), ("POST", "/.runner/services")]:
        assert client.ask(method, path)[0] == 401
    own = Client(client.serving, Authorization=f"Bearer {client.serving.token}")
    assert own.ask("POST", "/.runner/services", [{"urn": "x"}])[0] == 400
    assert own.ask("GET", "/.runner/other")[0] == 404


def test_what_is_not_served_is_an_honest_501(client: Client) -> None:
    status, said = client.ask("GET", "/1/projects")
    assert (status, list(said)) == (501, ["message"])


def test_what_only_the_runner_may_say_is_taken_off_outside_requests(desk: Desk, client: Client) -> None:
    _, said = client.ask("POST", jobs(desk), {"do": "echo"}, X_Base_Url="http://elsewhere.invalid")
    assert said["location"].startswith(client.serving.url)
    _, said = client.ask("POST", jobs(desk), {"do": "echo"}, X_Forwarded_Host="gate.example", X_Forwarded_Proto="https")
    assert said["location"].startswith("https://gate.example/1/")


def test_a_body_larger_than_the_bound_is_refused(client: Client) -> None:
    line = line_to(client.serving)
    line.putrequest("POST", "/1/aspects?entity=urn:a&schema=urn:b")
    line.putheader("Content-Length", str(65 * 2**20))
    line.endheaders()
    with line.getresponse() as reply:
        assert reply.status == 413
    line.close()


def test_an_answer_before_the_end_of_a_body_closes_the_connection(client: Client) -> None:
    line = line_to(client.serving)
    line.putrequest("POST", "/.runner/state")
    line.putheader("Content-Length", "1000")
    line.endheaders(b"part")
    with line.getresponse() as reply:
        assert (reply.status, reply.headers["connection"]) == (401, "close")
    line.close()
    line = line_to(client.serving)
    line.request("GET", "/1/services2")
    with line.getresponse() as reply:
        assert reply.headers["connection"] != "close"
    line.close()


def test_an_absolute_request_line_is_understood(desk: Desk, client: Client) -> None:
    assert client.ask("GET", f"{client.serving.url}/1/services2")[0] == 200


def test_a_tool_uploads_and_reads_through_its_own_address(desk: Desk, client: Client) -> None:
    def ask(method: str, path: str, body: object = None) -> tuple[int, Any]:
        asked = {"do": "ask", "method": method, "path": path, "body": body}
        _, said = client.ask("POST", jobs(desk), asked, Timeout="10")
        return said["status"], json.loads(said["body"]) if said["body"].startswith("{") else said["body"]

    status, made = ask("POST", "/1/aspects?entity=urn:x:y&schema=urn:x:s", {"$schema": "urn:x:s", "a": 1})
    assert status == 200
    status, read = ask("GET", f"/1/aspects/{made['id']}")
    assert (status, read["content"]["a"]) == (200, 1)
    secret = secret_of(desk.result(desk.run(do="environment"))["pid"])
    assert ask("GET", f"/s/{secret}/1/aspects/{made['id']}")[0] == 200  # the library doubles the prefix
    assert ask("GET", "/1/secret?secret-name=none")[0] == 403
    assert ask("GET", "/next_job")[0] == 501
    assert ask("GET", "/1/projects")[0] == 501
    with client.open("GET", "/s/guessed/1/aspects") as reply:
        assert reply.status == 404


def test_a_tool_gets_the_secrets_that_its_service_declares_and_no_others(desk: Desk, client: Client) -> None:
    for name in ("key", "hidden"):
        told = {"secret-name": name, "secret-value": f"the {name}", "expiry-time": 0}
        assert client.ask("POST", "/1/secrets", told)[0] == 204
    told = {"secret-name": "old", "secret-value": "gone", "expiry-time": 1}
    assert client.ask("POST", "/1/secrets", told)[0] == 204
    keen = desk.service("keen", secrets=("key", "unset", "old"))

    def ask(name: str, more: str = "") -> tuple[int, dict[str, Any]]:
        path = f"/1/secret?secret-name={name}{more}"
        said = desk.result(desk.run(keen, do="ask", method="GET", path=path))
        return said["status"], json.loads(said["body"])

    status, said = ask("key", "&secret-type=raw&token-type=USER")
    assert (status, said["secret-value"]) == (200, "the key")
    assert ask("hidden")[0] == 403
    assert ask("unset")[0] == 404
    assert ask("old")[0] == 404
    said = desk.result(desk.run(do="ask", method="GET", path="/1/secret?secret-name=key"))
    assert said["status"] == 403


def test_a_tool_starts_sub_jobs_and_reads_no_others(desk: Desk, client: Client) -> None:
    asked: dict[str, Any] = {"do": "ask", "method": "POST", "path": jobs(desk), "body": {"do": "echo"}}
    parent = desk.run(**asked)
    made = json.loads(desk.result(parent)["body"])
    child = desk.store.jobs.find(made["job-id"])
    assert child is not None
    assert child.parent == parent.urn
    assert desk.ended(child).status == "succeeded"
    assert desk.result(desk.run(do="ask", method="GET", path=f"{jobs(desk)}/{child.urn}"))["status"] == 200
    foreign = desk.create(desk.service("other"), do="echo")
    path = f"/1/services2/{foreign.service}/jobs/{foreign.urn}"
    assert desk.result(desk.run(do="ask", method="GET", path=path))["status"] == 404


def test_a_taken_port_is_said_clearly(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RunnerError, match=f"port {port} is taken; choose another one"), serving(desk, port=port):
            pass
    with pytest.raises(RunnerError, match="cannot listen on no"), serving(desk, host="no.such.host.invalid"):
        pass


def test_a_foreground_platform_takes_over_and_waits_for_running_jobs(desk: Desk) -> None:
    job = desk.submit(do="sleep", seconds=1)
    desk.started(job)
    background, said = launch.ensure_runner(desk.base), list[str]()
    with serving(desk, say=said.append) as found:
        assert desk.ended(job).status == "succeeded"
        until(lambda: gone(background.pid))
        assert len(said) == 1
        assert "1 running job" in said[0]
        assert launch.ensure_runner(desk.base).url == found.url
        with pytest.raises(RunnerError, match="runs already"), serving(desk):
            pass


def test_a_platform_on_another_address_still_reaches_its_tools_on_loopback(desk: Desk) -> None:
    with serving(desk, host="127.0.0.2", token="t") as found:
        client = Client(found, Authorization="Bearer t")
        status, said = client.ask("POST", jobs(desk), {"do": "environment"}, Timeout="10")
        assert status == 200
        assert said["IVCAP_BASE_URL"].startswith(f"http://127.0.0.1:{found.port}/s/")
