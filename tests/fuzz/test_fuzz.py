"""A few cases of each fuzzed part, and that a case can be made again; the many are `make fuzz`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from tests.fuzz.__main__ import PARTS
from tests.fuzz.fuzzing import Check, Part, case, run

pytestmark = pytest.mark.anyio


def test_a_full_run_has_at_least_100_000_cases() -> None:
    assert sum(part.full for part in PARTS.values()) >= 100_000


@pytest.mark.parametrize("name", PARTS)
async def test_whatever_comes_from_outside_gets_a_result_or_a_clean_error(name: str) -> None:
    found = await run(PARTS[name], 7, range(25))
    assert found.failures == []


@pytest.mark.parametrize("name", PARTS)
def test_a_case_depends_on_its_seed_and_number_alone(name: str) -> None:
    part = PARTS[name]
    assert repr(case(part, 3, 5)) == repr(case(part, 3, 5))
    assert len({repr(case(part, seed, number)) for seed in (1, 2) for number in range(10)}) > 10


async def test_a_failure_says_how_to_see_it_again_and_a_few_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Check]:
        async def check(tried: Any) -> None:
            assert tried < 0.5, "too large"

        yield check

    found = await run(Part("sample", 100, 10, Random.random, opened), 4, range(100))
    assert len(found.failures) == 5
    assert found.cases < 100
    assert "again: python -m tests.fuzz --only sample --seed 4 --case " in found.failures[0]
    assert "too large" in capsys.readouterr().err
