"""What goes wrong on a line: messages that are none, or far too long, writes that do not belong there, dead clients."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import JSONRPCRequest, jsonrpc_message_adapter

from ivcap_mcp.draining import BUSY, MOST_PENDING, CountedWrites, DrainedReads, Pending
from ivcap_mcp.lines import MOST_LINE, Lines, complaint
from tests.conftest import ROOT
from tests.mcp.clients import end
from tests.mcp.test_processes import INITIALIZE

pytestmark = pytest.mark.anyio

DONE = 99


@contextmanager
def server(tmp_path: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    given = command or ("-m", "ivcap_mcp", "--local-dir", str(tmp_path / "store"))
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        yield process
    finally:
        end(process)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def lines(*said: Any) -> bytes:
    return b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in said)


HELLO = (INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"})


def talk(process: subprocess.Popen[bytes], *said: Any, answers: int) -> list[dict[str, Any]]:
    """Say all of this, and `ping`; so many answers come beside that of the `ping`, in any order."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(lines(*said, {"jsonrpc": "2.0", "id": DONE, "method": "ping"}))
    process.stdin.flush()
    told = [json.loads(process.stdout.readline()) for _ in range(answers + 1)]
    assert all(one["jsonrpc"] == "2.0" for one in told)
    assert ["result" in one for one in told if one.get("id") == DONE] == [True]
    return [one for one in told if one.get("id") != DONE]


