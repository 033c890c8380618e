# It runs where the fuzzer is installed; type checkers do not find that.
# mypy: disable-error-code="import-not-found, untyped-decorator"
"""What no answer may be, whatever was asked: a failure of ours, or a look into it."""

from typing import Any

import schemathesis


@schemathesis.check
def nothing_breaks(ctx: Any, response: Any, case: Any) -> None:
    """No failure but an honest 501, no traceback, and a refusal that says why."""
    status, text = response.status_code, response.content.decode("latin-1")
    # The output of a job that failed is described as 500, with the job's own message.
    told = case.path.endswith("/output") and "local platform failed" not in text
    if text == "Invalid HTTP request received.":
        return  # what is no HTTP does not come as far as to us
    assert status < 500 or status in (501, 507) or (status == 500 and told), f"{status}: {text[:500]}"
    assert "Traceback" not in text, text[:500]
    if status >= 400 and status != 401 and case.method.upper() != "HEAD":
        assert response.headers["content-type"][0].startswith("application/json"), text[:200]
        assert response.json()["message"], text[:200]
