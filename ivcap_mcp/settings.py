"""What a server is told when it starts. Times in seconds, sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices that hold for the life of a server; all of them have a default that suits a newcomer.

    Attributes:
        target: What is said about the platform at start ("embedded platform in …", "https://…").
        told: The same with what chose it and as whom it is asked, for the log; never for a model.
        tools: `auto`, `all`, `builtin`, or patterns of service names with commas.
        pins: Patterns of services that are tools whatever their number.
        max_wait: Longest time a tool call may take before it answers with a handle.
        default_wait: Time a tool call waits for its job unless told otherwise.
        on_cancel: What a cancelled call means for its job: `detach` lets it run, `cancel` tries to end it.
        spare: Time kept of each call for reading the result and writing the answer.
        order_timeout: How long the answer to an order is waited for.
        find_for: How long the job of an order without an answer is looked for.
        find_pause: First pause between two looks; later ones are longer.
        find_settle: How long lists may lag behind: no job is taken by its content alone before that.
        find_slack: How exactly the platform's clock is known.
        look_timeout: How long one look may take.
        new_job: How long a job just ordered may be unknown to the platform's other parts.
        attach_for: Age up to which a job is taken for the one that a repeated call means.
        refresh: How often the catalogue is compared with the platform.
        sweep: How often it is read anew from end to end, which also finds what was retracted.
        first_list: How long the first listing waits for the catalogue.
        heartbeat: Longest silence between two progress messages.
        progress_gap: Shortest time between two progress messages.
        most_text: Bytes of a result that go to the model; the rest is read on with `get_job`.
        most_blob: Bytes of a resource that are sent inline.
        most_image: Bytes of an image in a result that is shown inline.
        page: Tools on one page of `tools/list`.
        allow_roots: Directories from which `upload_artifact` may read files; only over stdio.
        state_dir: Where the journal of submissions is kept.
        cache_dir: Where the catalogue is kept between starts.
        schema_profile: Whose models schemas are written for (`ivcap_mcp.profiles`); `None`: by the client's name.
        confirm: Ask the user before a service is run and before anything is ended or withdrawn.
        ask: How long a person may take to answer, for clients that wait for it inside the call.
        task_poll: How often clients should ask for a task.
        poll: How often an aspect is looked at that somebody subscribed to.
        most_subscriptions: Resources, and tasks, that one connection or stream may subscribe to.
        read_only: Tools that change anything are not listed, and refused when called; so are services, which run jobs.
        local: The embedded platform is the target.
        owner: Whose server this is, hashed, where each caller has one; empty: everybody's who is let in.
        public_url: Address of this server as clients know it, ending in `/mcp`; empty: as they addressed it.
        secret: Seals what clients carry between requests; shared by replicas. Empty: each process makes its own.
    """

    target: str = "the embedded platform"
    told: str = ""
    tools: str = "auto"
    pins: tuple[str, ...] = ()
    max_wait: float = 45.0
    default_wait: float = 25.0
    on_cancel: Literal["detach", "cancel"] = "detach"
    spare: float = 2.0
    order_timeout: float = 20.0
    find_for: float = 30.0
    find_pause: float = 0.25
    find_settle: float = 5.0
    find_slack: float = 5.0
    look_timeout: float = 8.0
    new_job: float = 5.0
    attach_for: float = 3600.0
    refresh: float = 60.0
    sweep: float = 900.0
    first_list: float = 2.0
    heartbeat: float = 10.0
    progress_gap: float = 0.1
    most_text: int = 60_000
    most_blob: int = 1_000_000
    most_image: int = 512_000
    page: int = 500
    allow_roots: tuple[Path, ...] = ()
    state_dir: Path = field(default_factory=Path)
    cache_dir: Path | None = None
    schema_profile: str | None = None
    confirm: bool = False
    ask: float = 600.0
    task_poll: float = 2.0
    poll: float = 5.0
    most_subscriptions: int = 100
    read_only: bool = False
    local: bool = False
    owner: str = ""
    public_url: str = ""
    secret: str = field(default="", repr=False)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns in `tools`, where it is no word of its own."""
        if self.tools in ("auto", "all", "builtin"):
            return ()
        return tuple(pattern.strip() for pattern in self.tools.split(",") if pattern.strip())

    @property
    def wait(self) -> float:
        """How long a call waits unless it says otherwise."""
        return min(self.default_wait, self.max_wait)

    @property
    def reserve(self) -> float:
        """Time at the end of a call in which nothing is waited for any more."""
        return min(self.spare, self.max_wait / 10)
