"""Many at once, and those who stall: nobody holds up the others, and each job ends once."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from typing import Any
from urllib.parse import quote

from ivcap_client._local import launch
from ivcap_client._local.changes import Changes
from ivcap_client._local.dispatch import Dispatcher
from ivcap_client._local.job_record import LocalJob
from ivcap_client._local.limits import Limits
from tests.local.running.desk import LONG, Desk, until
from tests.local.running.test_gateway import Client, serving

MANY = 200


def test_two_hundred_jobs_at_once_each_complete_once_with_their_events_in_order(desk: Desk) -> None:
    jobs = [desk.submit(do="echo", n=number) for number in range(MANY)]
    for number, job in enumerate(jobs):
        ended = desk.store.jobs.wait(job, 3 * LONG)
        assert ended.status == "succeeded", ended.error_message
        assert desk.result(ended)["n"] == number
        events = desk.store.jobs.events(ended)
        assert [event["SeqID"] for event in events] == [f"{at:08d}" for at in range(1, len(events) + 1)]
        states = [event["Data"]["status"] for event in events if event["Type"] == "ivcap.job.status"]
        assert states == ["scheduled", "executing", "succeeded"]


def test_uploads_that_stall_hold_up_nobody_and_are_broken_off(desk: Desk) -> None:
    desk.limit(IVCAP_BODY_STALL=1)
    with serving(desk) as found, contextlib.ExitStack() as lines:
        client = Client(found)
        name = base64.b64encode(b"slow.bin").decode()
        stalled: list[tuple[str, socket.socket]] = []
        for _ in range(30):
            status, made = client.ask("POST", "/1/artifacts", **{"X-Name": name, "X-Content-Length": "10"})
            assert status == 201
            line = lines.enter_context(socket.create_connection(("127.0.0.1", found.port), LONG))
            path = f"/1/artifacts/{quote(made['id'], safe='')}/blob"
            head = (
                f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{found.port}\r\nTus-Resumable: 1.0.0\r\n"
                "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 10\r\n\r\nabc"
            )
            line.sendall(head.encode())
            stalled.append((path, line))
        assert client.ask("GET", "/1/aspects")[0] == 200
        assert client.ask("POST", f"/1/services2/{desk.plain.urn}/jobs", {"do": "echo"}, Timeout="10")[0] == 200
        path, line = stalled[0]

        def resumable() -> bool:
            with client.open("HEAD", path) as reply:
                return reply.headers["upload-offset"] == "3"

        until(resumable)
        with client.open("PATCH", path, b"defghij", **{"Upload-Offset": "3", "Tus-Resumable": "1.0.0"}) as reply:
            assert reply.status == 204
            assert reply.headers["upload-offset"] == "10"


def test_a_platform_that_is_stopping_refuses_orders_before_they_are_jobs(desk: Desk) -> None:
    with serving(desk) as found:
        client = Client(found)
        running = desk.submit(do="sleep", seconds=1.5)
        desk.started(running)
        runner = launch.read_runner(desk.base.resolve())
        assert runner is not None
        assert launch.ask(runner, "POST", "/.runner/stop")[0] == 202
        with client.open("POST", f"/1/services2/{desk.plain.urn}/jobs", {"do": "echo"}) as reply:
            assert reply.status == 503
            assert reply.headers["retry-after"] == "1"
        assert desk.ended(running).status == "succeeded"
        assert len(desk.store.jobs.unfinished()) == 0


def test_a_job_ended_by_others_while_its_start_is_written_never_reaches_its_tool(desk: Desk) -> None:
    job = desk.create(do="echo")

    async def work() -> LocalJob | None:
        dispatcher = Dispatcher(desk.base, desk.store.jobs, Limits(), Changes())
        start = desk.store.jobs.start

        def overtaken(which: LocalJob) -> LocalJob:
            desk.store.jobs.finish(which, status="error", message="cancelled elsewhere")
            return start(which)

        dispatcher._jobs.start = overtaken  # type: ignore[method-assign,assignment] # the moment between cannot be met otherwise
        try:
            await dispatcher.submit(job.id, desk.plain)
            async with asyncio.timeout(LONG):
                await asyncio.gather(*(run.done.wait() for run in dispatcher.runs.values()))
            (tool,) = dispatcher.fleet.by_secret.values()
            assert not tool.jobs
        finally:
            await dispatcher.close("over")
        return desk.store.jobs.find(job.id)

    ended: Any = asyncio.run(work())
    assert (ended.status, ended.error_message) == ("error", "cancelled elsewhere")
    log = (desk.base / ".ivcap" / "logs" / "plain.log").read_text()
    assert "POST" not in log
