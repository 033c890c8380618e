# /// script
# requires-python = ">=3.11"
# dependencies = ["ivcap-ai-tool>=0.7.22"]
# ///
"""An AI tool: the longest run of dry days in a rain gauge's record."""

import csv

from ivcap_ai_tool import ivcap_ai_tool, logging_init, start_tool_server
from ivcap_service import JobContext, Service
from pydantic import BaseModel, Field


class Request(BaseModel):
    series: str = Field(pattern="^urn:", description="URN of a CSV artifact: date, rain_mm.")
    dry_below_mm: float = Field(default=1.0, ge=0, description="Less rain than this: a dry day.")


class Result(BaseModel):
    days: int = Field(description="Days in the record.")
    longest_dry_run: int = Field(description="Length of the longest run of dry days.")


@ivcap_ai_tool("/")
def dry_run(req: Request, ctxt: JobContext) -> Result:
    """Find the longest run of dry days in a daily rain record."""
    with ctxt.report.step("read", "Reading the record") as step:
        with ctxt.ivcap.get_artifact(req.series).as_local_file() as path:
            rain = [float(row["rain_mm"]) for row in csv.DictReader(path.open())]
        step.finished(f"Read {len(rain)} days", progress=1, total=1)
    longest = run = 0
    for amount in rain:
        run = run + 1 if amount < req.dry_below_mm else 0
        longest = max(longest, run)
    return Result(days=len(rain), longest_dry_run=longest)


if __name__ == "__main__":
    logging_init()  # the server does not start without
    start_tool_server(Service(name="dry_run", contact={"name": "You", "email": "you@example.org"}))
