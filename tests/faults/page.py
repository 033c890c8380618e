"""`docs/reference/faults.md`, made from what the trials came to. `python -m tests.faults.page` writes it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.docs.pages import DOCS
from tests.faults.faults import FAULTS
from tests.faults.trial import RIGHT, Trial

PAGE = DOCS / "reference" / "faults.md"


def cells(outcomes: dict[str, list[Trial]]) -> dict[str, dict[str, str]]:
    """What is written for each operation under each fault: once, and for good where that differs."""
    found: dict[str, dict[str, str]] = {}
    for fault, trials in outcomes.items():
        for operation in sorted({trial.operation for trial in trials}):
            mine = [trial for trial in trials if trial.operation == operation]
            once = {trial.code for trial in mine if trial.once}
            always = {trial.code for trial in mine if not trial.once}
            told = [_written(codes) for codes in (once, always) if codes]
            found.setdefault(operation, {})[fault] = " · ".join(dict.fromkeys(told))
    # A costly fault met each kind of request once: an operation fares as the first it makes.
    first = {trial.operation: trial.route for trials in outcomes.values() for trial in trials if trial.since == 0}
    for fault, trials in outcomes.items():
        if FAULTS[fault].heavy:
            codes = {trial.route: trial.code for trial in trials}
            for operation in found:
                found[operation][fault] = codes[first[operation]]
    return found


def _written(codes: set[str]) -> str:
    return "/".join(sorted(codes, key=lambda code: (code != RIGHT, code)))


def tables(outcomes: dict[str, list[Trial]]) -> str:
    """The table, and what the faults are."""
    found = cells({name: outcomes[name] for name in FAULTS})
    names = list(FAULTS)
    lines = ["| Operation | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    alike: dict[tuple[str, ...], list[str]] = {}
    for operation in sorted(found):
        alike.setdefault(tuple(found[operation][name] for name in names), []).append(f"`{operation}`")
    lines += [f"| {', '.join(operations)} | {' | '.join(row)} |" for row, operations in alike.items()]
    lines += ["", "| Fault | What happens |", "|---|---|"]
    lines += [f"| {name} | {kind.means} |" for name, kind in FAULTS.items()]
    return "\n".join(lines)


def differences(text: str, outcomes: dict[str, list[Trial]]) -> dict[str, tuple[list[str] | None, list[str] | None]]:
    """Operations of which the page says something else than was found.

    What was first, a time-out or a reply, does not count: on a busy machine that differs.

    What must come to the right result is tested trial by trial.
    """
    said, found = _parsed(text), _parsed(rewritten(text, outcomes))
    names = sorted(said.keys() | found.keys())
    return {name: (said.get(name), found.get(name)) for name in names if said.get(name) != found.get(name)}


def _parsed(text: str) -> dict[str, list[str]]:
    """The cells of each operation, without those that tell of time."""
    table = text.partition("<!-- faults -->")[2].partition("| Fault |")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return {
        operation: ["".join(sorted(set(cell) - set("✓JTN ·/"))) for cell in cells]
        for names, *cells in rows
        for operation in names.strip("`").split("`, `")
    }


def rewritten(text: str, outcomes: dict[str, list[Trial]]) -> str:
    """The page with the part between the marks as it must be."""
    before, mark, rest = text.partition("<!-- faults -->\n")
    _, end, after = rest.partition("<!-- end faults -->")
    return f"{before}{mark}\n{tables(outcomes)}\n\n{end}{after}"


def main() -> None:
    from tests.faults.ground import prepared
    from tests.faults.test_faults import faulty

    with tempfile.TemporaryDirectory() as home, prepared(Path(home)) as ground:
        found = {name: faulty(ground, kind) for name, kind in FAULTS.items()}
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
