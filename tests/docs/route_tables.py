"""The table of routes on `docs/reference/rest.md`, written from the platform's description of itself.

`python -m tests.docs.route_tables` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

from ivcap_client._local import openapi, unserved

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rest.md"
START, END = "<!-- routes -->\n", "<!-- end of routes -->\n"
COMMON = {400, 403, 422}


def table() -> str:
    """One line a route: what it does, how it succeeds, and refusals besides those that all have."""
    lines = ["| Route | Does | Succeeds with | Also refuses with |", "|---|---|---|---|"]
    for one in (*openapi.OPERATIONS, *openapi.RUNNING):
        done = ", ".join(map(str, one.done))
        refused = ", ".join(str(status) for status in one.refused if status not in COMMON)
        lines.append(f"| `{one.method} {one.path}` | {one.summary} | {done} | {refused} |")
    for path, reason in unserved.REASONS.items():
        lines.append(f"| `{path}…` | {reason} | | 501 |")
    lines.append(
        "| `POST /1/search` | a Datalog query needs a deployment; aspects are found by `GET /1/aspects` | | 415, 501 |"
    )
    lines.append(
        "| `POST`, `PUT`, `DELETE` of `/1/services…` | these define container workflows; use `/1/services2` | | 501 |"
    )
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """The page with the table as it should be."""
    head, _, rest = page.partition(START)
    return head + START + "\n" + table() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
