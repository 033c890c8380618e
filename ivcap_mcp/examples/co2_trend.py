# /// script
# requires-python = ">=3.11"
# dependencies = ["ivcap-ai-tool>=0.7.22", "matplotlib>=3.8", "numpy>=1.26"]
# ///
"""An AI tool: growth, season and outliers of an atmospheric CO2 record. To serve it: `uv run co2_trend.py`."""

import csv
import io
import math
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any

from ivcap_ai_tool import ivcap_ai_tool, logging_init, start_tool_server
from ivcap_service import JobContext, Service
from pydantic import AfterValidator, BaseModel, Field

# numpy and matplotlib are imported where they are used, so that the tool answers its health check sooner.

Values = list[tuple[date, float]]
Rounded = Annotated[float, AfterValidator(lambda number: round(number, 4))]  # more digits than that only mislead

STEPS = 5  # whoever watches sees how much of the whole is done


class Model(StrEnum):
    linear = "linear"
    quadratic = "quadratic"


class Request(BaseModel):
    # An agent knows a tool by its docstring and these names, bounds and descriptions: this is the user interface.
    jschema: str = Field(default="urn:ivcap-mcp:schema:co2-trend.request.1", alias="$schema")
    series: str = Field(
        pattern="^urn:",
        description="URN of a CSV artifact with the columns `date` (YYYY-MM-DD, or YYYY-MM if monthly; ascending) "
        "and `co2_ppm` or `co2`. Empty cells, NA, NaN and numbers below zero count as missing.",
    )
    model: Model = Field(default=Model.quadratic, description="Long-term trend; quadratic lets the growth rate change.")
    harmonics: int = Field(default=2, ge=1, le=4, description="Harmonics of the yearly cycle; 1 is a plain sine.")
    from_year: int | None = Field(default=None, ge=1700, le=2200, description="Leave out the values before this year.")
    anomaly_threshold: float = Field(
        default=3.0, ge=1.5, le=10.0, description="Report values this many robust standard deviations from the fit."
    )


class Anomaly(BaseModel):
    date: str
    co2_ppm: float
    expected_ppm: Rounded = Field(description="Trend plus season on that date.")
    sigmas: Rounded = Field(description="Measured minus expected, in robust standard deviations.")


class Result(BaseModel):
    jschema: str = Field(default="urn:ivcap-mcp:schema:co2-trend.1", alias="$schema")
    period_start: str = Field(description="Date of the first value used.")
    period_end: str = Field(description="Date of the last value used.")
    points_used: int
    points_missing: int = Field(description="Rows of the period without a value; nothing is filled in for them.")
    trend_start_ppm_per_year: Rounded = Field(description="Growth rate of the trend at the start of the period.")
    trend_end_ppm_per_year: Rounded = Field(description="Growth rate of the trend at the end of the period.")
    trend_mean_ppm_per_year: Rounded
    trend_std_error_ppm_per_year: Rounded = Field(description="Of the mean; widened as residuals in a row are alike.")
    acceleration_ppm_per_year2: Rounded = Field(description="Change of the growth rate per year; 0 if linear.")
    seasonal_amplitude_ppm: Rounded = Field(description="Of the fitted yearly cycle, peak to trough.")
    seasonal_maximum_month: str
    seasonal_minimum_month: str
    residual_sigma_ppm: Rounded = Field(description="Robust standard deviation of the residuals (1.4826 MAD).")
    anomaly_count: int
    anomalies: list[Anomaly] = Field(description="At most 20 of them, the furthest from the fit first.")
    plot: str = Field(default="", description="URN of the plot, a PNG artifact.")
    aspect: str = Field(default="", description="URN of the aspect of the input artifact that holds these findings.")


