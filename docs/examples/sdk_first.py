"""Run a service on a file, and see what it left behind."""

from ivcap_client import LocalIVCAP
from ivcap_mcp import examples

tool = str(examples.path("co2_trend.py"))
with LocalIVCAP("study", services=[tool]) as ivcap:
    record = ivcap.upload_artifact(file_path=examples.path("data/mauna_loa_co2.csv"))
    service = ivcap.get_service_by_name("co2_trend")

    # The first time on a machine the tool's packages are installed: allow for that.
    result = service.run({"series": record.urn, "harmonics": 3}, timeout=300)
    print(f"growth: {result['trend_mean_ppm_per_year']:.2f} ppm a year")

    plot = ivcap.get_artifact(result["plot"])
    print(f"{plot.name}: {plot.mime_type}, saved as {plot.as_local_file('growth.png')}")

    for aspect in ivcap.list_aspects(entity=record.urn, schema="urn:ivcap-mcp:%"):
        print(f"{aspect.schema}: {aspect.content['points_used']} values used")
