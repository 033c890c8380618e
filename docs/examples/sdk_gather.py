"""Order several jobs, do something else, collect what they made."""

from ivcap_client import LocalIVCAP, gather
from ivcap_mcp import examples

with LocalIVCAP("study", services=[str(examples.path("rehearsal.py"))]) as ivcap:
    service = ivcap.get_service_by_name("rehearsal")
    jobs = [service.request_job({"steps": steps, "seconds": 0.2}) for steps in (1, 2)]
    jobs.append(service.request_job({"outcome": "value_error"}))
    print(f"{len(set(jobs))} jobs are on their way")

    for job in gather(*jobs, timeout=300):  # as they were ordered, all of them ended
        print(job.result["steps"] if job.succeeded else f"{job.status().value}: {job.error}")

    newest = next(ivcap.list_jobs(service.urn))
    print(newest in jobs, newest.finished_at is not None)
