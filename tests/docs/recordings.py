"""Recorded terminal output for the pages: real sessions on the demo's data, run anew and compared by a test.

`python -m tests.docs.recordings` writes them to `docs/recordings`. URNs are shortened there; otherwise they are what
the commands said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ivcap_mcp import examples
from tests.docs.pages import DOCS

RECORDINGS = DOCS / "recordings"
TOOL, REHEARSAL = examples.path("co2_trend.py"), examples.path("rehearsal.py")
Run = Callable[..., str]
"""Runs `ivcap-mcp` with these words and gives what it says on stdout and stderr, whatever its exit code."""

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SHOWN_URN = re.compile(r"(urn:ivcap:\w+):([0-9a-f]{8})-…")
PROGRESS = re.compile(r"^ *\d+(\.\d)? (s|%)  .*\n", re.MULTILINE)
STORE = "demo/store"
QUALITY = "urn:example:schema:quality.1"


def sessions(run: Run) -> Iterator[tuple[str, str]]:
    """Name and text of each recording."""
    whole = run("demo", "--out", "demo")
    yield "demo", f"$ ivcap-mcp demo\n{_until(whole, '8. Use it')}"
    series, plot = (_first(rf"{mark} +(urn:ivcap:artifact:{UUID})", whole) for mark in ("->", "plot"))

    def session(name: str, *words: str, shown: str = "", tool: Path = TOOL) -> tuple[str, str]:
        said = run(words[0], "--local-dir", STORE, "--service", str(tool), *words[1:])
        line = shown or " ".join(("ivcap-mcp", words[0], "…", *words[1:]))
        return name, f"$ {line}\n{said}"

    name, said = session("tools", "tools", shown="ivcap-mcp tools")
    yield name, _head(said, 4) + "  ...\n" + said[said.index("co2_trend   ") :]
    yield session("refused", "call", "co2_trend", "--arg", f"series={series}", "--arg", "harmonics=9")
    name, failed = session("failed", "call", "co2_trend", "--arg", f"series={plot}")
    yield name, failed
    job = _first(rf"(urn:ivcap:job:{UUID})", failed)
    name, said = session("explained", "call", "explain_job", "--arg", f"job={job}")
    yield name, _until(said, ' "traceback_end"') + " ...\n"
    text = json.dumps({"service": "rehearsal", "input": {"steps": 20, "seconds": 20}})
    name, said = session("handle", "call", "run_service", "--no-wait", "--input", text, tool=REHEARSAL)
    yield name, said.replace(text, f"'{text}'")
    yield session("lineage", "call", "trace_lineage", "--arg", f"urn={plot}")
    name, said = session("preview", "call", "preview_artifact", "--arg", f"artifact={series}")
    yield name, _until(said, '  "first_rows"') + "  ...\n" + said[said.index('  "row_count"') :]
    yield session("read", "call", "read_artifact", "--arg", f"artifact={series}", "--arg", "length=58")
    held = _restated(run, series)
    for name, moment in (("now", ""), ("before", held)):
        asked = ["--arg", f"entity={series}", "--arg", f"schema={QUALITY}"]
        yield session(name, "call", "query_aspects", *asked, *(["--arg", f"as_of={moment}"] if moment else []))


def _restated(run: Run, series: str) -> str:
    """State something about the record, then something else; return when the first held."""
    said = ("call", "--local-dir", STORE, "--json")
    about = ["--arg", f"entity={series}", "--arg", f"schema={QUALITY}"]
    draft, checked = ('content={"quality": "draft"}', 'content={"quality": "checked", "by": "A. Ng"}')
    first = json.loads(run(*said, "add_aspect", *about, "--arg", draft))["aspect"]
    run(*said, "update_aspect", *about, "--arg", checked)
    return str(json.loads(run(*said, "get_aspect", "--arg", f"aspect={first}"))["valid_from"]).replace(" ", "T")


def shortened(text: str, work: str) -> str:
    """As it is shown: URNs cut after eight digits, no path of this machine, no line too wide for a page."""
    text = text.replace(f"{work}/", "").replace(str(TOOL.parent), "…")
    text = re.sub(r"^( +)\S*python\S* -m ivcap_mcp ", r"\1ivcap-mcp ", text, flags=re.MULTILINE)
    text = re.sub(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", r"\1-…", text)
    text = re.sub(r"\b([0-9a-f]{8})-[0-9a-f-]{1,26}…", r"\1-…", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def comparable(text: str) -> str:
    """What must be the same in every run: which URN is which, but not which one; no progress, no times, no sizes."""
    known: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return known.setdefault(found[0], f"{found[1]}:{len(known)}")

    text = PROGRESS.sub("", text)
    text = SHOWN_URN.sub(numbered, text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)", "TIME", text)
    text = re.sub(r"done in [\d.]+ s, \d+ progress messages|, \d+ bytes$", "…", text, flags=re.MULTILINE)
    return re.sub(
        r'line \d+|ivcap \d+\.\d+\.\d+|"status": "(scheduled|executing)"|\((scheduled|executing)\)', "…", text
    )


def recorded(run: Run, work: Path) -> dict[str, str]:
    """Every recording, as it is shown."""
    return {name: shortened(text, str(work)) for name, text in sessions(run)}


def _until(text: str, mark: str) -> str:
    return text[: text.index(mark)]


def _head(text: str, lines: int) -> str:
    return "".join(text.splitlines(keepends=True)[:lines])


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not in\n{text}"
    return found[1]


def main() -> None:
    """Write them."""
    import os
    import tempfile

    from tests.docs.conftest import fresh
    from tests.docs.pages import ROOT

    cache = Path(os.environ.get("IVCAP_TEST_CACHE") or ROOT / "build" / "test-cache")
    with tempfile.TemporaryDirectory() as folder, fresh(Path(folder).resolve(), cache) as place:
        RECORDINGS.mkdir(exist_ok=True)
        for name, text in recorded(place.said, place.directory).items():
            (RECORDINGS / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
