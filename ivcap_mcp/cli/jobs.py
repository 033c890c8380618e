"""`ivcap-mcp jobs`: what ran, what became of it, and what its tool printed."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from ivcap_client import IVCAP, Job, LocalIVCAP
from ivcap_client.exception import ConfigError
from ivcap_client.job import JOB_SCHEMA
from ivcap_mcp import target
from ivcap_mcp.cli.terminal import Paint, pairs
from ivcap_mcp.text import clip, stripped

COLOURS = {"succeeded": "good", "failed": "bad", "error": "bad"}
MOST_SHOWN = 4_000


def run(given: argparse.Namespace) -> int:
    """List jobs, show one, or print what its tool printed."""
    env = target.environment(given.env_file)
    with target.connect(target.options(given), env).ivcap as ivcap:
        if given.action == "list":
            return _list(ivcap, given)
        job = ivcap.get_job(given.job if given.job.startswith("urn:") else f"urn:ivcap:job:{given.job}")
        return _show(job, given) if given.action == "show" else _logs(ivcap, job, given)


def _list(ivcap: IVCAP, given: argparse.Namespace) -> int:
    found: list[dict[str, Any]] = []
    for aspect in ivcap.list_aspects(schema=JOB_SCHEMA, limit=None):
        told = aspect.content if isinstance(aspect.content, dict) else {}
        names = (told.get("service-name"), told.get("service-id"))
        if given.status not in (None, told.get("status")) or (given.of is not None and given.of not in names):
            continue
        keys = ("status", "requested-at", "finished-at", "service-name", "service-id", "error-message")
        found.append({"job": aspect.entity} | {key.replace("-", "_"): told[key] for key in keys if told.get(key)})
        if len(found) == given.limit:
            break
    if given.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return 0
    if not found:
        print("no job fits" if given.status or given.of else "no job yet")
    paint = Paint(sys.stdout)
    for job in found:
        status = str(job.get("status", "?"))
        name = clip(stripped(str(job.get("service_name", ""))), 28)
        print(f"{paint(f'{status:<10}', COLOURS.get(status, 'dim'))} {_ago(job):>9}  {name:<28} {job['job']}")
    return 0


def _ago(job: dict[str, Any]) -> str:
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(str(job["requested_at"]))).total_seconds()
    except (KeyError, ValueError):
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "just now" if seconds < 1 else f"{seconds:.0f} s ago"


def _show(job: Job, given: argparse.Namespace) -> int:
    record = job.record
    told: dict[str, Any] = {
        "job": job.urn,
        "status": str(record.status),
        "service": job.service,
        "requested": job.requested_at,
        "started": job.started_at,
        "finished": job.finished_at,
        "error": job.error,
    }
    told = {name: value for name, value in told.items() if value is not None}
    if job.ended and record.status == "succeeded":
        apart = record.result_content_urn if record.result is None else None
        told["result"] = {"artifact": apart, "content_type": record.result_content_type} if apart else record.result
    if given.json:
        print(json.dumps(told, ensure_ascii=False, indent=2, default=str))
        return 0
    result = told.pop("result", None)
    if job.started_at and job.finished_at:
        told["took"] = f"{(job.finished_at - job.started_at).total_seconds():.2f} s"
    print(pairs([(name, stripped(str(value))) for name, value in told.items()]))
    if result is not None:
        text = stripped(json.dumps(result, ensure_ascii=False, indent=1, default=str))
        print(clip(text, MOST_SHOWN))
    return 0


def _logs(ivcap: IVCAP, job: Job, given: argparse.Namespace) -> int:
    if not isinstance(ivcap, LocalIVCAP):
        raise ConfigError(f"what a tool printed is kept by the embedded platform only, not by {ivcap.url}")
    output = ivcap.job_output(job.urn, most=given.max_bytes)
    if output is None:
        reason = "it has not begun" if job.started_at is None and not job.ended else "the log of that time is gone"
        sys.stderr.write(f"nothing is known of what the tool printed: {reason}\n")
        return 1
    if output.others:
        told = ", ".join(output.others[:3]) + (f" and {len(output.others) - 3} more" if len(output.others) > 3 else "")
        sys.stderr.write(f"other jobs ran in the same process meanwhile; some lines may be theirs: {told}\n")
    if output.shortened:
        sys.stderr.write(f"the last part of {output.size} bytes; --max-bytes shows more\n")
    if not output.text:
        sys.stderr.write("the tool printed nothing while this job ran\n")
    print(stripped(output.text), end="" if output.text.endswith("\n") or not output.text else "\n")
    return 0
