"""Follow a job, wait for it in parts, and learn why another one failed."""

from ivcap_client import LocalIVCAP
from ivcap_client.exception import JobFailed, JobTimeout
from ivcap_mcp import examples

with LocalIVCAP("study", services=[str(examples.path("rehearsal.py"))]) as ivcap:
    service = ivcap.get_service_by_name("rehearsal")

    job = service.request_job({"steps": 2, "seconds": 0.2})  # returns at once
    for event in job.events(timeout=300):  # as they happen, until the job has ended
        print(event.text)
    print(job.refresh().value()["outcome"])

    slow = service.request_job({"outcome": "hang"})
    try:
        slow.wait(timeout=0.5)
    except JobTimeout as error:
        print(f"still {error.job.status().value}")  # and error.job.urn finds it again
    print(slow.cancel().error)

    try:
        service.run({"outcome": "value_error"})
    except JobFailed as error:
        print(f"{error.job.status().value}: {error.job.error}")