@ivcap_ai_tool("/")
def co2_trend(req: Request, ctxt: JobContext) -> Result:
    """Analyse an atmospheric CO2 record: growth rate, seasonal cycle and outliers.

    Fits a trend and yearly harmonics to weekly or monthly values by least squares, draws a plot, and attaches the
    findings to the record as an aspect. Needs 24 values over two years.
    """
    # What is reported here is what people see while they wait.
    with ctxt.report.step("read", f"Fetching {req.series}") as step:
        artifact = ctxt.ivcap.get_artifact(req.series)
        with artifact.as_local_file() as path:  # a temporary file, gone when the block ends
            record = parse(path.read_bytes())
        step.finished(f"Read {len(record)} rows of {artifact.name}", progress=1, total=STEPS)

    with ctxt.report.step("check", "Counting values and gaps") as step:
        rows = [row for row in record if row[0].year >= (req.from_year or 0)]
        used = [(day, ppm) for day, ppm in rows if ppm is not None]
        if len(used) < 24 or used[-1][0] - used[0][0] < timedelta(days=700):
            # A ValueError says "your input"; any other exception says "our fault".
            raise ValueError(f"{counted(used)} cannot tell trend from season: that takes 24 over two years")
        step.finished(f"{counted(used)}, {len(rows) - len(used)} missing", progress=2, total=STEPS)

    with ctxt.report.step("fit", f"Fitting a {req.model} trend and {req.harmonics} harmonics") as step:
        fit = Fit(used, degree=1 if req.model is Model.linear else 2, harmonics=req.harmonics)
        far = [i for i, z in enumerate(fit.sigmas) if abs(z) > req.anomaly_threshold]
        far.sort(key=lambda i: -abs(fit.sigmas[i]))
        step.finished(
            f"{fit.growth(0):.2f} ppm a year, {counted(far)} beyond {req.anomaly_threshold:g} sigma",
            progress=3,
            total=STEPS,
        )

    (high, peak), (low, trough) = max(fit.season), min(fit.season)
    result = Result(
        period_start=str(used[0][0]),
        period_end=str(used[-1][0]),
        points_used=len(used),
        points_missing=len(rows) - len(used),
        trend_start_ppm_per_year=fit.growth(-1),
        trend_end_ppm_per_year=fit.growth(1),
        trend_mean_ppm_per_year=fit.growth(0),
        trend_std_error_ppm_per_year=fit.growth_error,
        acceleration_ppm_per_year2=(fit.growth(1) - fit.growth(-1)) / fit.span,
        seasonal_amplitude_ppm=high - low,
        seasonal_maximum_month=f"{peak:%B}",
        seasonal_minimum_month=f"{trough:%B}",
        residual_sigma_ppm=fit.sigma,
        anomaly_count=len(far),
        anomalies=[
            Anomaly(date=str(day), co2_ppm=ppm, expected_ppm=ppm - fit.residuals[i], sigmas=fit.sigmas[i])
            for i, (day, ppm) in ((i, used[i]) for i in far[:20])
        ],
    )

    with ctxt.report.step("plot", "Drawing the plot") as step:
        png = draw(used, fit, far, req.anomaly_threshold, step)
        # From memory: with `file_path=` the client leaves a marker beside the file and trusts it next time.
        result.plot = ctxt.ivcap.upload_artifact(
            name="co2_trend.png", io_stream=io.BytesIO(png), content_type="image/png", content_size=len(png)
        ).id
        step.finished(f"Uploaded {result.plot}", progress=4, total=STEPS)

    with ctxt.report.step("publish", "Attaching the findings to the record") as step:
        findings = result.model_dump(by_alias=True, exclude={"aspect"})
        settings = req.model_dump(mode="json", exclude={"jschema"})  # without them nobody could check the numbers
        result.aspect = ctxt.ivcap.add_aspect(req.series, {**findings, "settings": settings}).id
        step.finished(f"Added {result.aspect}", progress=5, total=STEPS)
    return result


def counted(values: list[Any]) -> str:
    return "1 value" if len(values) == 1 else f"{len(values)} values"


def parse(content: bytes) -> list[tuple[date, float | None]]:
    """Read the CSV. Every complaint names its line, because the reader may be an agent that can mend the file."""
    try:
        header, *lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig")))) or [[]]
    except (UnicodeDecodeError, csv.Error) as bad:
        raise ValueError(f"not a CSV file in UTF-8: {bad}") from None
    names = [name.strip().lower() for name in header]
    value_name = "co2_ppm" if "co2_ppm" in names else "co2"
    if "date" not in names or value_name not in names:
        raise ValueError(f"line 1: need the columns date and co2_ppm, found {', '.join(names)[:200] or 'nothing'}")
    record: list[tuple[date, float | None]] = []
    for number, cells in enumerate(lines, start=2):
        if not cells:
            continue
        if len(cells) != len(names):
            raise ValueError(f"line {number}: {len(cells)} columns, but the header has {len(names)}")
        when, text = (cells[names.index(name)].strip() for name in ("date", value_name))
        try:  # a monthly mean belongs to the middle of its month
            day = date.fromisoformat(f"{when}-15" if len(when) == 7 else when)
        except ValueError:
            raise ValueError(f"line {number}, column date: {when[:40]!r} is not YYYY-MM-DD or YYYY-MM") from None
        if record and day <= record[-1][0]:
            raise ValueError(f"line {number}, column date: {day} does not come after {record[-1][0]}")
        try:
            ppm = float("nan" if text.upper() in ("", "NA") else text)
            if math.isinf(ppm):
                raise ValueError
        except ValueError:
            raise ValueError(f"line {number}, column {value_name}: {text[:40]!r} is not a number") from None
        record.append((day, ppm if ppm >= 0 else None))  # archives write -99.99 for "missing"; NaN is not >= 0 either
    return record