def said_no_more(process: subprocess.Popen[bytes]) -> None:
    """Nothing else was answered, and the server ends well."""
    out, _ = process.communicate(timeout=60)
    assert out == b""
    assert process.returncode == 0


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    """One server for all lines that do it no harm, as they must not."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("serving")
        for name in ("STATE", "CONFIG"):
            patch.setenv(f"IVCAP_{name}_DIR", str(home / name.lower()))
        with server(home) as process:
            talk(process, *HELLO, answers=1)
            yield process
            said_no_more(process)


BAD: list[tuple[bytes, int | None, int]] = [
    (b"{not json\n", None, -32700),
    (b"\xff\xfe\x00\n", None, -32700),
    (b'"text"\n', None, -32600),
    (b"5\n", None, -32600),
    (b'{"jsonrpc": "2.0", "id": true, "method": 5}\n', None, -32600),
    (b'{"jsonrpc": "2.0", "id": "a\x01b", "method": nothing}\n', None, -32700),
    (b'{"jsonrpc": "2.0", "id": 007, "method": "ping"}\n', None, -32700),
    (b'{"too long": 1, "id": true}\n', None, -32600),
    (b'{"jsonrpc": "2.0", "id": [1], "method": "ping", "params": 1}\n', None, -32600),
    (b'[{"jsonrpc":"2.0","id":5,"method":"ping"},{"jsonrpc":"2.0","id":6,"method":"ping"}]\n', None, -32600),
    (b'{"id":5,"method":"ping"}\n', 5, -32600),
    (b'{"jsonrpc":"1.0","id":5,"method":"ping"}\n', 5, -32600),
    (b'{"jsonrpc":"2.0","id":5,"method":17}\n', 5, -32600),
    (b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":[1]}\n', 5, -32600),
    (b'{"jsonrpc":"2.0","id":5,"method":"no/such"}\n', 5, -32601),
    (b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"\xff\xfe"}}\n', 5, -32602),
    (b'{"jsonrpc":"2.0","id":5,"method":"ping","params":{"a":"\\ud800"}}\n', 5, -32700),
    (b'{"method":"ping","params":{"a":' + b'{"id":7,"b":' * 9000 + b"1" + b"}" * 9000 + b'},"id":5}\n', 5, -32700),
]


@pytest.mark.parametrize(("line", "number", "code"), BAD, ids=range(len(BAD)))
def test_a_line_that_is_no_request_is_answered_with_the_right_code_and_the_next_is_served(
    serving: subprocess.Popen[bytes], line: bytes, number: int | None, code: int
) -> None:
    (told,) = talk(serving, line, answers=1)
    assert told["id"] == number
    assert told["error"]["code"] == code


@pytest.mark.parametrize(
    "line",
    [b"\n", b"   \n", b'{"jsonrpc":"2.0","method":"x","params":3}\n', b'{"jsonrpc":"2.0","id":55,"result":{}}\n'],
)
def test_a_line_that_wants_no_answer_gets_none(serving: subprocess.Popen[bytes], line: bytes) -> None:
    assert talk(serving, line, answers=0) == []


@pytest.mark.parametrize("first", [True, False], ids=["id first", "id last"])
def test_a_message_of_50_mb_is_refused_by_its_id_and_takes_no_such_memory(tmp_path: Path, first: bool) -> None:
    with server(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines(*HELLO))
        process.stdin.flush()
        process.stdout.readline()
        head, tail = (b'{"jsonrpc":"2.0","id":5,', b"") if first else (b"{", b',"jsonrpc":"2.0","id":5')
        before = _peak(process)
        process.stdin.write(
            head + b'"method":"ping","params":{"id":7,"a":"' + b"x" * 50_000_000 + b'"}' + tail + b"}\n"
        )
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        assert told["id"] == 5
        assert str(MOST_LINE) in told["error"]["message"]
        assert _peak(process) - before < 45_000


def _peak(process: subprocess.Popen[bytes]) -> int:
    """Most memory it ever had, in kB."""
    try:
        said = Path(f"/proc/{process.pid}/status").read_text()
    except FileNotFoundError:
        pytest.skip("what a process holds is not told here")
    return next(int(line.split()[1]) for line in said.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize("ending", [b"\nnext\n", b""])
def test_a_line_of_just_the_longest_length_is_taken_and_one_byte_more_is_not(ending: bytes) -> None:
    def taken(length: int) -> str:
        return Lines(io.BytesIO(b"x" * length + ending), most=100)._next()

    assert taken(99)[:5] == "xxxxx"
    assert "too long" in taken(101)


def test_a_library_and_a_handler_that_write_to_stdout_leave_json_rpc_only(tmp_path: Path) -> None:
    noisy = (str(Path(__file__).with_name("noisy_server.py")), str(tmp_path / "store"), str(tmp_path / "state"))
    call = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "noise", "arguments": {}}}
    with server(tmp_path, *noisy) as process:
        (told,) = (one for one in talk(process, *HELLO, call, answers=2) if one["id"] == 5)
        said_no_more(process)
    assert told["result"]["structuredContent"] == {"made": "noise"}, told
    log = (tmp_path / "log").read_text()
    assert log.count("stray: ") == 7, log
    assert "child read 0" in log


@pytest.mark.parametrize("reads", [True, False], ids=["closes both", "closes its ear only"])
def test_a_client_that_dies_in_the_middle_of_an_answer_leaves_no_traceback(tmp_path: Path, reads: bool) -> None:
    with server(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines(*HELLO))
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(lines(*({"jsonrpc": "2.0", "id": n, "method": "tools/list"} for n in range(5, 50))))
        process.stdin.flush()
        if reads:
            process.stdin.close()
        assert process.wait(20) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_client_that_closes_its_side_and_never_reads_does_not_keep_the_server(tmp_path: Path) -> None:
    with server(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.write(
            lines(*HELLO, *({"jsonrpc": "2.0", "id": n, "method": "tools/list"} for n in range(5, 200)))
        )
        process.stdin.close()
        assert process.wait(30) == 0


async def test_requests_beyond_the_most_are_refused_and_answers_still_come_through() -> None:
    into, reads = anyio.create_memory_object_stream[SessionMessage | Exception](MOST_PENDING + 10)
    written: list[SessionMessage] = []

    class Written:
        async def send(self, item: SessionMessage, /) -> None:
            written.append(item)

        async def aclose(self) -> None: ...

    pending = Pending()
    drained = DrainedReads(reads, CountedWrites(Written(), pending), pending, 0.1)  # type: ignore[arg-type]
    for number in range(MOST_PENDING + 3):
        into.send_nowait(SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=number, method="ping")))
    into.send_nowait(SessionMessage(jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", "method": "x"})))
    taken = [await drained.receive() for _ in range(MOST_PENDING + 1)]
    assert isinstance(taken[-1], SessionMessage)
    assert not isinstance(taken[-1].message, JSONRPCRequest)
    assert [one.message.error.code for one in written] == [BUSY] * 3  # type: ignore[union-attr]
    into.close()
    reads.close()


def test_an_answer_that_is_wrong_is_not_taken_for_one_of_ours() -> None:
    try:
        jsonrpc_message_adapter.validate_json('{"jsonrpc":"2.0","id":5,"result":3}')
    except ValueError as error:
        told = complaint(error)
    assert told is not None
    assert told.id is None
