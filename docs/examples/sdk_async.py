"""Two jobs at the same time, from async code."""

import asyncio

from ivcap_client import LocalIVCAP
from ivcap_mcp import examples

TOOL, DATA = str(examples.path("co2_trend.py")), examples.path("data/mauna_loa_co2.csv")


async def main() -> None:
    async with LocalIVCAP("study", services=[TOOL]) as ivcap:
        record = await ivcap.upload_artifact_async(file_path=DATA)
        service = await ivcap.get_service_by_name_async("co2_trend")
        recent = {"series": record.urn, "model": "linear", "from_year": 1990}
        whole, late = await asyncio.gather(
            service.run_async({"series": record.urn}, timeout=300),
            service.run_async(recent, timeout=300),
        )
        print(f"whole record: {whole['trend_mean_ppm_per_year']:.2f} ppm a year")
        print(f"since {late['period_start'][:4]}: {late['trend_mean_ppm_per_year']:.2f} ppm a year")

        async for job in ivcap.list_jobs(service.urn):
            print(job.status(refresh=False).value)


asyncio.run(main())