class Fit:
    """Least squares: a polynomial in time plus harmonics of the year."""

    def __init__(self, used: Values, degree: int, harmonics: int) -> None:
        import numpy as np

        def cycle(time: Any) -> Any:
            turns = [2 * np.pi * k * time for k in range(1, harmonics + 1)]
            return np.column_stack([wave(turn) for turn in turns for wave in (np.cos, np.sin)])

        time, values = np.array([years(day) for day, _ in used]), np.array([ppm for _, ppm in used])
        self.span = float(time[-1] - time[0])
        scaled = (2 * time - time[0] - time[-1]) / self.span  # -1 … 1 keeps the equations well conditioned
        design = np.hstack([np.vander(scaled, degree + 1, increasing=True), cycle(time)])
        weights, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
        if rank < design.shape[1]:
            raise ValueError(f"the values cover too little of the year for {harmonics} harmonics")
        self._trend = np.polynomial.Polynomial(weights[: degree + 1])
        self.trend = self._trend(scaled)
        self.residuals = off = values - design @ weights
        # Median absolute deviation: outliers must not widen the yardstick. The floor is for made-up data without noise.
        self.sigma = max(1e-6, 1.4826 * float(np.median(np.abs(off - np.median(off)))))
        self.sigmas = off / self.sigma
        days = [date(2001, 1, 1) + timedelta(days=n) for n in range(365)]
        yearly = cycle(np.array([years(day) for day in days])) @ weights[degree + 1 :]
        self.season = list(zip(yearly.tolist(), days, strict=True))
        # Weather makes neighbours alike: n rows are worth n (1 - r) / (1 + r) independent ones (r: lag-1 correlation).
        r = min(0.99, max(0.0, float(off[:-1] @ off[1:]) / max(1e-12, float(off @ off))))
        variance = float(off @ off) / (len(used) - len(weights)) * (1 + r) / (1 - r)
        self.growth_error = 2 / self.span * math.sqrt(variance * float(np.linalg.inv(design.T @ design)[1, 1]))

    def growth(self, at: float) -> float:
        """Growth of the trend in ppm a year at the start (-1), middle (0) or end (1) of the period."""
        return float(self._trend.deriv()(at)) * 2 / self.span


def years(day: date) -> float:
    start = date(day.year, 1, 1)
    return day.year + (day - start) / (date(day.year + 1, 1, 1) - start)


def draw(used: Values, fit: Fit, far: list[int], threshold: float, step: Any) -> bytes:
    """Draw record and trend, yearly cycle, and residuals; return a PNG."""
    from matplotlib.dates import DateFormatter, MonthLocator
    from matplotlib.figure import Figure  # not pyplot: that keeps global state, and each job runs in its own thread

    ink, grey, accent = "#0b5394", "#8a8f98", "#d1495b"
    days = [day for day, _ in used]
    figure = Figure(figsize=(11, 8), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.15, w_pad=0.1)
    ax = figure.subplot_mosaic("AAAAA;AAAAA;AAAAA;BBCCC;BBCCC")
    for panel in ax.values():
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)

    growth = f"{fit.growth(-1):.2f} to {fit.growth(1):.2f} ppm a year"
    ax["A"].plot(days, [ppm for _, ppm in used], ".", ms=2.5, color=grey, label="measured")
    ax["A"].plot(days, fit.trend, color=ink, lw=2, label=f"trend, growing {growth}")
    ax["A"].set(title=f"Atmospheric CO2, {days[0]:%b %Y} to {days[-1]:%b %Y}", ylabel="ppm")
    ax["A"].legend(frameon=False, loc="upper left")
    step.info({"progress": 3.25, "total": STEPS, "message": "Drew the record"})

    yearly, dates = zip(*fit.season, strict=True)
    ax["B"].plot(dates, yearly, color=ink, lw=2)
    ax["B"].axhline(0, color=grey, lw=0.8)
    ax["B"].xaxis.set(major_locator=MonthLocator((1, 4, 7, 10)), major_formatter=DateFormatter("%b"))
    ax["B"].set(title=f"Yearly cycle: {max(yearly) - min(yearly):.1f} ppm peak to trough", ylabel="ppm")
    step.info({"progress": 3.5, "total": STEPS, "message": "Drew the yearly cycle"})

    ax["C"].plot(days, fit.residuals, ".", ms=2.5, color=grey)
    ax["C"].plot([days[i] for i in far], fit.residuals[far], "o", ms=6, mfc="none", color=accent)
    for edge in (-threshold * fit.sigma, threshold * fit.sigma):
        ax["C"].axhline(edge, color=accent, lw=0.8, ls="--")
    outside = f"{len(far)} beyond {threshold:g} sigma"
    ax["C"].set(title=f"Residuals: sigma {fit.sigma:.2f} ppm, {outside}", ylabel="measured - fit (ppm)")
    step.info({"progress": 3.75, "total": STEPS, "message": "Drew the residuals"})

    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    return png.getvalue()


if __name__ == "__main__":
    logging_init()  # the server does not start without
    start_tool_server(Service(name="co2_trend", contact={"name": "ivcap-mcp", "email": "ivcap-mcp@example.com"}))
