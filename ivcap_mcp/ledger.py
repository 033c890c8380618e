"""What the journal's lines say, put together: submissions, their jobs, how their calls ended. No file, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ivcap_mcp.intents import Submission

MOST_ENTRIES = 20_000
"""Submissions kept when the journal is made shorter, whatever their age."""

LEFT = frozenset({"handle", "cancelled", "cut"})
"""Notes after which an identical call is taken for a repeated one."""


@dataclass(slots=True)
class Entry:
    """A submission and what became of it.

    Attributes:
        intent: What was to be ordered.
        state: `open`; `lost`: the order got no usable answer; `unknown`: nor was its job found; `refused`: nothing
            was ordered; `again`: given up for another submission with the same order; `ordered`.
        job: URN of the job.
        by: How the job is known: from the `reply`, by its `order`, or by its `content` alone.
        note: How the last call ended: `open`, `handle`, `cancelled`, `cut`, `delivered`, `ended`, `gone`.
        owner: The server of the last call.
        until: When the last call is over at the latest.
    """

    intent: Submission
    owner: str
    until: float
    state: str = "open"
    job: str | None = None
    by: str = "reply"
    note: str = "open"


@dataclass(frozen=True, slots=True)
class Origin:
    """What was learned of a platform, as one identity.

    Attributes:
        echoes: Whether jobs carry the order that was sent along; `None`: not known yet.
        account: URN of the account that its jobs belong to.
        offset: Seconds by which its clock is ahead of ours.
    """

    echoes: bool | None = None
    account: str | None = None
    offset: float = 0.0


@dataclass(slots=True)
class Ledger:
    """All that is known from the lines taken so far. What does not make sense is passed over."""

    by_id: dict[str, Entry] = field(default_factory=dict)
    by_job: dict[str, Entry] = field(default_factory=dict)
    by_order: dict[str, list[Entry]] = field(default_factory=dict)
    by_call: dict[tuple[str, str, str, str], list[Entry]] = field(default_factory=dict)
    origins: dict[tuple[str, str], Origin] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> None:
        """Add what a line says."""
        if isinstance(line.get("order"), str):
            self._intend(line)
        elif isinstance(submission := line.get("submission"), str) and (entry := self.by_id.get(submission)):
            self._became(entry, line)
        elif isinstance(job := line.get("job"), str) and (entry := self.by_job.get(job)):
            entry.note = str(line.get("note"))
            entry.owner, entry.until = str(line.get("owner", "")), _seconds(line.get("until"))
        elif isinstance(origin := line.get("origin"), str):
            echoes, account = line.get("echoes"), line.get("account")
            self.origins[origin, str(line.get("identity"))] = Origin(
                echoes if isinstance(echoes, bool) else None,
                account if isinstance(account, str) else None,
                _seconds(line.get("offset")),
            )

    def of_order(self, entry: Entry) -> Entry:
        """The entry that has the job of this entry's order, or the entry itself."""
        found = [one for one in self.by_order.get(entry.intent.order, ()) if one.job]
        return next((one for one in found if one.note != "gone"), found[0] if found else entry)

    def _intend(self, line: Mapping[str, Any]) -> None:
        try:
            intent = Submission(
                id=str(line["submission"]),
                t0=_seconds(line["t0"]),
                until=_seconds(line.get("until")),
                owner=str(line.get("owner", "")),
                **{name: str(line[name]) for name in ("order", "origin", "identity", "service", "input_hash")},
            )
        except KeyError:
            return
        entry = self.by_id[intent.id] = Entry(intent, intent.owner, intent.until)
        self.by_order.setdefault(intent.order, []).append(entry)
        self.by_call.setdefault(intent.call, []).append(entry)

    def _became(self, entry: Entry, line: Mapping[str, Any]) -> None:
        if isinstance(job := line.get("job"), str):
            entry.job, entry.state, entry.by = job, "ordered", str(line.get("by", "reply"))
            self.by_job[job] = entry
        elif isinstance(note := line.get("note"), str):
            entry.note = note
        elif isinstance(state := line.get("state"), str) and entry.job is None:
            entry.state = state


def intended(intent: Submission) -> dict[str, Any]:
    """The line that records an intent."""
    return {"submission": intent.id, **{f.name: getattr(intent, f.name) for f in fields(intent) if f.name != "id"}}


def kept(lines: Iterable[Mapping[str, Any]], since: float) -> Iterator[dict[str, Any]]:
    """The lines from which the same is known of all submissions since then, and of the newest only if they are many."""
    ledger = Ledger()
    for line in lines:
        ledger.take(line)
    for (origin, identity), known in ledger.origins.items():
        yield {"origin": origin, "identity": identity, **{f.name: getattr(known, f.name) for f in fields(known)}}
    entries = [entry for entry in ledger.by_id.values() if entry.intent.t0 >= since]
    for entry in entries[-MOST_ENTRIES:]:
        yield intended(entry.intent)
        if entry.job is not None:
            yield {"submission": entry.intent.id, "job": entry.job, "by": entry.by}
            if ledger.by_job.get(entry.job) is entry and entry.note != "open":
                yield {"job": entry.job, "note": entry.note, "owner": entry.owner, "until": entry.until}
            continue
        if entry.state != "open":
            yield {"submission": entry.intent.id, "state": entry.state}
        if entry.note != "open":
            yield {"submission": entry.intent.id, "note": entry.note}


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
