"""The CO2 tool, run for real: its numbers against what is known of Mauna Loa, its refusals, what it leaves behind."""

from typing import Any

import pytest

from ivcap_mcp import examples
from tests.examples.sidecar import Sidecar
from tests.examples.tool import Tool

MAUNA_LOA = examples.path("data/mauna_loa_co2.csv").read_bytes()
MONTHLY = "date,co2\n" + "".join(f"{1990 + n // 12}-{n % 12 + 1:02},{350 + n / 12:.3f}\n" for n in range(60))


def analysed(tool: Tool, sidecar: Sidecar, data: bytes | str = MAUNA_LOA, **settings: Any) -> dict[str, Any]:
    job, reply = tool.run(series=sidecar.add(data if isinstance(data, bytes) else data.encode()), **settings)
    assert reply.status_code == 200, reply.text
    assert sidecar.result(job).json == reply.json()
    found: dict[str, Any] = reply.json()
    return found


def test_the_whole_record_shows_the_known_growth_and_season(co2_trend: Tool, sidecar: Sidecar) -> None:
    found = analysed(co2_trend, sidecar)
    assert found["$schema"] == "urn:ivcap-mcp:schema:co2-trend.1"
    assert (found["period_start"], found["period_end"]) == ("1958-03-29", "2001-12-29")
    assert (found["points_used"], found["points_missing"]) == (2225, 59)
    assert found["trend_start_ppm_per_year"] == pytest.approx(0.75, abs=0.15)
    assert found["trend_end_ppm_per_year"] == pytest.approx(1.75, abs=0.25)
    # Annual means rose from 315.98 ppm (1959) to 371.32 ppm (2001).
    assert found["trend_mean_ppm_per_year"] == pytest.approx((371.32 - 315.98) / 42, abs=0.05)
    assert found["acceleration_ppm_per_year2"] == pytest.approx(0.024, abs=0.004)
    assert found["seasonal_amplitude_ppm"] == pytest.approx(6.0, abs=0.6)
    assert found["seasonal_maximum_month"] == "May"
    assert found["seasonal_minimum_month"] in ("September", "October")
    assert 0.5 < found["residual_sigma_ppm"] < 1.2


def test_the_last_decade_grows_faster_than_the_mean(co2_trend: Tool, sidecar: Sidecar) -> None:
    found = analysed(co2_trend, sidecar, model="linear", from_year=1990)
    assert found["period_start"] == "1990-01-06"
    assert found["trend_mean_ppm_per_year"] == pytest.approx(1.6, abs=0.2)
    assert found["trend_start_ppm_per_year"] == found["trend_end_ppm_per_year"]
    assert found["acceleration_ppm_per_year2"] == 0


def test_a_spike_put_into_the_record_is_the_first_anomaly(co2_trend: Tool, sidecar: Sidecar) -> None:
    spiked = MAUNA_LOA.replace(b"1975-07-05,", b"1975-07-05,9")
    found = analysed(co2_trend, sidecar, spiked)
    assert found["anomalies"][0]["date"] == "1975-07-05"
    assert found["anomalies"][0]["sigmas"] > 100


def test_a_low_threshold_counts_all_anomalies_and_lists_twenty(co2_trend: Tool, sidecar: Sidecar) -> None:
    found = analysed(co2_trend, sidecar, anomaly_threshold=1.5)
    assert found["anomaly_count"] > 100
    far = [abs(anomaly["sigmas"]) for anomaly in found["anomalies"]]
    assert len(far) == 20
    assert far == sorted(far, reverse=True)


def test_monthly_means_without_noise_give_back_the_line_they_were_made_of(co2_trend: Tool, sidecar: Sidecar) -> None:
    found = analysed(co2_trend, sidecar, MONTHLY, model="linear")
    assert found["trend_mean_ppm_per_year"] == pytest.approx(1.0, abs=0.01)
    assert found["points_missing"] == 0


def test_every_spelling_of_a_missing_value_is_counted_and_none_is_used(co2_trend: Tool, sidecar: Sidecar) -> None:
    gaps = [f"{year}-06-{day},{text}\n" for year in (1995,) for day, text in
            (("20", ""), ("21", "NA"), ("22", "nan"), ("23", "-99.99"))]  # fmt: skip
    found = analysed(co2_trend, sidecar, MONTHLY + "".join(gaps) + "1995-07-01,355.5\n", model="linear")
    assert (found["points_used"], found["points_missing"]) == (61, 4)


