"""The journal of submissions: an intent is on disk before its job is ordered, so that no job is lost or ordered twice.

One file of JSON lines per user, append-only. It also decides, one call at a time, whether a call needs a new job, has
one already, or must first find out what became of an earlier order.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

from ivcap_mcp.intents import Attached, Begun, Differs, Ordering, Submission, Unsettled, canonical_hash, submission
from ivcap_mcp.journal_file import JournalFile
from ivcap_mcp.ledger import LEFT, Entry, Ledger, Origin, intended, kept
from ivcap_mcp.presence import Presence

__all__ = [
    "Attached",
    "Differs",
    "Journal",
    "Ordering",
    "Origin",
    "Submission",
    "Unsettled",
    "canonical_hash",
    "submission",
]

KEPT = 30 * 86_400.0
"""Seconds for which submissions are kept, and keys stand for their job."""

IN_FLIGHT = 60.0
"""Seconds after the end of a call for which its order may still be under way."""


class Journal:
    """Appends to the journal and reads it back. Blocking: call it from a worker thread, except for `note`."""

    def __init__(self, folder: Path, *, attach_for: float = 3600.0, compact_at: int = 1_000_000) -> None:
        self.path = folder / "submissions.jsonl"
        self._file = JournalFile(self.path, compact_at)
        self._presence = Presence(folder / "servers")
        self._attach_for = attach_for
        self._reading = threading.Lock()
        self._ledger = Ledger()

    def begin(self, intent: Submission, *, keyed: bool = False, resubmit: bool = False) -> Begun:
        """Decide what a call is to do; an intent to order is on disk when this returns.

        Args:
            intent: What the call wants.
            keyed: Its order comes of the caller's own key.
            resubmit: The user wants a new job, and an order again that has no known outcome.

        Raises:
            OSError: The journal cannot be written; then nothing must be ordered.
        """
        intent = replace(intent, owner=self._presence.marked())
        if not keyed and self._earlier(intent, resubmit) is None:
            # The usual case takes no turn: many calls at once share one sync.
            return self._intended(intent)
        with self._file.alone():
            return self._decided(intent, keyed, resubmit)

    def intend(self, intent: Submission) -> None:
        """Record what is about to be ordered.

        Raises:
            OSError: The journal cannot be written; then nothing must be ordered.
        """
        self._file.append(intended(intent))
        if self._file.compact(lambda lines: kept(lines, time.time() - KEPT)):
            self._presence.sweep()

    def ordered(self, intent: Submission, job: str, by: str = "reply") -> None:
        """Record the job's URN, and how it is known."""
        self._file.append({"submission": intent.id, "job": job, "by": by})

    def cut_off(self, intent: Submission) -> None:
        """Record that a call that can no longer be waiting ended without an answer, so that a repeated one attaches."""
        entry = self.of(intent.id)
        if entry is not None and entry.note == "open" and not self._runs(entry, time.time()):
            self.left(intent, "cut")

    def claim(self, intent: Submission, job: str, by: str) -> bool:
        """Record a job that was looked for; not one that another submission has already."""
        with self._file.alone():
            holder = self._read().by_job.get(job)
            if holder is None:
                self.ordered(intent, job, by)
            return holder is None or holder.intent.order == intent.order

    def became(self, intent: Submission, state: str) -> None:
        """Record what became of an order without a job: `lost`, `unknown`, `refused`."""
        self._file.append({"submission": intent.id, "state": state}, durable=False)

    def left(self, intent: Submission, what: str) -> None:
        """Record that a call ended before its order was answered: `cancelled`, `cut`."""
        self._file.append({"submission": intent.id, "note": what}, durable=False)

    def note(self, job: str, what: str) -> None:
        """Record how a call ended: `delivered`, `handle`, `cancelled`, `cut`.

        Not synced: a note that a power cut takes costs a repeated delivery, not a job.
        """
        self._file.append({"job": job, "note": what, "at": time.time()}, durable=False)

    def learn(self, origin: str, identity: str, known: Origin) -> None:
        """Remember what an answer of the platform showed."""
        if self.origin(origin, identity) != known:
            told = {"echoes": known.echoes, "account": known.account, "offset": known.offset}
            self._file.append({"origin": origin, "identity": identity, **told}, durable=False)

    def origin(self, origin: str, identity: str) -> Origin:
        """What is known of a platform."""
        return self._read().origins.get((origin, identity), Origin())

    def known_origin(self, origin: str, identity: str) -> Origin:
        """`origin` from memory alone, for the event loop."""
        return self._ledger.origins.get((origin, identity), Origin())

    def of(self, submission_id: str) -> Entry | None:
        """What is known of a submission."""
        ledger = self._read()
        entry = ledger.by_id.get(submission_id)
        return None if entry is None else ledger.of_order(entry)

    def of_job(self, job: str) -> Entry | None:
        """What is known of a job that was ordered here."""
        return self._read().by_job.get(job)

    def service_of(self, job: str) -> str | None:
        """The service a job was ordered from, if it was ordered here."""
        entry = self.of_job(job)
        return entry.intent.service if entry else None

    def known_service_of(self, job: str) -> str | None:
        """`service_of` from memory alone, for the event loop: a job's service never changes."""
        entry = self._ledger.by_job.get(job)
        return entry.intent.service if entry else None

    def known_by(self, job: str) -> str | None:
        """How the URN of a job ordered here is known; from memory alone."""
        entry = self._ledger.by_job.get(job)
        return entry.by if entry else None

    def job_of(self, submission_id: str) -> str | None:
        """The job that came of a submission, if its URN came back."""
        entry = self.of(submission_id)
        return entry.job if entry else None

    def unsettled(self, origin: str, identity: str) -> list[Submission]:
        """Submissions of the last hour that may have made a job nobody knows."""
        now = time.time()
        return [
            entry.intent
            for entry in list(self._read().by_id.values())
            if (entry.intent.origin, entry.intent.identity) == (origin, identity)
            and entry.job is None
            and entry.intent.t0 >= now - self._attach_for
            and (entry.state == "unknown" or (entry.state in ("open", "lost") and not self._in_flight(entry, now)))
        ]

    def siblings(self, intent: Submission) -> bool:
        """Whether the same is being ordered by another call just now, so that content cannot tell their jobs apart."""
        entries = list(self._read().by_call.get(intent.call, ()))
        return any(
            entry.intent.id != intent.id and entry.state == "open" and self._in_flight(entry, time.time())
            for entry in entries
        )

    def close(self) -> None:
        """Calls of this server that were left open count as cut off from now on."""
        self._presence.close()

    def _decided(self, intent: Submission, keyed: bool, resubmit: bool) -> Begun:
        entry = self._by_key(intent) if keyed else self._earlier(intent, resubmit)
        if entry is None:
            return self._intended(intent)
        if keyed and entry.intent.input_hash != intent.input_hash:
            return Differs(entry.job)
        if entry.job is not None:
            now = {"owner": intent.owner, "until": intent.until}
            self._file.append({"job": entry.job, "note": "open", **now}, durable=False)
            return Attached(entry.job, entry.by)
        busy = self._in_flight(entry, time.time())
        if busy or not resubmit:
            return Unsettled(entry.intent, busy)
        self.became(entry.intent, "again")
        return self._intended(replace(intent, order=entry.intent.order))

    def _intended(self, intent: Submission) -> Ordering:
        self.intend(intent)
        return Ordering(intent)

    def _by_key(self, intent: Submission) -> Entry | None:
        """The submission that has this key's order."""
        entries = self._read().by_order.get(intent.order, ())
        now = time.time()
        known = [e for e in entries if e.intent.t0 >= now - KEPT and e.state not in ("refused", "again")]
        known = [e for e in known if e.job is None or e.note != "gone"]
        return known[-1] if known else None

    def _earlier(self, intent: Submission, resubmit: bool) -> Entry | None:
        """The identical call of which this one may be a repetition. Calls open at the same time are none."""
        now = time.time()
        for entry in reversed(list(self._read().by_call.get(intent.call, ()))):
            if entry.intent.t0 < now - self._attach_for:
                return None
            if entry.state in ("refused", "again") or self._runs(entry, now):
                continue
            if entry.job is None:
                return entry
            if not resubmit:
                return entry if entry.note in LEFT or entry.note == "open" else None
        return None

    def _runs(self, entry: Entry, now: float) -> bool:
        """Whether the last call may still be waiting."""
        return entry.note == "open" and now < entry.until and self._presence.alive(entry.owner)

    def _in_flight(self, entry: Entry, now: float) -> bool:
        """Whether its order may still be under way, or its job be looked for."""
        known = entry.job is not None or entry.state not in ("open", "lost")
        return not known and now < entry.until + IN_FLIGHT and self._presence.alive(entry.owner)

    def _read(self) -> Ledger:
        with self._reading:
            anew, lines = self._file.news()
            if anew:
                self._ledger = Ledger()
            for line in lines:
                self._ledger.take(line)
            return self._ledger
