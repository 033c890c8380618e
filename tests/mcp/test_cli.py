"""The command line: what it prints, what it refuses, and its exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ivcap_client import __version__
from ivcap_client.platform import stop_platform
from ivcap_mcp import examples
from ivcap_mcp.cli.bar import Bar
from ivcap_mcp.cli.main import COMMANDS, run
from tests.mcp.commands import ivcap_mcp

REHEARSAL = str(examples.path("rehearsal.py"))
RUN = '{"service": "urn:ivcap:service:00000000-0000-0000-0000-000000000001", "input": {}}'


def as_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as users start it; most tests run it in their own process."""
    return subprocess.run(
        [sys.executable, "-m", "ivcap_mcp", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=110,
    )


@pytest.fixture
def target(base: Path) -> list[str]:
    return ["--local-dir", str(base), "--service", REHEARSAL]


def test_the_version_is_printed() -> None:
    ran = as_process("--version")
    assert (ran.returncode, ran.stdout) == (0, f"ivcap-mcp {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str) -> None:
    ran = ivcap_mcp(command, "--help")
    assert ran.returncode == 0
    assert "usage: ivcap-mcp" in ran.stdout


def test_tools_lists_what_a_client_would_see(target: list[str]) -> None:
    ran = ivcap_mcp("tools", *target)
    assert ran.returncode == 0, ran.stderr
    assert "rehearsal" in ran.stdout
    assert "get_job" in ran.stdout
    few = ivcap_mcp("tools", *target, "--tools", "reherasal")
    assert "\nrehearsal" not in few.stdout
    assert few.stderr == "ivcap-mcp: no service fits --tools 'reherasal'\n"
    listed = json.loads(ivcap_mcp("tools", "--json", *target).stdout)
    assert {"name", "inputSchema", "annotations"} <= set(listed[0])


def test_a_call_shows_progress_as_plain_lines_and_prints_the_result(target: list[str]) -> None:
    ran = as_process("call", "rehearsal", "--arg", "steps=2", "--arg", "seconds=1", "--arg", "say=text", *target)
    assert ran.returncode == 0, ran.stderr
    assert "Part 1 of 2 done" in ran.stderr
    assert "\x1b" not in ran.stderr
    assert '"outcome": "succeed"' in ran.stdout


def test_a_call_takes_arguments_from_json_a_file_and_standard_input(target: list[str], tmp_path: Path) -> None:
    wanted = {"echo": {"deep": [1]}}
    file = tmp_path / "input.json"
    file.write_text(json.dumps(wanted))
    for given in (json.dumps(wanted), f"@{file}", "-"):
        ran = ivcap_mcp("call", "rehearsal", "--input", given, "--json", *target, given=json.dumps(wanted))
        assert json.loads(ran.stdout)["echo"] == wanted["echo"], ran.stderr


def test_a_failed_job_is_exit_code_1_and_a_line_on_stderr(target: list[str]) -> None:
    ran = ivcap_mcp("call", "rehearsal", "--arg", "outcome=value_error", *target)
    assert ran.returncode == 1
    assert "job_failed" in ran.stderr
    assert ran.stdout == ""


def test_without_waiting_the_handle_is_printed(target: list[str]) -> None:
    ran = ivcap_mcp("call", "run_service", "--input", '{"service": "rehearsal", "input": {"seconds": 2}}', "--no-wait",
                    "--json", *target)  # fmt: skip
    handle = json.loads(ran.stdout)
    assert handle["next"]["tool"] == "get_job"
    done = ivcap_mcp("call", "get_job", "--arg", f"job={handle['job']}", "--arg", "wait=30", "--json", *target)
    assert json.loads(done.stdout)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "invalid choice"),
        (["call", "rehearsal", "--arg", "novalue"], "NAME=VALUE"),
        (["call", "rehearsal", "--input", "{"], "no JSON"),
        (["call", "rehearsal", "--input", "[1]"], "a JSON object is wanted"),
        (["call", "no_such_tool"], "no_such_tool"),
        (["tools", "--service", "/no/such/tool.py"], "/no/such/tool.py"),
        (["tools", "--env-file", "/no/such/file"], "/no/such/file"),
        (["tools", "--max-wait", "0"], "--max-wait"),
        (["tools", "--tools", " ,"], "--tools is empty"),
        (["tools", "--url", "ftp://x"], "--url: 'ftp://x' is not"),
        (["tools", "--url", "ivcap.example.org"], "did you mean https://ivcap.example.org?"),
        (["services", "add", "/no/such/tool.py"], "ivcap-mcp: service /no/such/tool.py"),
        (["platform", "--host", "0.0.0.0"], "--token"),
        (["platform", "--port", "99999"], "65535"),
        (["serve", "--transport", "http", "--port", "-1"], "65535"),
        (["demo", "--out", "/dev/null/below-a-file"], "/dev/null/below-a-file"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_names_what_is_wrong(arguments: list[str], words: str, tmp_path: Path) -> None:
    ran = ivcap_mcp(*arguments, IVCAP_LOCAL_DIR=str(tmp_path / "store"))
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf"])
def test_a_time_limit_that_is_no_number_is_told_before_a_job_depends_on_it(value: str, tmp_path: Path) -> None:
    for command in (["tools"], ["platform", "--port", "0"]):
        ran = ivcap_mcp(*command, "--local-dir", str(tmp_path / "store"), IVCAP_RUNNER_START=value)
        assert ran.returncode == 2, ran.stdout + ran.stderr
        assert f"IVCAP_RUNNER_START='{value}'" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_options_of_the_embedded_platform_are_refused_with_a_deployment(tmp_path: Path) -> None:
    ran = ivcap_mcp("tools", "--local-dir", str(tmp_path), IVCAP_URL="https://x.example", IVCAP_JWT="secret-token")
    assert ran.returncode == 2
    assert "--local-dir is for the embedded platform" in ran.stderr
    assert "secret-token" not in ran.stderr


def test_a_deployment_that_does_not_answer_is_exit_code_3_without_the_token() -> None:
    ran = ivcap_mcp("tools", IVCAP_URL="http://127.0.0.1:9", IVCAP_JWT="secret-token")
    assert ran.returncode == 3, ran.stderr
    assert "secret-token" not in ran.stderr + ran.stdout
    assert ivcap_mcp("tools", "--json", IVCAP_URL="http://127.0.0.1:9", IVCAP_JWT="secret-token").returncode == 3
    (told,) = ran.stderr.splitlines()
    assert told.startswith("ivcap-mcp: could not list aspects: no connection to the platform at http://127.0.0.1:9 (")


class _Echo(BaseHTTPRequestHandler):
    """Refuses everything, repeating the request's headers, as debug pages of gateways do."""

    status = 401

    def do_GET(self) -> None:
        body = json.dumps({"message": f"you sent {dict(self.headers)}"}).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("x-echo", str(self.headers["authorization"]))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_platform_that_repeats_the_token_in_its_refusal_does_not_make_us_tell_it(status: int) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Echo,), {"status": status})) as platform:
        threading.Thread(target=platform.serve_forever, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{platform.server_port}"
            for arguments in (["tools"], ["call", "list_artifacts"], ["call", "run_service", "--input", RUN]):
                ran = ivcap_mcp(*arguments, "--log-level", "debug", IVCAP_URL=url, IVCAP_JWT="secret-token")
                assert ran.returncode != 0
                assert "you sent" in ran.stderr
                assert "unknown_service" not in ran.stderr
                assert "secret-token" not in ran.stderr + ran.stdout
        finally:
            platform.shutdown()


def test_services_are_added_listed_and_removed(tmp_path: Path) -> None:
    where = ["--local-dir", str(tmp_path / "store")]
    assert "no service was added" in ivcap_mcp("services", "list", *where).stdout
    tool = tmp_path / "mine.py"
    tool.write_text(Path(REHEARSAL).read_text())
    assert ivcap_mcp("services", "add", str(tool), *where).returncode == 0
    assert "mine  urn:ivcap:service:" in ivcap_mcp("services", "list", *where).stdout
    tool.write_text(tool.read_text() + "\n# changed\n")
    assert "does not run" in ivcap_mcp("services", "list", *where).stdout
    assert ivcap_mcp("services", "remove", "mine", *where).returncode == 0
    again = ivcap_mcp("services", "remove", "mine", *where)
    assert again.returncode == 1
    assert "was not there" in again.stdout


def test_what_stands_in_a_directory_is_listed_and_only_run_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    services = tmp_path / "store" / "services"
    services.mkdir(parents=True)
    (services / "fine.toml").write_text('command = ["sh", "x.sh"]\n')
    (services / "slip.toml").write_text("comand = 1\n")
    monkeypatch.setenv("IVCAP_LOCAL_DIR", str(tmp_path / "store"))
    assert run(["services", "list"]) == 0
    told = capsys.readouterr().out
    assert "fine  urn:ivcap:service:" in told
    assert "does not run: nobody said so" in told
    assert f"does not run: {services / 'slip.toml'}: unknown key 'comand'" in told
    assert run(["services", "list", "--local-dir", str(tmp_path / "store")]) == 0
    assert "nobody said so" not in capsys.readouterr().out


def test_a_reader_who_has_seen_enough_is_no_failure_of_ours(target: list[str]) -> None:
    words = [sys.executable, "-m", "ivcap_mcp", "tools", *target]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `head` does
        assert process.stderr.read() == ""
        assert process.wait(110) == 1


def test_a_service_s_own_tool_is_not_waited_for_either(target: list[str]) -> None:
    ran = ivcap_mcp("call", "rehearsal", "--arg", "seconds=15", "--no-wait", "--json", *target)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["status"] in ("scheduled", "executing")
    assert told["next"]["tool"] == "get_job"


def test_a_service_that_does_not_start_is_named_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "broken.py"
    # Each command has it tried again, and must not answer meanwhile that it is being prepared.
    monkeypatch.setenv("IVCAP_TOOL_AGAIN", "0")
    tool.write_text('import sys, time\ntime.sleep(0.5)\nsys.exit("no model file was found")\n')
    where = ["--local-dir", str(tmp_path / "store"), "--service", f"broken={sys.executable} {tool}"]
    try:
        listed = ivcap_mcp("tools", *where)
        assert "not published: broken: failed" in listed.stdout
        assert "no model file was found" in listed.stdout
        by_name = ivcap_mcp("call", "broken", *where)
        run = ivcap_mcp("call", "run_service", "--input", '{"service": "broken", "input": {}}', *where)
        for ran in (by_name, run):
            assert ran.returncode == 1
            assert ran.stderr.startswith("service_failed:"), ran.stderr
            assert "no model file was found" in ran.stderr
        other = ivcap_mcp("call", "its_own_name_which_nobody_knows", *where)
        assert other.returncode == 2
        assert "nobody_knows. broken is no tool: " in other.stderr, "failed, or being tried again"
    finally:
        stop_platform(tmp_path / "store", force=True)


def test_a_directory_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    where = ["--local-dir", str(tmp_path / "file" / "store"), "--service", REHEARSAL]
    for arguments in (
        ["call", "rehearsal"],
        ["call", "run_service", "--input", '{"service": "rehearsal", "input": {}}'],
    ):
        ran = ivcap_mcp(*arguments, *where, IVCAP_CACHE_DIR=str(tmp_path / "cache"))
        assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
        assert f"{tmp_path / 'file'} is not a directory" in ran.stderr
    listed = ivcap_mcp("tools", *where, IVCAP_CACHE_DIR=str(tmp_path / "cache"))
    assert (listed.returncode, listed.stdout) == (2, ""), listed.stderr


def test_settings_are_read_from_a_named_file_and_only_those_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("IVCAP_URL=http://127.0.0.1:9\nIVCAP_JWT=from-file\nPYTHONPATH=/nonsense\n")
    ran = ivcap_mcp("tools", "--env-file", str(file))
    assert ran.returncode == 3
    assert "from-file" not in ran.stderr


def test_a_platform_is_served_and_stopped_from_another_terminal(tmp_path: Path) -> None:
    where = ["--local-dir", str(tmp_path / "store")]
    process = subprocess.Popen(
        [sys.executable, "-m", "ivcap_mcp", "platform", "--port", "0", *where],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    told = "".join(process.stdout.readline() for _ in range(3))
    assert "serves http://127.0.0.1:" in told
    assert "every user of this machine" in told
    assert "IVCAP_URL=http://127.0.0.1:" in told
    stopped = ivcap_mcp("platform", "--stop", *where)
    assert "has ended" in stopped.stdout
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0, rest
    assert "no platform is running" in ivcap_mcp("platform", "--stop", *where).stdout


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_the_progress_bar_stays_on_its_line_and_says_where_it_cut(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", str(columns))
    for total in (None, 100.0):
        out = Terminal()
        with Bar("co2_trend", out) as bar:
            bar.show(40, total, "Fetching urn:ivcap:artifact:5dac3d4f-1111-2222-3333-444444444444 and\nmore of it " * 3)
        drawn = out.getvalue().split("\x1b[K")[1].rstrip("\r")
        assert len(drawn) < columns
        assert drawn.endswith("…")
        assert "\n" not in drawn
