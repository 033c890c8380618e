"""Ask a service what it takes, fill that in with checks, send it."""

import json

from pydantic import ValidationError

from ivcap_client import LocalIVCAP
from ivcap_mcp import examples

with LocalIVCAP("study", services=[str(examples.path("rehearsal.py"))]) as ivcap:
    service = ivcap.get_service_by_name("rehearsal")
    Request = service.request_model  # waits until a local service is ready to say what it takes
    field = Request.model_fields["steps"]
    print(f"steps: {field.annotation.__name__}, {field.default_factory()} by default, {field.description}")

    request = Request(steps=2, seconds=0.1)
    request.steps = 3
    try:
        request.steps = "many"
    except ValidationError as error:
        print(error.errors()[0]["msg"])
    print(json.dumps(request.model_dump(by_alias=True, exclude_unset=True)))
    print(service.run(request, timeout=300)["outcome"])
