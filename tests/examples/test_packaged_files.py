"""Finding the examples on disk, and the data that comes with them."""

import csv
from datetime import date, timedelta
from itertools import pairwise

import pytest

from ivcap_mcp import examples


@pytest.mark.parametrize("name", ["co2_trend.py", "rehearsal.py", "data/mauna_loa_co2.csv", "data/SOURCE.md"])
def test_every_example_has_an_absolute_path(name: str) -> None:
    found = examples.path(name)
    assert found.is_absolute()
    assert found.is_file()


@pytest.mark.parametrize(
    "name", ["", ".", "data", "nothing.py", "../__init__.py", "/etc/hosts", "data/../../__init__.py"]
)
def test_what_is_no_example_is_not_found(name: str) -> None:
    with pytest.raises(FileNotFoundError, match="no example named"):
        examples.path(name)


def test_the_record_is_weekly_without_a_break_and_says_what_is_missing() -> None:
    with examples.path("data/mauna_loa_co2.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    days = [date.fromisoformat(row["date"]) for row in rows]
    assert {later - earlier for earlier, later in pairwise(days)} == {timedelta(days=7)}
    values = [float(row["co2_ppm"]) for row in rows if row["co2_ppm"]]
    assert (len(rows), len(rows) - len(values)) == (2284, 59)
    assert 312 < min(values) < max(values) < 375