def test_the_plot_and_the_findings_are_left_with_the_record(co2_trend: Tool, sidecar: Sidecar) -> None:
    series = sidecar.add(MAUNA_LOA)
    job, reply = co2_trend.run(series=series, harmonics=3)
    found = reply.json()
    plot = sidecar.artifacts[found["plot"]]
    assert (plot.content_type, plot.data[:8], len(plot.data)) == ("image/png", b"\x89PNG\r\n\x1a\n", plot.size)
    aspect = sidecar.aspects[found["aspect"]]
    assert (aspect.entity, aspect.schema, aspect.job) == (series, "urn:ivcap-mcp:schema:co2-trend.1", job)
    assert aspect.content["plot"] == found["plot"]
    assert aspect.content["settings"] == {
        "series": series, "model": "quadratic", "harmonics": 3, "from_year": None, "anomaly_threshold": 3.0,
    }  # fmt: skip


def test_the_steps_are_reported_in_order_with_messages_and_progress(co2_trend: Tool, sidecar: Sidecar) -> None:
    job, _ = co2_trend.run(series=sidecar.add(MAUNA_LOA))
    events = sidecar.events[job]
    finished = [event["name"] for event in events if event["$schema"].endswith("step.finish.1")]
    assert finished == ["read", "check", "fit", "plot", "publish"]
    assert all(event["options"]["message"] for event in events)
    counted = [
        (event["options"]["progress"], event["options"]["total"]) for event in events if "progress" in event["options"]
    ]
    assert counted == [(1, 5), (2, 5), (3, 5), (3.25, 5), (3.5, 5), (3.75, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("", "line 1: need the columns date and co2_ppm, found nothing"),
        ("when,how much\n1990-01-06,350\n", "line 1: need the columns date and co2_ppm, found when, how much"),
        ("date,co2\n1990-01-06,350\n1990-01-13,lots\n", "line 3, column co2: 'lots' is not a number"),
        ("date,co2\n1990-01-06,inf\n", "line 2, column co2: 'inf' is not a number"),
        ("date,co2\n06/01/1990,350\n", "line 2, column date: '06/01/1990' is not YYYY-MM-DD or YYYY-MM"),
        (
            "date,co2\n1990-01-06,350\n1990-01-06,351\n",
            "line 3, column date: 1990-01-06 does not come after 1990-01-06",
        ),
        ("date,co2\n1990-01-06,350,1\n", "line 2: 3 columns, but the header has 2"),
        (b"\x89PNG\r\n\x1a\n", "not a CSV file in UTF-8"),
        ("date,co2\n1990-01-06,350\n", "1 value cannot tell trend from season"),
    ],
    ids=["empty", "wrong columns", "not a number", "infinite", "date", "order", "row length", "binary", "too short"],
)
def test_bad_input_is_refused_by_naming_the_place(
    co2_trend: Tool, sidecar: Sidecar, data: bytes | str, complaint: str
) -> None:
    job, reply = co2_trend.run(series=sidecar.add(data if isinstance(data, bytes) else data.encode()))
    assert reply.status_code in (400, 500)  # the newest library says 400 for a ValueError, 0.7.22 says 500
    error = sidecar.result(job)
    assert error.error
    assert error.json["type"] == "ValueError"
    assert complaint in error.json["error"]


def test_values_that_leave_out_most_of_the_year_are_refused_rather_than_fitted(
    co2_trend: Tool, sidecar: Sidecar
) -> None:
    januaries = "date,co2\n" + "".join(f"{year}-01,{350 + year % 7}\n" for year in range(1960, 2000))
    job, _ = co2_trend.run(series=sidecar.add(januaries.encode()))
    assert "cover too little of the year" in sidecar.result(job).json["error"]


@pytest.mark.parametrize(
    "bad", [{"harmonics": 5}, {"model": "cubic"}, {"anomaly_threshold": 0}, {"series": "record.csv"}]
)
def test_settings_out_of_bounds_are_refused_before_a_job_exists(
    co2_trend: Tool, sidecar: Sidecar, bad: dict[str, Any]
) -> None:
    job, reply = co2_trend.run(**({"series": sidecar.add(MAUNA_LOA)} | bad))
    assert reply.status_code == 422
    assert job not in sidecar.events
    assert job not in sidecar.results


def test_the_description_names_the_tool_and_describes_every_field(co2_trend: Tool) -> None:
    described = co2_trend.http.get("/").json()
    assert described["name"] == "co2_trend"
    fields = {name: field for name, field in described["fn_schema"]["properties"].items() if name != "$schema"}
    assert set(fields) == {"series", "model", "harmonics", "from_year", "anomaly_threshold"}
    assert all(field["description"] for field in fields.values())
