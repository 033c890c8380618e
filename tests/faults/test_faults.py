"""A bad line, a failing gateway, a platform that talks nonsense: each operation over each of them."""

from __future__ import annotations

import inspect
import re

import pytest

from ivcap_client import IVCAP, Artifact, Aspect, Collection, Job, Order, Queue, Secret, Service
from ivcap_client.events import EventStream
from ivcap_client.exception import IvcapError
from ivcap_client.paging import Pager
from tests.described.judge import deviations
from tests.faults import operations_kept, page
from tests.faults.faults import FAULTS, Kind
from tests.faults.operations import COVERED, DATA, OPERATIONS
from tests.faults.trial import TOKEN, Ground, Trial, route, trials_of

# The page needs all trials, and makes those that no other test has made: alone it takes minutes.
pytestmark = pytest.mark.timeout(900)

REPEATABLE = re.compile(r"(GET(?! /1/queues/[^/]+/messages)|HEAD|DELETE|PATCH|POST /1/search|POST /\S*/cancel)\b")
ONCE = re.compile(r"POST /1/(services2/[^/]+/jobs|artifacts|aspects)\Z|PUT /1/aspects")


def faulty(ground: Ground, kind: Kind) -> list[Trial]:
    """The trials of a fault. On a busy machine a healthy reply may take longer than a stall: then with more time.

    That is seen on the line, and where a request that could be repeated did not succeed the second time.
    """
    found = ground.tried(trials_of(kind, ground.usual))
    for more in (4, 16):
        late = [t for t in found if kind.stalls and (t.line.hurried or t.code == "N" or unrepeated(t))]
        again = [Trial(o.operation, o.awaits, kind, o.since, o.once, o.timeout * more, o.route) for o in late]
        found = [one for one in found if one not in late] + ground.tried(again)
    return found


def unrepeated(trial: Trial) -> bool:
    return bool(trial.error and trial.once and REPEATABLE.match(trial.met))


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Trial]]:
    """What the tests found, for the page."""
    return {}


def test_without_faults_every_operation_does_its_work_on_both_fronts(ground: Ground) -> None:
    for operation in OPERATIONS:
        sync, awaited = ground.usual[operation, False], ground.usual[operation, True]
        assert type(sync.error) is type(awaited.error), (sync.told, awaited.told)
        assert sync.value == awaited.value
        # Who opens it without blocking has it downloaded first.
        routes = [[route(asked) for asked in one.line.seen] for one in (sync, awaited)]
        assert operation == "Artifact.open" or routes[0] == routes[1]
    refused = {name for name in OPERATIONS if ground.usual[name, False].error is not None}
    # The job has ended; the others are not served locally.
    assert refused == {
        "Job.cancel", "IVCAP.search", "IVCAP.list_orders", "IVCAP.get_order", "IVCAP.list_packages",
        "IVCAP.remove_package",
    }  # fmt: skip


def test_every_request_is_one_that_the_published_description_knows(ground: Ground) -> None:
    for trial in ground.usual.values():
        for exchange in trial.line.exchanges:
            assert deviations(exchange) == set(), trial.told


@pytest.mark.parametrize("name", FAULTS)
def test_an_operation_ends_with_the_right_result_or_a_clear_error(
    name: str, ground: Ground, outcomes: dict[str, list[Trial]]
) -> None:
    kind = FAULTS[name]
    outcomes[name] = faulty(ground, kind)
    for trial in outcomes[name]:
        usual = ground.usual[trial.operation, trial.awaits]
        same = type(trial.error) is type(usual.error)
        if trial.error is None:
            # In an answer to a deletion there is nothing to be read.
            free = kind.changes or trial.met.startswith("DELETE")
            assert usual.error is None or free, trial.told
            assert trial.value == usual.value or free, (trial.told, trial.value, usual.value)
        else:
            assert isinstance(trial.error, IvcapError), trial.told
            text = str(trial.error)
            assert re.match(r"could not \w+ |cannot \w+ |job urn:", text), text
            assert "\n" not in text
            assert len(text) < 1000
            seen = f"{text} {trial.error!r} {trial.error.__dict__}"
            assert TOKEN not in seen
            assert "renewed" not in seen
        # A 500 says that a request breaks the platform, rather than that it is not its moment; an upload goes on.
        if trial.once and REPEATABLE.match(trial.met) and (name != "500" or trial.met.startswith("PATCH")):
            assert same, trial.told  # it went by
        done = [each for each in trial.line.taken if ONCE.match(each)]
        assert len(done) == len(set(done)) <= 1, trial.line.taken
        for urn in trial.scene.uploaded:
            assert ground.direct.get_artifact(urn).as_bytes() == DATA, trial.told
    assert ground.trap.seen == []


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if kind.wire])
def test_blocking_and_async_callers_see_the_same(name: str, ground: Ground, outcomes: dict[str, list[Trial]]) -> None:
    if name not in outcomes:
        outcomes[name] = faulty(ground, FAULTS[name])
    sync, awaited = ([t for t in outcomes[name] if t.awaits is front] for front in (False, True))
    assert page.cells({name: sync}) == page.cells({name: awaited})


def test_the_page_says_what_happens(ground: Ground, outcomes: dict[str, list[Trial]]) -> None:
    for name, kind in FAULTS.items():
        if name not in outcomes:
            outcomes[name] = faulty(ground, kind)
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.differences(text, outcomes) == {}, "write it anew with `python -m tests.faults.page`"


def test_every_public_operation_is_tried() -> None:
    asking = set()
    for cls in (IVCAP, Service, Job, Artifact, Aspect, Collection, Order, Queue, Secret, EventStream, Pager):
        for name, member in inspect.getmembers(cls):
            if name.startswith("_"):
                continue
            if inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member):
                asking.add(f"{cls.__name__}.{name.removesuffix('_async')}")
            function = member.fget if isinstance(member, property) else member
            if callable(function) and "Pager" in str(getattr(function, "__annotations__", {}).get("return", "")):
                asking.add(f"{cls.__name__}.{name}")
    assert {
        name for name in asking if name not in OPERATIONS and name not in {**COVERED, **operations_kept.COVERED}
    } == set()
